// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ours are the resources the operator writes, and nobody else in these tests. Events are
// not among them: a kubelet writes one when a probe is not answered in time, and the API
// server does not count by writer. See eventsWritten.
var ours = map[string]bool{
	"unitsets": true, "units": true, "grpccalls": true, "mysqlreplications": true, "postgresreplications": true,
	"pods": true, "persistentvolumeclaims": true, "services": true, "configmaps": true, "secrets": true,
	"controllerrevisions": true, "poddisruptionbudgets": true,
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
	since, before := time.Now(), e.writes(t)
	time.Sleep(60 * time.Second)
	now := e.writes(t)
	for _, event := range e.eventsWritten(t, since) {
		t.Errorf("an event written in 60s at rest: %s", event)
	}
	for what, n := range now {
		if n != before[what] {
			t.Errorf("%s: %.0f writes in 60s at rest", what, n-before[what])
		}
	}
}

// eventsWritten are those that the operator wrote since then, but for the series that it
// closed: client-go writes the end of a series, which is several equal events, once more
// when it forgets it, 6 to 12 minutes after the last of them.
func (e *environment) eventsWritten(t *testing.T, since time.Time) (written []string) {
	t.Helper()
	events, err := e.kube.EventsV1().Events(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The API server keeps whole seconds of when a field was written.
	since = since.Truncate(time.Second)
	for i := range events.Items {
		event := &events.Items[i]
		now := func(f metav1.ManagedFieldsEntry) bool { return f.Time != nil && f.Time.After(since) }
		if event.ReportingController != "unit-operator" || !slices.ContainsFunc(event.ManagedFields, now) {
			continue
		}
		what := fmt.Sprintf("%s of %s/%s: %s", event.Reason, event.Regarding.Namespace, event.Regarding.Name, event.Note)
		if event.Series != nil && since.Sub(event.Series.LastObservedTime.Time) > 5*time.Minute {
			t.Logf("a series of events that ended long before was closed: %s", what)
			continue
		}
		written = append(written, what)
	}
	return written
}
