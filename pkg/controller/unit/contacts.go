// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

const (
	// newContacts and triedContacts are made at a time: those of agents that have not
	// failed, and those of agents that have. Each kind has places of its own, so that no
	// healthy unit waits for a sick one.
	newContacts   = 32
	triedContacts = 16
	// triedTimeout of a call to an agent that has failed: one that answers at all does
	// so sooner, as a rule. Each tryAtLength-th try gets the time of a first one.
	triedTimeout = 2 * time.Second
	tryAtLength  = 4
)

// answer of an agent.
type answer struct {
	status *agentclient.Status
	err    error
}

// question to an agent. Two with the same id are the same one.
type question struct {
	// agent it is for: a pod, and since when its agent runs. Another one is not to blame
	// for what this one did.
	agent, id string
	ask       func(context.Context) (*agentclient.Status, error)
}

// contact is what is under way with the agent of one unit.
type contact struct {
	question
	// queued, running or neither; answered until the answer was taken.
	queued, running, answered bool
	answer                    answer
	// failures in a row of this agent, and when it may be asked again.
	failures  int
	notBefore time.Time
	// last error of this agent: what is said while it is not asked again.
	last error
}

// contacts are the calls to agents, one at a time for each unit. The workers of the
// controller do not make them: an agent that does not answer would keep one of them from
// units that are well. What a worker asks is answered to it in a later sync.
//
// Before run has begun a question is asked at once by whoever has it.
type contacts struct {
	clock clock.PassiveClock
	// wake a unit whose agent has answered.
	wake func(cache.ObjectName)

	mu      sync.Mutex
	changed *sync.Cond
	units   map[cache.ObjectName]*contact
	// fresh is a stack: what was asked last may be for a unit that is just being made,
	// while the others have waited for some time already. tried is a queue.
	fresh, tried  []cache.ObjectName
	running, ends bool
}

func makeContacts(c clock.PassiveClock, wake func(cache.ObjectName)) *contacts {
	cs := &contacts{clock: c, wake: wake, units: map[cache.ObjectName]*contact{}}
	cs.changed = sync.NewCond(&cs.mu)
	return cs
}

// run makes calls until ctx ends.
func (cs *contacts) run(ctx context.Context) {
	cs.mu.Lock()
	cs.running = true
	cs.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.ends = true
		cs.changed.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range newContacts {
		wg.Go(func() { cs.work(ctx, cs.nextFresh) })
	}
	for range triedContacts {
		wg.Go(func() { cs.work(ctx, cs.nextTried) })
	}
	wg.Wait()
}

// put the question to the agent of a unit, unless that is under way. answered is false
// until the answer is there; an agent that backs off has answered with its last error.
func (cs *contacts) put(ctx context.Context, key cache.ObjectName, q question) (a answer, answered bool) {
	cs.mu.Lock()
	if !cs.running {
		cs.mu.Unlock()
		a.status, a.err = q.ask(ctx)
		return a, true
	}
	defer cs.mu.Unlock()
	c := cs.units[key]
	if c == nil || c.agent != q.agent && !c.running {
		c = &contact{}
		cs.units[key] = c
	}
	same := c.id == q.id && c.agent == q.agent
	switch {
	case c.answered && same:
		a, c.answered, c.answer = c.answer, false, answer{}
		if c.failures == 0 {
			delete(cs.units, key) // nothing is left to remember
		}
		return a, true
	case c.running:
		// What comes of it wakes the unit, which asks again then.
	case c.queued:
		c.question = q
	case c.failures > 0 && cs.clock.Now().Before(c.notBefore):
		return answer{err: c.last}, true
	default:
		c.question, c.queued, c.answered = q, true, false
		if c.failures > 0 {
			cs.tried = append(cs.tried, key)
		} else {
			cs.fresh = append(cs.fresh, key)
		}
		cs.changed.Broadcast()
	}
	if c.last != nil && c.agent == q.agent {
		return answer{err: c.last}, true
	}
	return answer{}, false
}

// forget a unit that is gone.
func (cs *contacts) forget(key cache.ObjectName) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.units, key)
}

func (cs *contacts) nextFresh() (key cache.ObjectName, ok bool) {
	if n := len(cs.fresh); n > 0 {
		key, cs.fresh = cs.fresh[n-1], cs.fresh[:n-1]
		return key, true
	}
	return key, false
}

func (cs *contacts) nextTried() (key cache.ObjectName, ok bool) {
	if len(cs.tried) > 0 {
		key, cs.tried = cs.tried[0], cs.tried[1:]
		return key, true
	}
	return key, false
}

// work makes the calls that next names, one after the other.
func (cs *contacts) work(ctx context.Context, next func() (cache.ObjectName, bool)) {
	for {
		cs.mu.Lock()
		key, ok := next()
		for !ok && !cs.ends {
			cs.changed.Wait()
			key, ok = next()
		}
		if cs.ends {
			cs.mu.Unlock()
			return
		}
		c := cs.units[key]
		if c == nil || !c.queued {
			cs.mu.Unlock()
			continue // forgotten
		}
		c.queued, c.running = false, true
		q, timeout := c.question, agentclient.CallTimeout
		if c.failures%tryAtLength != 0 {
			timeout = triedTimeout
		}
		cs.mu.Unlock()
		cs.call(ctx, key, c, q, timeout)
	}
}

// call and keep the answer for the sync that it wakes.
func (cs *contacts) call(ctx context.Context, key cache.ObjectName, c *contact, q question, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := q.put(ctx)
	cs.mu.Lock()
	c.running, c.answered, c.answer = false, true, a
	c.ask = nil // it holds what was handed over
	if silent(a.err) {
		c.failures++
		c.notBefore, c.last = cs.clock.Now().Add(backOff(c.failures)), a.err
	} else {
		c.failures, c.notBefore, c.last = 0, time.Time{}, nil
	}
	cs.mu.Unlock()
	cs.wake(key)
}

// put the question. A panic is an answer, that of an agent which failed: here it would end
// the process, and the unit would never be asked again.
func (q *question) put(ctx context.Context) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic: %v", r)}
			utilruntime.HandleErrorWithContext(ctx, a.err, "A question to an agent panicked", "agent", q.agent, "stack", string(debug.Stack()))
		}
	}()
	a.status, a.err = q.ask(ctx)
	return a
}

// silent says whether the agent did not answer at all. One that refuses is well.
func silent(err error) bool {
	return err != nil && !agentclient.IsFinal(err) && !agentclient.IsStaleFence(err) && !agentclient.IsBusy(err)
}

// backOff of an agent that has failed so many times in a row.
func backOff(failures int) time.Duration {
	return min(agentRest, agentRetry<<(min(failures, 8)-1))
}
