// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// Pass is what an operator does again and again: it observes, decides and acts. It
// calls nothing but what it was given.
type Pass func(ctx context.Context) error

// Operator makes the pass of an operator's process, which remembers what it likes and
// forgets it when it dies.
type Operator func(o *Seat) Pass

// fate of one call.
type fate int

const (
	fateOK fate = iota
	// fateLost: the request never comes.
	fateLost
	// fateUnanswered: it has its effect, the caller does not hear of it.
	fateUnanswered
	// fateDelayed: the caller has given up when the request comes.
	fateDelayed
	// fateDoubled: the request comes twice, the second time later.
	fateDoubled
	// fateAgentDies: the agent records it and dies.
	fateAgentDies
)

var fates = []string{"ok", "lost", "unanswered", "delayed", "doubled", "agent-dies"}

// callTime is what a call takes, callTimeout how long a caller waits for an answer.
const (
	callTime    = 5 * time.Millisecond
	callTimeout = 2 * time.Second
)

var errLost = errors.New("no answer")

// Seat is an operator's place in the world: what it calls, and its clock.
type Seat struct {
	w     *World
	index int
	term  int64
	seq   int64
	fate  fate
	yield func(struct{}) bool
	// calls counts those of this process.
	calls int
}

// operator is a process of one.
type operator struct {
	seat *Seat
	next func() (struct{}, bool)
	stop func()
}

// errDead ends the coroutine of an operator that died.
var errDead = errors.New("the operator has died")

// startOperator is a new process: it has the Lease, so its term is higher than any
// before.
func (w *World) startOperator(index int, make Operator) {
	w.stopOperator(index)
	w.term++
	seat := &Seat{w: w, index: index, term: w.term}
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(errDead) {
				// Across the coroutine's border its stack would be lost.
				panic(fmt.Sprintf("%v\n%s", r, debug.Stack()))
			}
		}()
		seat.yield = yield
		pass := make(seat)
		for {
			if err := pass(context.Background()); err != nil {
				w.trace("operator %d: %v", index, err)
			}
			seat.pause()
		}
	})
	w.operators[index] = &operator{seat, next, stop}
}

func (w *World) stopOperator(index int) {
	if o := w.operators[index]; o != nil {
		o.stop()
		w.operators[index] = nil
	}
}

// step lets the operator go on to its next call, whose fate is given, and through it.
func (o *operator) step(f fate) {
	o.seat.fate = f
	o.next()
}

// pause is where others act, and where an operator may die.
func (s *Seat) pause() {
	if !s.yield(struct{}{}) {
		panic(errDead)
	}
}

// Now is the world's time.
func (s *Seat) Now() time.Time { return s.w.now }

// Sleep lets others act for a while.
func (s *Seat) Sleep(_ context.Context, d time.Duration) error {
	s.pause()
	s.w.now = s.w.now.Add(d)
	return nil
}

// call is one call of an agent.
func (s *Seat) call(name string, t agentclient.Target, f func(p *pod, crash bool) error) error {
	s.pause()
	s.calls++
	w, fate := s.w, s.fate
	s.fate = fateOK
	p := w.podOf(t)
	node := operatorNode + s.index
	if fate == fateLost || p == nil || !p.alive || w.cut[node][p.m.index] {
		w.now = w.now.Add(callTimeout)
		w.trace("operator %d: %s of %s: no answer", s.index, name, t.Unit)
		return &agentclient.Error{Class: agentclient.Unavailable, Target: t, Err: errLost}
	}
	w.now = w.now.Add(callTime)
	later := func() {
		if p.alive {
			w.trace("the delayed %s comes to %s", name, p.m.name)
			if err := f(p, false); err != nil {
				w.trace("%v", err)
			}
		}
	}
	switch fate {
	case fateDelayed:
		w.delayed = append(w.delayed, later)
		w.trace("operator %d: %s of %s is delayed", s.index, name, t.Unit)
		w.now = w.now.Add(callTimeout)
		return &agentclient.Error{Class: agentclient.Unavailable, Target: t, Err: errLost}
	case fateDoubled:
		w.delayed = append(w.delayed, later)
	}
	err := f(p, fate == fateAgentDies)
	switch {
	case !w.traced:
	case err != nil:
		w.trace("operator %d: %s of %s: %v", s.index, name, t.Unit, err)
	case name != "Observe":
		w.trace("operator %d: %s of %s (%s)", s.index, name, t.Unit, fates[fate])
	}
	if fate == fateUnanswered {
		w.now = w.now.Add(callTimeout)
		return &agentclient.Error{Class: agentclient.Unavailable, Target: t, Err: errLost}
	}
	return err
}

func (w *World) podOf(t agentclient.Target) *pod {
	for _, m := range w.members {
		if m.pod.uid == t.PodUID {
			return m.pod
		}
		for _, p := range m.former {
			if p.uid == t.PodUID {
				return p
			}
		}
	}
	return nil
}
