// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// Options of supervise.
type Options struct {
	Env    engine.Env
	Engine engine.Engine
	// Listener answers the probes; supervise closes it.
	Listener net.Listener
	// Files writes files; its zero value is right outside tests.
	Files state.Files
	// Signals are forwarded to the server. nil forwards none.
	Signals <-chan os.Signal
	// Stdout and Stderr are the server's.
	Stdout, Stderr *os.File
	// Statfs tells of the file system of the data volume; nil asks the kernel.
	Statfs func(path string, fs *unix.Statfs_t) error
}

// supervisor is one run of supervise. Its fields are used by the main goroutine
// only, unless they say otherwise.
type supervisor struct {
	Options
	store  *state.Store
	record *record
	reaper *reaper
	proof  *prover
	// changed tells of changes of what is desired, beyond the pod's end too.
	changed <-chan struct{}
	// serverLock and dataLock are inherited by the server.
	serverLock, dataLock *os.File
	// restarts are the times of the last restarts the server asked for.
	restarts []time.Time
}

// Run supervises until ctx ends (orderly stop) or the server dies. The result is
// the exit status of the process.
func Run(ctx context.Context, opts Options) int {
	logger := klog.FromContext(ctx)
	s := &supervisor{
		Options: opts,
		store:   state.NewStore(opts.Env.StateDir, opts.Files),
		record:  newRecord(opts.Env.PodUID),
		reaper:  newReaper(),
	}

	// Probes first: a slow disk must not look like a dead supervise.
	stopProbes := serveProbes(ctx, opts.Listener, s.record, opts.Engine)
	defer stopProbes()

	reaperContext, stopReaper := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReaper()
	go s.reaper.run(reaperContext)

	ownLock, err := state.Lock(ctx, filepath.Join(opts.Env.StateDir, state.SuperviseLock), func() {
		logger.Info("Another supervise runs on this state directory, waiting for it to end")
	})
	if err != nil {
		return s.cannot(ctx, err, "lock the state directory")
	}
	defer ownLock.Close()
	if err := state.Sweep(opts.Env.StateDir, state.ObservedFile); err != nil {
		return s.cannot(ctx, err, "sweep the state directory")
	}
	if err := s.record.open(s.store); err != nil {
		// What it would have told is only this pod's own memory of its data.
		logger.Error(err, "The record of an earlier run is unreadable")
	}

	s.proof = &prover{podUID: opts.Env.PodUID, unitUID: opts.Env.UID, store: s.store, record: s.record}
	s.serverLock, err = state.Lock(ctx, filepath.Join(opts.Env.StateDir, state.ServerLock), func() {
		s.record.set(ctx, state.StateWaiting, stillThere)
	})
	if err != nil {
		return s.cannot(ctx, err, "lock the server")
	}
	defer s.serverLock.Close()
	s.proof.open()
	watchContext, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	s.watch(watchContext)

	// From here on the data volume is touched, which may hang. Fences are proven all the
	// same.
	if err := state.EnsureDir(opts.Files, opts.Env.AgentDir()); err != nil {
		return s.cannot(ctx, err, "make the agent's directory on the data volume")
	}
	s.dataLock, err = state.Lock(ctx, filepath.Join(opts.Env.AgentDir(), state.DataLock), func() {
		s.record.set(ctx, state.StateWaiting, stillThere)
	})
	if err != nil {
		return s.cannot(ctx, err, "lock the data volume")
	}
	defer s.dataLock.Close()

	return s.loop(ctx)
}

const stillThere = "another server or supervise still has the data volume: waiting for it to end"

// watch has the prover look after each change of what is desired, then the loop.
func (s *supervisor) watch(ctx context.Context) {
	changes := state.Watch(ctx, s.Env.StateDir, state.DesiredFile)
	changed := make(chan struct{}, 1)
	s.changed = changed
	go func() {
		for range changes {
			s.proof.look(ctx)
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
}

// cannot records why supervise ends before it could look at anything.
func (s *supervisor) cannot(ctx context.Context, err error, what string) int {
	if ctx.Err() != nil {
		return 0
	}
	s.record.set(ctx, state.StateFailed, s.withSpace(fmt.Sprintf("cannot %s: %v", what, err)))
	return 1
}
