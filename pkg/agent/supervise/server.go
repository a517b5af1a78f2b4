// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
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
	// lateStart is when it is looked whether a server that does not answer waits for
	// space: MySQL does, without end.
	lateStart = 10 * time.Second

	startedMessage = "started, does not answer yet"
)

// process is a started server.
type process struct {
	cmd *exec.Cmd
	// exited gets the exit status, 128+n for signal n.
	exited chan int
	// start is what it was started with, order the order of restarts that fulfils, name
	// tells this life from others.
	start engine.Start
	order int64
	name  string
	// learning is closed when what is to be learned from it was, or nil.
	learning <-chan struct{}
}

// learned waits for what is being learned, for a while.
func (p *process) learned() {
	if p.learning == nil {
		return
	}
	select {
	case <-p.learning:
	case <-time.After(learnPatience):
	}
}

// serverLife is one life of the server: from preparation to its end.
func (s *supervisor) serverLife(ctx context.Context, desired *state.Desired, decision gate.Decision) next {
	start, err := s.start(desired)
	if err != nil {
		return s.retryOrFail(ctx, desired, err)
	}
	if err := s.recordIdentity(ctx, decision.Identity); err != nil {
		return s.fail(ctx, err)
	}
	p, err := s.startServer(ctx, desired, start)
	if err != nil {
		return s.fail(ctx, fmt.Errorf("starting the server: %w", err))
	}
	if p == nil {
		return again // a hold has come, or another record
	}
	p.order = desired.RestartOrder
	s.record.setServer(ctx, state.StateStarting, startedMessage, p)

	answerContext, stopAsking := context.WithCancel(ctx)
	defer stopAsking()
	answers := s.waitForAnswer(answerContext)
	late := time.After(lateStart)
	for {
		select {
		case status := <-p.exited:
			stopAsking()
			return s.serverDied(ctx, p, status)
		case <-ctx.Done():
			stopAsking()
			status, _ := s.stop(ctx, p, engine.StopPodEnd, "the pod ends")
			p.learned()
			s.record.setServer(ctx, state.StateStopping, "stopped, the pod ends", nil)
			return end(status)
		case <-s.changed:
			if ctx.Err() != nil {
				continue
			}
			d, err := s.store.Desired()
			if err != nil {
				klog.FromContext(ctx).Error(err, "What is desired cannot be read, the server goes on")
				continue
			}
			may := gate.MayRun(s.Env.PodUID, s.Env.UID, d)
			switch {
			case may.Action != gate.Start:
				stopAsking()
				return s.hold(ctx, p, d, may.Reason)
			case d.RestartOrder > p.order:
				stopAsking()
				return s.restart(ctx, p, d.RestartReason)
			}
		case <-late:
			if answers != nil {
				s.record.set(ctx, state.StateStarting, s.withSpace(startedMessage))
			}
		case <-answers:
			answers = nil
			s.record.set(ctx, state.StateRunning, "")
			p.learning = s.learn(answerContext)
		case sig := <-s.Signals:
			klog.FromContext(ctx).Info("Forwarding a signal to the server", "signal", sig)
			_ = p.cmd.Process.Signal(sig)
		}
	}
}

// hold stops the server because of holds.
func (s *supervisor) hold(ctx context.Context, p *process, d *state.Desired, why string) next {
	status, killed := s.stop(ctx, p, reasonOf(d), why)
	p.learned()
	if killed {
		s.record.setServer(ctx, state.StateFailed, "the server had to be killed, the container ends", nil)
		return end(status)
	}
	s.record.setServer(ctx, state.StateStopping, "stopped", nil)
	return again
}

// startServer prepares and starts the server; nil if a hold has come meanwhile.
func (s *supervisor) startServer(ctx context.Context, desired *state.Desired, start engine.Start) (*process, error) {
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
		var may bool
		if may, err = s.proof.begin(ctx, desired); err != nil || !may {
			return
		}
		if p, err = s.spawn(ctx, command); err != nil {
			s.proof.ended(ctx, state.StopExited)
			return
		}
		p.start = start
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
	cmd.ExtraFiles = []*os.File{s.serverLock, s.dataLock}
	// A group of its own: what is typed at a terminal reaches supervise only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	klog.FromContext(ctx).Info("Started the server", "pid", cmd.Process.Pid, "path", command.Path)
	p := &process{cmd: cmd, exited: make(chan int, 1), name: rand.Text()}
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
	p.learned()
	s.sweep(ctx)
	message := fmt.Sprintf("the server ended by itself: %v", p.cmd.ProcessState)
	if want, ok := s.Engine.RestartExitStatus(); ok && status == want {
		now := time.Now()
		s.restarts = slices.DeleteFunc(append(s.restarts, now), func(t time.Time) bool { return now.Sub(t) > restartWindow })
		if len(s.restarts) <= maxRestarts {
			s.record.setServer(ctx, state.StateStarting, "the server asked for a restart", nil)
			return again
		}
		message = fmt.Sprintf("the server asked for %d restarts within %v", len(s.restarts), restartWindow)
	}
	s.record.setServer(ctx, state.StateFailed, s.withSpace(message), nil)
	return end(status)
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

// learn records what only the running server could tell: the system id of data that was
// adopted, and its version, if no newer one has opened the data before. It touches the
// data volume, so the loop does not wait for it.
func (s *supervisor) learn(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.learnNow(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "The identity file cannot be completed")
		}
	}()
	return done
}

func (s *supervisor) learnNow(ctx context.Context) error {
	observeContext, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	observation, err := s.Engine.Observe(observeContext)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	identity, err := state.ReadIdentity(s.Env.AgentDir())
	if err != nil || identity == nil {
		return err
	}
	next := *identity
	if next.SystemID == "" {
		next.SystemID = observation.SystemID
	}
	next.HighestVersion = higher(next.HighestVersion, observation.Version)
	if err := ctx.Err(); err != nil {
		return err // the server is being stopped: others may write from now on
	}
	if !sameIdentity(*identity, next) {
		if err := state.WriteIdentity(s.Files, s.Env.AgentDir(), next); err != nil {
			return err
		}
	}
	s.record.setSystemID(ctx, next.SystemID)
	return nil
}

// higher of two versions; one that cannot be read as such is lower.
func higher(a, b string) string {
	known, err := version.ParseGeneric(a)
	if err != nil {
		return b
	}
	if seen, err := version.ParseGeneric(b); err != nil || !known.LessThan(seen) {
		return a
	}
	return b
}
