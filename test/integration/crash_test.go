// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
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
				if !diedOrRests(t, p, dead) {
					// This run needed fewer writes (they coalesce): nothing to kill at.
					t.Logf("write %d did not happen in this run", k)
					op.kill()
				}
				p.Hook(nil, nil)
				startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
				e.settled(t, ns, units)
				eventually(t, "the objects of a creation without a crash", func(context.Context) error {
					if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
						return fmt.Errorf("after a crash at write %d (%v) the objects differ (-want +got):\n%s", k, writes[k-1], d)
					}
					return nil
				})
			})
		}
	}
}

// quietTime is longer than the first statuses of what is new wait for the next ones.
const quietTime = 8 * time.Second

// atRest waits until the operator behind the proxy has written nothing for a while: one that
// got no processor for a moment looks settled, and is not.
func atRest(t *testing.T, p *apiproxy.Proxy) { t.Helper(); diedOrRests(t, p, nil) }

// diedOrRests is atRest, or returns true as soon as the operator is dead.
func diedOrRests(t *testing.T, p *apiproxy.Proxy, dead <-chan struct{}) (died bool) {
	t.Helper()
	writes, since := 0, time.Now()
	eventually(t, "the operator to be at rest", func(context.Context) error {
		select {
		case <-dead:
			died = true
			return nil
		default:
		}
		if now := len(p.Seen()); now != writes || now == 0 {
			writes, since = now, time.Now()
		}
		if time.Since(since) < quietTime {
			return errors.New("it writes")
		}
		return nil
	})
	return died
}

func TestCreationUnderLaggingInformersMakesNothingTwice(t *testing.T) {
	t.Parallel()
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
	// An operator that hears of its writes late is quiet before it comes to its end.
	eventually(t, "the objects of a creation without lag", func(context.Context) error {
		if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
			return fmt.Errorf("under lagging informers the objects differ (-want +got):\n%s", d)
		}
		return nil
	})
	atRest(t, p)
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
