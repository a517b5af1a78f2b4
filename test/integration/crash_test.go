// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"regexp"
	"testing"
	"time"

	"github.com/upmio/unit-operator/test/apiproxy"
)

var uidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// A first run counts the writes of a creation and what it ends in. Then the
// operator is killed at each of them, once just before the API server hears of the
// write and once after it was carried out but before the operator knows, and
// started again.
func TestOperatorKilledAtAnyWriteOfACreationEndsInTheSameObjects(t *testing.T) {
	e := require(t)
	const units = 2
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "crash-reference")
	op := startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	p.Reset()
	e.create(t, mysqlGroup(ns, "orders", units))
	e.settled(t, ns, units)
	want, writes := e.snapshot(t, ns), p.Seen()
	op.stop(t)
	if len(writes) < 10 {
		t.Fatalf("only %d writes seen: %v", len(writes), writes)
	}
	t.Logf("%d writes make %d objects: %v", len(writes), len(want), keys(want))

	for k := 1; k <= len(writes); k++ {
		for _, after := range []bool{false, true} {
			name := "before"
			if after {
				name = "after"
			}
			t.Run(name+"/"+writes[k-1].Verb+"/"+writes[k-1].Resource+"/"+writes[k-1].Name, func(t *testing.T) {
				t.Parallel()
				p := newProxy(t, e.config, e.token)
				ns := e.namespace(t, "crash")
				op := startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
				dead := make(chan struct{})
				p.Reset()
				strike := func(n int, _ apiproxy.Call, _ []byte) bool {
					if n < k {
						return true
					}
					if n == k {
						op.kill()
						close(dead)
					}
					return false
				}
				if after {
					p.Hook(nil, strike)
				} else {
					p.Hook(strike, nil)
				}
				e.create(t, mysqlGroup(ns, "orders", units))
				select {
				case <-dead:
				case <-time.After(30 * time.Second):
					// This run needed fewer writes (they coalesce): nothing to kill at.
					t.Logf("write %d did not happen in this run", k)
				}
				p.Hook(nil, nil)
				startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
				e.settled(t, ns, units)
				if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
					t.Errorf("after a crash at write %d (%v) the objects differ (-want +got):\n%s", k, writes[k-1], d)
				}
			})
		}
	}
}

func TestCreationUnderLaggingInformersMakesNothingTwice(t *testing.T) {
	e := require(t)
	const units = 3
	p := newProxy(t, e.config, e.token)
	reference := e.namespace(t, "lag-reference")
	op := startOperator(t, operatorOptions{host: p.URL(), namespace: reference})
	e.create(t, mysqlGroup(reference, "orders", units))
	e.settled(t, reference, units)
	want := e.snapshot(t, reference)
	op.stop(t)

	ns := e.namespace(t, "lag")
	p.DelayWatches(1500 * time.Millisecond)
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	p.Reset()
	e.create(t, mysqlGroup(ns, "orders", units))
	e.settled(t, ns, units)
	if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
		t.Errorf("under lagging informers the objects differ (-want +got):\n%s", d)
	}
	created := map[apiproxy.Call]int{}
	for _, c := range p.Seen() {
		if c.Verb == "create" && c.Namespace == ns {
			created[c]++
		}
	}
	// A create names its object in the body, so count per kind.
	count := map[string]int{}
	for c, n := range created {
		count[c.Resource] += n
	}
	for kind, n := range map[string]int{"units": units, "pods": units, "persistentvolumeclaims": units} {
		if count[kind] != n {
			t.Errorf("%d creates of %s, want %d: a plan was made on a stale cache", count[kind], kind, n)
		}
	}
}
