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
	took := time.Since(begun)
	eventually(t, "the event", func(context.Context) error {
		if n := counted(p.Every()); n["create events"] < 1 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	got := counted(p.Every())
	all := 0
	for name, n := range got {
		t.Logf("%-32s %d", name, n)
		all += n
	}
	t.Logf("%d calls, %.1f a unit, in %v", all, float64(all)/3, took.Round(time.Millisecond))
	// A status that tells how a unit comes along is written every five seconds.
	late := int(took / (5 * time.Second))
	if most := 3*9 + 4*late; all > most {
		t.Errorf("%d calls, want at most 9 a unit and what tells people who wait: %d", all, most)
	}
	for name, most := range map[string]int{
		"patch units/status":    3 * (1 + late), // Ready
		"patch unitsets/status": 1 + late,       // Ready
		"get configmaps":        1,              // the shared one
		"get secrets":           1,              // whether the users' is there
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
		"create configmaps":             1 + 3, // the templates, and of each Unit its values
		"create events":                 1,     // the Units were created
		"create units":                  3,
		"create secrets":                3,
		"create persistentvolumeclaims": 3,
		"create pods":                   3,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}

	// What comes later is one call for each Unit: what it was Ready with is kept.
	p.Reset()
	eventually(t, "what is kept of units that are Ready", func(context.Context) error {
		if n := counted(p.Every()); n["create configmaps"] < 3 {
			return fmt.Errorf("there are %d ConfigMaps", n["create configmaps"])
		}
		return nil
	})
	if d := cmp.Diff(map[string]int{"create configmaps": 3}, counted(p.Every())); d != "" {
		t.Errorf("calls after they were Ready (-want +got):\n%s", d)
	}
}
