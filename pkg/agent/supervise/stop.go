// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	// maxPodEnd bounds a stop that ends the pod: with the preStop hook's minute it fits
	// the grace period of 600 seconds, at whose end the kubelet kills without a plan.
	maxPodEnd = 530 * time.Second
	// planTimeout is how long an engine may ask its server for the plan of a stop, and
	// fencePlanTimeout if it is a fence.
	planTimeout      = 10 * time.Second
	fencePlanTimeout = 2 * time.Second
	// learnPatience is how long the end of a server waits for what was to be learned
	// from it: a write to the data volume must not come after it.
	learnPatience = 5 * time.Second
)

// reasonOf is why holds stop a server: a fence, whatever else there is.
func reasonOf(d *state.Desired) engine.StopReason {
	if d != nil && slices.Contains(d.Holds, state.HoldFence) {
		return engine.StopFence
	}
	return engine.StopPodEnd
}

// stop stops the server by the engine's plan for the reason and returns its status;
// killed is true if it took SIGKILL. It takes as long as it takes, whatever ctx says. A
// fence that comes meanwhile is followed at once.
func (s *supervisor) stop(ctx context.Context, p *process, reason engine.StopReason, why string) (status int, killed bool) {
	ctx = context.WithoutCancel(ctx)
	if s.fenced(reason) {
		reason = engine.StopFence
	}
	s.record.set(ctx, state.StateStopping, why)
	for {
		status, outcome := s.tryStop(ctx, p, reason, why)
		switch outcome {
		case stopFenced:
			reason, why = engine.StopFence, "held by "+state.HoldFence
			s.record.set(ctx, state.StateStopping, why)
			continue
		case stopExited:
			s.sweep(ctx)
			return status, false
		}
		klog.FromContext(ctx).Info("Killing the server", "why", why, "reason", reason)
		killDescendants()
		s.proof.ended(ctx, state.StopKilled)
		return <-p.exited, true
	}
}

// stopOutcome is what one plan has come to.
type stopOutcome int

const (
	stopExhausted stopOutcome = iota
	stopExited
	stopFenced
)

// tryStop goes through the plan for one reason.
func (s *supervisor) tryStop(ctx context.Context, p *process, reason engine.StopReason, why string) (int, stopOutcome) {
	end := time.Now().Add(maxPodEnd)
	plans := s.plan(ctx, p, reason)
	var plan []engine.StopStep
	for waiting := true; waiting; {
		select {
		case plan = <-plans:
			waiting = false
		case status := <-p.exited:
			return status, stopExited
		case <-s.changed:
			if s.fenced(reason) {
				return 0, stopFenced
			}
		}
	}
	for _, step := range plan {
		wait := step.Wait
		if reason == engine.StopPodEnd {
			wait = min(wait, max(time.Until(end), 0))
		}
		klog.FromContext(ctx).Info("Stopping the server", "signal", step.Signal, "wait", wait, "why", why)
		// An error means that it has just exited.
		_ = p.cmd.Process.Signal(step.Signal)
		timer := time.NewTimer(wait)
		for waiting := true; waiting; {
			select {
			case status := <-p.exited:
				timer.Stop()
				return status, stopExited
			case <-s.changed:
				if s.fenced(reason) {
					timer.Stop()
					return 0, stopFenced
				}
			case <-timer.C:
				waiting = false
			}
		}
	}
	select {
	case status := <-p.exited:
		return status, stopExited
	default:
		return 0, stopExhausted
	}
}

// plan asks the engine, which may ask a server that hangs: no answer in time is an empty
// plan.
func (s *supervisor) plan(ctx context.Context, p *process, reason engine.StopReason) <-chan []engine.StopStep {
	timeout := planTimeout
	if reason == engine.StopFence {
		timeout = fencePlanTimeout
	}
	start := p.start
	if d, err := s.store.Desired(); err != nil || d != nil && d.PodUID == s.Env.PodUID && (d.OwnerUID != "" || d.EffectiveRecord().Role != "") {
		// It may have been adopted since it was started.
		start.Managed = true
	}
	answer, out := make(chan []engine.StopStep, 1), make(chan []engine.StopStep, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", r), "The plan of a stop has panicked")
				answer <- nil
			}
		}()
		planContext, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		answer <- s.Engine.StopPlan(planContext, reason, start)
	}()
	go func() {
		timer := time.NewTimer(timeout + timeout/10)
		defer timer.Stop()
		select {
		case plan := <-answer:
			out <- plan
		case <-timer.C:
			klog.FromContext(ctx).Info("The engine has no plan for the stop in time", "reason", reason)
			out <- nil
		}
	}()
	return out
}

// fenced says whether a fence is there that the stop under way does not follow yet.
func (s *supervisor) fenced(reason engine.StopReason) bool {
	if reason == engine.StopFence {
		return false
	}
	d, err := s.store.Desired()
	return err == nil && d != nil && d.PodUID == s.Env.PodUID && reasonOf(d) == engine.StopFence
}

// sweep ends what a server that has exited has left behind, and says that it is down.
func (s *supervisor) sweep(ctx context.Context) {
	how := state.StopExited
	if n := killDescendants(); n > 0 {
		klog.FromContext(ctx).Info("The server has left processes behind, they are killed", "processes", n)
		how = state.StopKilled
	}
	s.proof.ended(ctx, how)
}

// restart stops the server to start it again in place: in another role, and after
// SIGKILL too, once nothing of it lives. The container's end would cost a back-off.
func (s *supervisor) restart(ctx context.Context, p *process, reason engine.StopReason) next {
	if reason == "" {
		reason = engine.StopRestart
	}
	status, killed := s.stop(ctx, p, reason, "it is started again in the role that was recorded")
	p.learned()
	if killed && !waitGone(learnPatience) {
		s.record.setServer(ctx, state.StateFailed, "the server had to be killed and is not gone, the container ends", nil)
		return end(status)
	}
	s.record.setServer(ctx, state.StateStopping, "stopped", nil)
	return again
}
