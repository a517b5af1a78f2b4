// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const ns = "upm-system"

func newElection(client *fake.Clientset) *election {
	return &election{options: NewOptions(), client: client, ready: newReadiness(), watchdog: leaderelection.NewLeaderHealthzAdaptor(watchdogGrace), order: newCallOrder(time.Now())}
}

// term under which work is done, one after the other on one Lease.
func TestTheTermRisesWithEachLeaderAndNeverFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		lead := func(work func()) (term int64) {
			e := newElection(client)
			if err := e.run(t.Context(), func(context.Context) error {
				term, _ = e.order.next()
				if work != nil {
					work()
				}
				again, _ := e.order.next()
				if again != term {
					t.Errorf("term %d becomes %d", term, again)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			return term
		}
		stored := func() int64 {
			lease, err := client.CoordinationV1().Leases(ns).Get(t.Context(), leaseName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return int64(*lease.Spec.LeaseTransitions)
		}
		first := lead(func() { time.Sleep(20 * time.Second) }) // renewed a few times
		if first == 0 || stored() != first {
			t.Errorf("the first term is %d, stored is %d", first, stored())
		}
		second := lead(nil)
		if second <= first {
			t.Errorf("the second term is %d, the first was %d", second, first)
		}
		time.Sleep(5 * time.Minute)
		if err := client.CoordinationV1().Leases(ns).Delete(t.Context(), leaseName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		third := lead(func() { time.Sleep(20 * time.Second) })
		if third <= second || stored() != third {
			t.Errorf("the term after the Lease was deleted is %d, stored is %d, the one before was %d", third, stored(), second)
		}
	})
}

// A Lease was deleted, the operator was rolled back, a clock was set back: agents know a
// higher term than that of the leader.
func TestALeaderThatIsRefusedRenewsItsLeaseAndRaisesTheTermAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		e := newElection(client)
		if err := e.run(t.Context(), func(context.Context) error {
			first, seq := e.order.next()
			high := first + 1_000_000
			e.order.overtaken(agentclient.Order{Term: high, Seq: 7})
			if term, _ := e.order.next(); term != first {
				t.Errorf("term %d was raised to %d before the lease was renewed", first, term)
			}
			time.Sleep(2 * e.options.RetryPeriod)
			raised, _ := e.order.next()
			if raised <= high {
				t.Errorf("term %d is not above %d", raised, high)
			}
			lease, err := client.CoordinationV1().Leases(ns).Get(t.Context(), leaseName, metav1.GetOptions{})
			if err != nil || int64(*lease.Spec.LeaseTransitions) != raised {
				t.Errorf("the Lease says %v, %v; the term is %d", lease, err, raised)
			}
			// What this process did itself, and what it has left behind, raises nothing.
			e.order.overtaken(agentclient.Order{Term: first, Seq: seq + 1})
			e.order.overtaken(agentclient.Order{Term: raised, Seq: seq})
			time.Sleep(2 * e.options.RetryPeriod)
			if term, _ := e.order.next(); term != raised {
				t.Errorf("term %d became %d", raised, term)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestALeaderThatWasReplacedDoesNotRaiseTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		e := newElection(client)
		err := e.run(t.Context(), func(ctx context.Context) error {
			first, _ := e.order.next()
			leases := client.CoordinationV1().Leases(ns)
			lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			now := metav1.NowMicro()
			lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.AcquireTime = new("another"), &now, &now
			lease.Spec.LeaseTransitions = new(*lease.Spec.LeaseTransitions + 1)
			// Updates of an older object conflict, as at a real API server.
			client.PrependReactor("update", "leases", func(a clienttesting.Action) (bool, runtime.Object, error) {
				update, ok := a.(clienttesting.UpdateAction).GetObject().(*coordinationv1.Lease)
				if ok && *update.Spec.HolderIdentity == "another" {
					return false, nil, nil
				}
				return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), leaseName, errors.New("it was changed"))
			})
			if _, err := leases.Update(ctx, lease, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			e.order.overtaken(agentclient.Order{Term: first + 1, Seq: 1})
			<-ctx.Done()
			if term, _ := e.order.next(); term != first {
				t.Errorf("term %d became %d without a lease", first, term)
			}
			return nil
		})
		if !errors.Is(err, errLeaseLost) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
	})
}

func TestAnOperatorWithoutALeaseRaisesItsTermAtOnce(t *testing.T) {
	o := newCallOrder(time.Now())
	o.leaseless = true
	o.term.Store(5)
	o.overtaken(agentclient.Order{Term: 9, Seq: 1})
	o.overtaken(agentclient.Order{Term: 7, Seq: 1})
	if term, _ := o.next(); term != 10 {
		t.Errorf("term %d, want 10", term)
	}
	// A process of the same term whose clock was ahead.
	_, seq := o.next()
	o.overtaken(agentclient.Order{Term: 10, Seq: seq + 1_000})
	if term, _ := o.next(); term != 11 {
		t.Errorf("term %d, want 11", term)
	}
}

func TestCallsAreInOrderFromOneProcessToTheNext(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := newCallOrder(now)
	_, a := o.next()
	_, b := o.next()
	_, c := newCallOrder(now.Add(time.Second)).next()
	if a >= b || b >= c {
		t.Errorf("%d, %d, %d", a, b, c)
	}
}

func holder(t *testing.T, client *fake.Clientset) string {
	t.Helper()
	lease, err := client.CoordinationV1().Leases(ns).Get(context.Background(), leaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func TestTheLeaseIsHeldUntilWorkHasEndedAndReleasedThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() {
			result <- newElection(client).run(ctx, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(40 * time.Second) // more than a lease's duration
				if holder(t, client) == "" {
					t.Error("the lease was released while work was under way")
				}
				return nil
			})
		}()
		time.Sleep(5 * time.Second)
		if holder(t, client) == "" {
			t.Fatal("the lease is not held")
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if h := holder(t, client); h != "" {
			t.Errorf("the lease is still held by %s", h)
		}
	})
}

func TestWorkThatIsStuckKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		err := newElection(client).run(t.Context(), func(context.Context) error { return errStuck })
		if !errors.Is(err, errStuck) || holder(t, client) == "" {
			t.Errorf("error %v, holder %q", err, holder(t, client))
		}
		// Nobody renews it for a process that is about to end.
		before := client.Actions()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, action := range client.Actions()[len(before):] {
			if action.GetVerb() == "update" {
				t.Fatalf("the lease was written again: %v", action)
			}
		}
	})
}

func TestAFailureOfWorkReleasesTheLeaseAndIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		boom := errors.New("boom")
		if err := newElection(client).run(t.Context(), func(context.Context) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("error %v", err)
		}
		if h := holder(t, client); h != "" {
			t.Errorf("the lease is still held by %s", h)
		}
	})
}

func TestALostLeaseEndsTheProcessWithAFailureAndWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var away atomic.Bool
		client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return away.Load(), nil, errors.New("the API server is away")
		})
		release := make(chan struct{})
		defer close(release)
		cancelled := false
		result := make(chan error, 1)
		e := newElection(client)
		go func() {
			result <- e.run(t.Context(), func(ctx context.Context) error {
				<-ctx.Done()
				cancelled = true
				<-release
				return nil
			})
		}()
		time.Sleep(5 * time.Second)
		e.ready.set(true, "ok")
		away.Store(true)
		start := time.Now()
		err := <-result
		if !errors.Is(err, errLeaseLost) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took > e.options.LeaseDuration {
			t.Errorf("noticed after %v, when another one may lead already", took)
		}
		if ready, what := e.ready.get(); !ready || what != "ok" {
			t.Errorf("a renewal that failed changed readiness to %v %q", ready, what)
		}
		synctest.Wait()
		if !cancelled {
			t.Error("work was not told")
		}
	})
}

func TestWhoStandsByIsReadyAndTakesOverWhenTheLeaderIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, duration := "other_1", int32(15)
		now := metav1.NewMicroTime(time.Now())
		client := fake.NewClientset(&coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: leaseName},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &other, LeaseDurationSeconds: &duration, AcquireTime: &now, RenewTime: &now},
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		e := newElection(client)
		var working atomic.Bool
		result := make(chan error, 1)
		go func() {
			result <- e.run(ctx, func(ctx context.Context) error {
				working.Store(true)
				<-ctx.Done()
				return nil
			})
		}()
		time.Sleep(10 * time.Second)
		if ready, what := e.ready.get(); !ready || what != "standing by: other_1 leads" || working.Load() {
			t.Errorf("ready %v, %q, working %v", ready, what, working.Load())
		}
		time.Sleep(15 * time.Second) // the other one renews no more
		if !working.Load() {
			t.Error("did not take over")
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestStandingByEndsAtOnceWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("create", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewNotFound(coordinationv1.Resource("namespaces"), ns)
		})
		ctx, cancel := context.WithCancel(t.Context())
		e := newElection(client)
		result := make(chan error, 1)
		go func() {
			result <- e.run(ctx, func(context.Context) error { t.Error("worked without a lease"); return nil })
		}()
		time.Sleep(3 * time.Second)
		if ready, what := e.ready.get(); ready || !strings.Contains(what, "kubectl create namespace upm-system") {
			t.Errorf("ready %v, %q", ready, what)
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

// leaseTransitions is an int32 that all agents' calls depend on.
func TestAnAgentThatClaimsAnImpossibleTermRaisesNothing(t *testing.T) {
	o := newCallOrder(time.Now())
	o.leaseless = true
	o.term.Store(leastTerm(time.Now()))
	before, _ := o.next()
	for _, claimed := range []int64{math.MaxInt32 - 1, math.MaxInt32, math.MaxInt64} {
		o.overtaken(agentclient.Order{Term: claimed, Seq: 1})
	}
	if term, _ := o.next(); term != before || o.least(time.Now()) != before {
		t.Errorf("term %d became %d, at least %d", before, term, o.least(time.Now()))
	}
}
