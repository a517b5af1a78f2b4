// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/test/apiproxy"
	"github.com/upmio/unit-operator/test/fleet"
)

// startFleet lets the pods of a namespace run, until the test ends.
func (e *environment) startFleet(t *testing.T, ns string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	// An own part of loopback, so that runs beside this one have others.
	network := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, byte(64 + rand.IntN(128)), byte(rand.IntN(256)), 0}), 24)
	f, err := fleet.Start(ctx, fleet.Options{Config: e.config, Network: network, Namespace: ns, Schedule: true, Leases: true})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		f.Wait()
		f.RemoveNodes(context.Background())
	})
}

// ready waits until so many Units of ns are, and their set is.
func (e *environment) ready(t *testing.T, ns string, units int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d units to be Ready", units), func(ctx context.Context) error {
		set, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, "orders", metav1.GetOptions{})
		if err == nil && (set.Status.ReadyUnits != units || set.Status.UnitImageSynced != v1alpha2.Synced) {
			err = fmt.Errorf("%d are; %s", set.Status.ReadyUnits, e.explain(ctx, ns))
		}
		return err
	})
}

// counted calls, but for those that keep caches.
func counted(calls []apiproxy.Call) map[string]int {
	out := map[string]int{}
	for _, c := range calls {
		switch c.Verb {
		case "list", "watch":
		default:
			if c.Resource != "leases" {
				out[c.Verb+" "+c.Resource]++
			}
		}
	}
	return out
}

func TestASetOfThreeCostsSoManyCallsUntilItIsReady(t *testing.T) {
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "cost")
	e.startFleet(t, ns)
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns, extraArgs: []string{"--agent-dial", "pod-ip"}})
	p.Reset()
	g := mysqlGroup(ns, "orders", 3)
	g.set.Spec.ExternalService, g.set.Spec.UnitService = nil, nil
	begun := time.Now()
	e.create(t, g)
	e.ready(t, ns, 3)
	const configMaps = 1 + 3 + 3 // the templates; of each Unit its values, and what it was Ready with
	eventually(t, "the events, and what is kept of units that are Ready", func(context.Context) error {
		n := counted(p.Every())
		if n["create events"] < 4 || n["create configmaps"] < configMaps {
			return fmt.Errorf("there are %d events and %d ConfigMaps", n["create events"], n["create configmaps"])
		}
		return nil
	})
	got := counted(p.Every())
	// A status that tells how a unit comes along is written once a second.
	seconds := int(time.Since(begun)/time.Second) + 1
	for name, most := range map[string]int{
		"patch units/status":    3 * (2 + seconds), // the acknowledged configuration, and Ready
		"patch unitsets/status": 2 + seconds,       // the revision, and Ready
		"create events":         6,                 // each pod, the Units, that they are not replicated
		"get configmaps":        2,                 // the shared one, if no watch has told of it
		"get secrets":           1,
	} {
		if got[name] > most {
			t.Errorf("%s: %d, want at most %d", name, got[name], most)
		}
		delete(got, name)
	}
	want := map[string]int{
		"patch unitsets":                1, // its finalizer
		"create controllerrevisions":    1,
		"create services":               1,
		"create poddisruptionbudgets":   1,
		"create configmaps":             configMaps,
		"create units":                  3,
		"create secrets":                3,
		"create persistentvolumeclaims": 3,
		"create pods":                   3,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}
