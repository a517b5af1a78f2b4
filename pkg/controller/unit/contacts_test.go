// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
)

// switchboard is contacts that run, and which units they woke.
type switchboard struct {
	*contacts
	t     *testing.T
	clock *testingclock.FakeClock
	woken chan cache.ObjectName
}

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	b := &switchboard{t: t, clock: testingclock.NewFakeClock(time.Now()), woken: make(chan cache.ObjectName, 10_000)}
	b.contacts = makeContacts(b.clock, func(key cache.ObjectName) { b.woken <- key })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	for {
		b.mu.Lock()
		running := b.running
		b.mu.Unlock()
		if running {
			return b
		}
		time.Sleep(time.Millisecond)
	}
}

// put a question whose agent answers with an error, or with a status that says id.
func (b *switchboard) put(key, agent, id string, ask func(context.Context) error) (answer, bool) {
	return b.contacts.put(b.t.Context(), cache.NewObjectName("ns", key), question{agent: agent, id: id, ask: func(ctx context.Context) (*agentclient.Status, error) {
		if err := ask(ctx); err != nil {
			return nil, err
		}
		return &agentclient.Status{Message: id}, nil
	}})
}

// wake waits until a unit is woken.
func (b *switchboard) wake(key string) {
	b.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case got := <-b.woken:
			if got.Name == key {
				return
			}
		case <-limit:
			b.t.Fatalf("%s was never woken", key)
		}
	}
}

func well(context.Context) error { return nil }

func unavailable(context.Context) error { return fake.Unavailable(agentclient.Target{}) }

// hanging until the call's time is over or the test has seen enough.
func hanging(until <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-until:
		}
		return unavailable(ctx)
	}
}

func TestContacts(t *testing.T) {
	t.Run("an answer is given to the next sync, once", func(t *testing.T) {
		b := newSwitchboard(t)
		if _, answered := b.put("a", "pod", "one", well); answered {
			t.Error("it was answered at once")
		}
		b.wake("a")
		a, answered := b.put("a", "pod", "one", well)
		if !answered || a.err != nil || a.status.Message != "one" {
			t.Errorf("answered %v: %+v", answered, a)
		}
		if _, answered := b.put("a", "pod", "one", well); answered {
			t.Error("it was answered a second time")
		}
	})
	t.Run("the answer to another question is none", func(t *testing.T) {
		b := newSwitchboard(t)
		b.put("a", "pod", "one", well)
		b.wake("a")
		if _, answered := b.put("a", "pod", "two", well); answered {
			t.Error("the answer to one was given to two")
		}
		b.wake("a")
		if a, answered := b.put("a", "pod", "two", well); !answered || a.status.Message != "two" {
			t.Errorf("answered %v: %+v", answered, a)
		}
	})
	t.Run("one call at a time for a unit", func(t *testing.T) {
		b := newSwitchboard(t)
		release, begun := make(chan struct{}), make(chan struct{})
		b.put("a", "pod", "one", func(ctx context.Context) error {
			close(begun)
			<-release
			return nil
		})
		<-begun
		if _, answered := b.put("a", "pod", "two", func(context.Context) error { t.Error("two was asked beside one"); return nil }); answered {
			t.Error("two was answered")
		}
		close(release)
		b.wake("a")
		b.put("a", "pod", "three", well)
		b.wake("a")
		if a, answered := b.put("a", "pod", "three", well); !answered || a.status.Message != "three" {
			t.Errorf("answered %v: %+v", answered, a)
		}
	})
	t.Run("an agent that is silent is left alone for a while and has answered with its error", func(t *testing.T) {
		b := newSwitchboard(t)
		b.put("a", "pod", "one", unavailable)
		b.wake("a")
		never := func(context.Context) error { t.Error("it was asked again too soon"); return nil }
		for range 3 {
			if a, answered := b.put("a", "pod", "one", never); !answered || a.err == nil {
				t.Errorf("answered %v: %+v", answered, a)
			}
		}
		b.clock.Step(agentRetry)
		// While it is asked again it is what it was.
		if a, answered := b.put("a", "pod", "one", well); !answered || a.err == nil {
			t.Errorf("answered %v: %+v", answered, a)
		}
		b.wake("a")
		if a, answered := b.put("a", "pod", "one", well); !answered || a.err != nil {
			t.Errorf("answered %v: %+v", answered, a)
		}
	})
	t.Run("another agent is not to blame", func(t *testing.T) {
		b := newSwitchboard(t)
		b.put("a", "pod", "one", unavailable)
		b.wake("a")
		if a, answered := b.put("a", "its successor", "one", well); answered {
			t.Errorf("it was answered: %+v", a)
		}
		b.wake("a")
		if a, answered := b.put("a", "its successor", "one", well); !answered || a.err != nil {
			t.Errorf("answered %v: %+v", answered, a)
		}
	})
	t.Run("an agent that refuses is not silent", func(t *testing.T) {
		b := newSwitchboard(t)
		b.put("a", "pod", "one", func(context.Context) error {
			return &agentclient.Error{Class: agentclient.Final, Err: context.Canceled}
		})
		b.wake("a")
		if a, answered := b.put("a", "pod", "one", well); !answered || !agentclient.IsFinal(a.err) {
			t.Errorf("answered %v: %+v", answered, a)
		}
		if _, answered := b.put("a", "pod", "two", well); answered {
			t.Error("it backs off")
		}
	})
	t.Run("a healthy unit does not wait for any number of silent ones", func(t *testing.T) {
		b := newSwitchboard(t)
		const silent = 500
		for i := range silent {
			b.put(fmt.Sprint("silent-", i), "pod", "one", unavailable)
		}
		for range silent {
			<-b.woken
		}
		b.clock.Step(backOff(1))
		until := make(chan struct{})
		defer close(until)
		for i := range silent {
			b.put(fmt.Sprint("silent-", i), "pod", "two", hanging(until))
		}
		begun := time.Now()
		b.put("a", "pod", "one", well)
		b.wake("a")
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("what was asked last comes before agents of which nothing is known", func(t *testing.T) {
		b := newSwitchboard(t)
		first, all := make(chan struct{}), make(chan struct{})
		defer close(all)
		var begun sync.WaitGroup
		begun.Add(newContacts)
		for i := range newContacts {
			b.put(fmt.Sprint("silent-", i), "pod", "one", func(ctx context.Context) error {
				begun.Done()
				if i == 0 {
					return hanging(first)(ctx)
				}
				return hanging(all)(ctx)
			})
		}
		begun.Wait()
		for i := range 100 {
			b.put(fmt.Sprint("later-", i), "pod", "one", hanging(all))
		}
		b.put("a", "pod", "one", well)
		close(first)
		b.wake("a")
	})
	t.Run("a unit that is gone is forgotten", func(t *testing.T) {
		b := newSwitchboard(t)
		b.put("a", "pod", "one", unavailable)
		b.wake("a")
		b.forget(cache.NewObjectName("ns", "a"))
		if a, answered := b.put("a", "pod", "one", well); answered {
			t.Errorf("it was answered: %+v", a)
		}
	})
}

func TestBackOff(t *testing.T) {
	want := []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 15 * time.Second, 15 * time.Second}
	for i, d := range want {
		if got := backOff(i + 1); got != d {
			t.Errorf("after %d failures %v, want %v", i+1, got, d)
		}
	}
	if got := backOff(1000); got != agentRest {
		t.Errorf("after many failures %v, want %v", got, agentRest)
	}
}

func TestAWorkerDoesNotWaitForAnAgent(t *testing.T) {
	w := newWorld(t, newUnit())
	w.settle()
	w.kubelet()
	release := make(chan struct{})
	w.agents.Fail(func(string, agentclient.Target) error {
		<-release
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.controller.contacts.run(ctx) })
	defer wg.Wait()
	defer cancel()
	for running := false; !running; time.Sleep(time.Millisecond) {
		w.controller.contacts.mu.Lock()
		running = w.controller.contacts.running
		w.controller.contacts.mu.Unlock()
	}
	for range 3 {
		// These would hang.
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if hash := w.unit().Status.ConfigSyncStatus.AppliedHash; hash != "" {
		t.Errorf("the status says that the agent has configuration %s", hash)
	}
	close(release)
	for start := time.Now(); w.unit().Status.ConfigSyncStatus.AppliedHash == ""; time.Sleep(time.Millisecond) {
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) > time.Minute {
			t.Fatal("the agent's answer never came into the status")
		}
	}
	if n := len(w.agents.Calls()); n != 1 {
		t.Errorf("the agent was called %d times, want once", n)
	}
}

// A goroutine that panics ends the process, and with it all that the operator keeps.
func TestAQuestionThatPanicsIsAFailureOfItsAgentAlone(t *testing.T) {
	b := newSwitchboard(t)
	b.put("a", "pod", "one", func(context.Context) error { panic("an answer that nobody expected") })
	b.wake("a")
	a, answered := b.put("a", "pod", "one", well)
	if !answered || a.err == nil || !strings.Contains(a.err.Error(), "an answer that nobody expected") {
		t.Errorf("answered %v: %+v", answered, a)
	}
	// Asked again after a rest, like any agent that failed.
	b.clock.Step(backOff(1))
	b.put("a", "pod", "one", well)
	b.wake("a")
	if a, answered := b.put("a", "pod", "one", well); !answered || a.err != nil {
		t.Errorf("answered %v: %+v", answered, a)
	}
}
