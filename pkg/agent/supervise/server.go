// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/gate"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	// readyInterval is how often a started server is asked whether it answers:
	// servers notify nobody.
	readyInterval = 200 * time.Millisecond
	// maxRestarts within restartWindow that a server may ask for; one that asks
	// for more is broken, and the kubelet's back-off takes over.
	maxRestarts   = 5
	restartWindow = time.Minute
)

// process is a started server.
type process struct {
	cmd *exec.Cmd
	// exited gets the exit status, 128+n for signal n.
	exited chan int
}

// serverLife is one life of the server: from preparation to its end.
func (s *supervisor) serverLife(ctx context.Context, changed <-chan struct{}, desired *state.Desired, decision gate.Decision) next {
	start, err := s.start(desired)
	if err != nil {
		return s.retryOrFail(ctx, desired, err)
	}
	if err := s.recordIdentity(ctx, decision.Identity); err != nil {
		return s.fail(ctx, err)
	}
	p, err := s.startServer(ctx, start)
	if err != nil {
		return s.fail(ctx, fmt.Errorf("starting the server: %w", err))
	}
	s.record.setServer(ctx, state.StateStarting, "started, does not answer yet", p.cmd.Process.Pid, start.ConfigHash)

	answerContext, stopAsking := context.WithCancel(ctx)
	defer stopAsking()
	answers := s.waitForAnswer(answerContext)
	for {
		select {
		case status := <-p.exited:
			return s.serverDied(ctx, p, status)
		case <-ctx.Done():
			stopAsking()
			status, _ := s.stop(ctx, p, "the pod ends")
			s.record.setServer(ctx, state.StateStopping, "stopped, the pod ends", 0, "")
			return end(status)
		case <-changed:
			d, err := s.store.Desired()
			if err != nil {
				klog.FromContext(ctx).Error(err, "What is desired cannot be read, the server goes on")
				continue
			}
			may := gate.MayRun(s.Env.PodUID, s.Env.UID, d)
			if may.Action == gate.Start || ctx.Err() != nil {
				continue
			}
			stopAsking()
			status, killed := s.stop(ctx, p, may.Reason)
			if killed {
				s.record.setServer(ctx, state.StateFailed, "the server had to be killed, the container ends", 0, "")
				return end(status)
			}
			s.record.setServer(ctx, state.StateStopping, "stopped", 0, "")
			return again
		case <-answers:
			answers = nil
			s.record.set(ctx, state.StateRunning, "")
			s.learnSystemID(ctx)
		case sig := <-s.Signals:
			klog.FromContext(ctx).Info("Forwarding a signal to the server", "signal", sig)
			_ = p.cmd.Process.Signal(sig)
		}
	}
}

// startServer prepares and starts the server.
func (s *supervisor) startServer(ctx context.Context, start engine.Start) (*process, error) {
	var p *process
	var err error
	s.reaper.pause(func() {
		if err = s.Engine.Prepare(ctx, start); err != nil {
			err = fmt.Errorf("preparing: %w", err)
			return
		}
		var command engine.Command
		if command, err = s.Engine.Command(ctx, start); err != nil {
			return
		}
		p, err = s.spawn(ctx, command)
	})
	return p, err
}

// spawn starts a process that survives ctx: stopping it is serverLife's matter.
func (s *supervisor) spawn(ctx context.Context, command engine.Command) (*process, error) {
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Env = command.Env
	cmd.Dir = command.Dir
	if _, ok := s.Engine.RestartExitStatus(); ok {
		cmd.Env = append(slices.Clone(cmd.Env), "MYSQLD_PARENT_PID="+strconv.Itoa(os.Getpid()))
	}
	s.dropSignals()
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	cmd.ExtraFiles = []*os.File{s.dataLock}
	// A group of its own: what is typed at a terminal reaches supervise only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	klog.FromContext(ctx).Info("Started the server", "pid", cmd.Process.Pid, "path", command.Path)
	p := &process{cmd: cmd, exited: make(chan int, 1)}
	s.reaper.keep(cmd.Process.Pid)
	go func() {
		// The error says no more than the state does.
		_ = cmd.Wait()
		s.reaper.keep(0)
		p.exited <- exitStatus(cmd.ProcessState)
	}()
	return p, nil
}

// dropSignals forgets what came while there was no server to forward it to: a
// server that has not installed its handlers yet would die of it.
func (s *supervisor) dropSignals() {
	for {
		select {
		case <-s.Signals:
		default:
			return
		}
	}
}

// exitStatus is what a shell would say.
func exitStatus(ps *os.ProcessState) int {
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ps.ExitCode()
}

// serverDied handles an end nobody here asked for.
func (s *supervisor) serverDied(ctx context.Context, p *process, status int) next {
	message := fmt.Sprintf("the server ended by itself: %v", p.cmd.ProcessState)
	if want, ok := s.Engine.RestartExitStatus(); ok && status == want {
		now := time.Now()
		s.restarts = slices.DeleteFunc(append(s.restarts, now), func(t time.Time) bool { return now.Sub(t) > restartWindow })
		if len(s.restarts) <= maxRestarts {
			s.record.setServer(ctx, state.StateStarting, "the server asked for a restart", 0, "")
			return again
		}
		message = fmt.Sprintf("the server asked for %d restarts within %v", len(s.restarts), restartWindow)
	}
	s.record.setServer(ctx, state.StateFailed, message, 0, "")
	return end(status)
}

// stop stops the server by the engine's plan and returns its status; killed is
// true if it took SIGKILL. It takes as long as it takes, whatever ctx says.
func (s *supervisor) stop(ctx context.Context, p *process, why string) (status int, killed bool) {
	s.record.set(ctx, state.StateStopping, why)
	for _, step := range s.Engine.StopPlan(ctx, engine.StopPodEnd, engine.Start{}) {
		klog.FromContext(ctx).Info("Stopping the server", "signal", step.Signal, "wait", step.Wait, "why", why)
		// An error means that it has just exited.
		_ = p.cmd.Process.Signal(step.Signal)
		timer := time.NewTimer(step.Wait)
		select {
		case status := <-p.exited:
			timer.Stop()
			return status, false
		case <-timer.C:
		}
	}
	klog.FromContext(ctx).Info("The server does not stop, killing it")
	_ = p.cmd.Process.Kill()
	return <-p.exited, true
}

// waitForAnswer returns a channel that is closed when the server answers.
func (s *supervisor) waitForAnswer(ctx context.Context) <-chan struct{} {
	answers := make(chan struct{})
	go func() {
		ticker := time.NewTicker(readyInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			checkContext, cancel := context.WithTimeout(ctx, checkTimeout)
			err := s.Engine.Check(checkContext)
			cancel()
			if err == nil {
				close(answers)
				return
			}
		}
	}()
	return answers
}

// recordIdentity writes identity.json if it says something else.
func (s *supervisor) recordIdentity(ctx context.Context, identity *state.DataIdentity) error {
	s.record.setSystemID(ctx, identity.SystemID)
	known, err := state.ReadIdentity(s.Env.AgentDir())
	if err != nil {
		return err
	}
	if known != nil && sameIdentity(*known, *identity) {
		return nil
	}
	return state.WriteIdentity(s.Files, s.Env.AgentDir(), *identity)
}

// learnSystemID fills in the identity of adopted data whose system id only the
// running server could tell.
func (s *supervisor) learnSystemID(ctx context.Context) {
	if s.record.get().SystemID != "" {
		return
	}
	observeContext, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	observation, err := s.Engine.Observe(observeContext)
	if err != nil || observation.SystemID == "" {
		klog.FromContext(ctx).Error(err, "The server does not tell its system id")
		return
	}
	identity, err := state.ReadIdentity(s.Env.AgentDir())
	if err != nil || identity == nil {
		klog.FromContext(ctx).Error(err, "The identity file cannot be completed")
		return
	}
	identity.SystemID = observation.SystemID
	if err := state.WriteIdentity(s.Files, s.Env.AgentDir(), *identity); err != nil {
		klog.FromContext(ctx).Error(err, "The identity file cannot be completed")
		return
	}
	s.record.setSystemID(ctx, identity.SystemID)
}
