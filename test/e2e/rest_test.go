// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ours are the resources the operator writes, and nobody else in these tests.
var ours = map[string]bool{
	"unitsets": true, "units": true, "grpccalls": true, "mysqlreplications": true, "postgresreplications": true,
	"pods": true, "persistentvolumeclaims": true, "services": true, "configmaps": true, "secrets": true,
	"controllerrevisions": true, "poddisruptionbudgets": true, "events": true,
}

var requestTotal = regexp.MustCompile(`^apiserver_request_total\{(.*)\} ([0-9.e+]+)$`)

// writes reads the API server's own count of writes, by resource and subresource.
// A kubelet's pod status and a controller's status of a budget are not ours.
func (e *environment) writes(t *testing.T) map[string]float64 {
	t.Helper()
	raw, err := e.kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(raw)) {
		m := requestTotal.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		labels := map[string]string{}
		for _, l := range strings.Split(m[1], ",") {
			k, v, _ := strings.Cut(l, "=")
			labels[k] = strings.Trim(v, `"`)
		}
		switch labels["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		default:
			continue
		}
		sub := labels["subresource"]
		if !ours[labels["resource"]] || (sub == "status" && labels["group"] != "upm.syntropycloud.io") || sub == "exec" {
			continue
		}
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[labels["verb"]+" "+labels["resource"]+"/"+sub] += n
	}
	if len(out) == 0 {
		t.Fatal("the API server counts no write at all: the metric has another shape than expected")
	}
	return out
}

// nothingWritten demands a minute without a write.
func (e *environment) nothingWritten(t *testing.T, g group) {
	t.Helper()
	eventually(t, time.Minute, "the set to be ready", func(ctx context.Context) error { return e.setReady(ctx, ns, g.set) })
	// The last that is written of a new unit, when it has been Ready for a while.
	eventually(t, time.Minute, "the configurations to be kept", func(ctx context.Context) error {
		for i := range g.units {
			if _, err := e.kube.CoreV1().ConfigMaps(ns).Get(ctx, g.unit(i)+"-config-applied", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	time.Sleep(5 * time.Second)
	before := e.writes(t)
	time.Sleep(60 * time.Second)
	for what, n := range e.writes(t) {
		if n != before[what] {
			t.Errorf("%s: %.0f writes in 60s at rest", what, n-before[what])
		}
	}
}
