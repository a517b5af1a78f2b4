// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// volumeTimeout is how long an answer waits for the data volume. A fence is for the
// volume that hangs, too: then it is answered without it.
const volumeTimeout = time.Second

// errPanicked is a bug in an engine; the log says where.
var errPanicked = errors.New("the agent has panicked; its log says where")

// contents is what lies on the data volume.
type contents struct {
	identity  *state.DataIdentity
	data      engine.Data
	journalID string
	// free and total bytes of the file system; 0 if it did not tell.
	free, total int64
	// err joins what could not be read; the rest is there.
	err error
	// at is when it was read.
	at time.Time
}

// volume reads the data volume in a goroutine of its own, one at a time: reads of a
// volume that hangs cannot be given up, only left behind.
type volume struct {
	// look reads it all.
	look func() contents

	mu sync.Mutex
	// began and ended count readings. last is that of the last that ended.
	began, ended int
	last         contents
	// done is closed when the reading under way ends; nil if there is none.
	done chan struct{}
	// since is when the reading under way began.
	since time.Time
}

func newVolume(ctx context.Context, env engine.Env, eng engine.Engine) *volume {
	ctx = context.WithoutCancel(ctx)
	return &volume{look: func() contents { return lookAtVolume(ctx, env, eng) }}
}

func lookAtVolume(ctx context.Context, env engine.Env, eng engine.Engine) (c contents) {
	c.at = time.Now()
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "A look at the data volume has panicked", "stack", string(debug.Stack()))
			c.err = errPanicked
		}
	}()
	var identityErr, dataErr, journalErr error
	c.identity, identityErr = state.ReadIdentity(env.AgentDir())
	c.journalID, journalErr = journal.ID(env.AgentDir())
	c.data, dataErr = eng.Inspect(ctx)
	c.err = errors.Join(identityErr, dataErr, journalErr)
	var fs unix.Statfs_t
	if err := unix.Statfs(env.DataMount, &fs); err == nil {
		c.free, c.total = int64(fs.Bavail)*fs.Bsize, int64(fs.Blocks)*fs.Bsize //nolint:gosec // file systems are smaller
	}
	return c
}

// space of the file system when it was last read, unless that is too long ago.
func (v *volume) space() (free, total int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.done != nil && time.Since(v.since) > volumeTimeout {
		return 0, 0
	}
	return v.last.free, v.last.total
}

// read returns what a reading that began after the call has found, or, where none ends
// in time, what the last one has, and since when the volume does not answer.
func (v *volume) read(ctx context.Context) (c contents, hangsSince time.Time) {
	timer := time.NewTimer(volumeTimeout)
	defer timer.Stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	want := v.began + 1
	for v.ended < want {
		if v.done == nil {
			v.begin()
		}
		done, since := v.done, v.since
		if time.Since(since) > volumeTimeout {
			return v.last, since // others have waited for it already
		}
		v.mu.Unlock()
		expired := false
		select {
		case <-done:
		case <-timer.C:
			expired = true
		case <-ctx.Done():
			expired = true
		}
		v.mu.Lock()
		if expired && v.ended < want {
			return v.last, since
		}
	}
	return v.last, time.Time{}
}

// hangs says whether a reading has waited for too long.
func (v *volume) hangs() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.done != nil && time.Since(v.since) > volumeTimeout
}

// begin starts a reading. The caller has v.mu.
func (v *volume) begin() {
	v.began++
	v.done, v.since = make(chan struct{}), time.Now()
	done, number := v.done, v.began
	go func() {
		c := v.look()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.last, v.ended, v.done = c, number, nil
		close(done)
	}()
}
