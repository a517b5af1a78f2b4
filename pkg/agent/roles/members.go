// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// ErrUnsupported is of what servers of this engine cannot do.
var ErrUnsupported = errors.New("unsupported")

const (
	// maxEvidence is how much is kept of errant transactions, in all.
	maxEvidence = 1 << 30
	// evidenceTimeout bounds one copy of them, evidenceWait how long a call waits for it.
	evidenceTimeout = time.Hour
	evidenceWait    = 5 * time.Second
)

var errUnsupported = fmt.Errorf("%w by this engine", ErrUnsupported)

// Allow lets the owner's call through in its order, without changing what is recorded.
type Allow func(ctx context.Context, check func(state.Desired) error) error

// member is the engine if it does all that members of a Replication can be asked for.
func (m *Manager) member() (engine.Member, error) {
	if member, ok := m.engine.(engine.Member); ok {
		return member, nil
	}
	return nil, errUnsupported
}

// Activity reports what clients have open and run.
func (m *Manager) Activity(ctx context.Context) (engine.Activity, error) {
	server, ok := m.engine.(engine.MemberActivity)
	if !ok {
		return engine.Activity{}, errUnsupported
	}
	return server.Activity(ctx)
}

// WaitExecuted waits for a GTID set.
func (m *Manager) WaitExecuted(ctx context.Context, gtidSet string, timeout time.Duration) (engine.Executed, error) {
	member, err := m.member()
	if err != nil {
		return engine.Executed{}, err
	}
	return member.WaitExecuted(ctx, gtidSet, timeout)
}

// EnsureAccounts makes accounts on the open source. It makes way for Demote as every
// other change of the server does.
func (m *Manager) EnsureAccounts(ctx context.Context, allow Allow, accounts []engine.Account) (changed []string, err error) {
	server, ok := m.engine.(engine.MemberAccounts)
	if !ok {
		return nil, errUnsupported
	}
	if err := allow(ctx, func(d state.Desired) error { return mayHaveAccounts(d, accounts) }); err != nil {
		return nil, err
	}
	held, release, err := m.turn.take(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrNotYet, err)
	}
	defer release()
	desired, err := m.keeper.Desired()
	if err != nil {
		return nil, err
	}
	if err := mayHaveAccounts(desired, accounts); err != nil {
		return nil, err
	}
	if len(desired.Holds) > 0 {
		return nil, fmt.Errorf("%w: the server is held down by %s", engine.ErrNotYet, desired.HoldList())
	}
	changed, err = server.EnsureMemberAccounts(held, accounts)
	if cause := context.Cause(held); err != nil && errors.Is(cause, errInterrupted) {
		return changed, fmt.Errorf("%w: %w", engine.ErrNotYet, cause)
	}
	return changed, err
}

// mayHaveAccounts refuses all but the open source, and the names that are the agent's.
func mayHaveAccounts(d state.Desired, accounts []engine.Account) error {
	if r := d.EffectiveRecord(); r.Role != engine.RoleSource || !r.Open {
		return fmt.Errorf("%w: accounts are made on the open source, this server's role is %q", ErrRefused, r.Role)
	}
	for i, a := range accounts {
		if a.User == d.ChannelUser {
			return fmt.Errorf("%w: account %q is that of the replication channels: choose another name", ErrRefused, a.User)
		}
		if slices.ContainsFunc(accounts[:i], func(b engine.Account) bool { return a.User == b.User && a.Password != b.Password }) {
			return fmt.Errorf("%w: account %q comes with two passwords", ErrRefused, a.User)
		}
	}
	return nil
}

// evidence is the copy of errant transactions that is under way.
type evidence struct {
	mu  sync.Mutex
	job *evidenceJob
}

type evidenceJob struct {
	dir, gtidSet string
	done         chan struct{}
	result       engine.Evidence
	err          error
}

// SaveErrant copies errant transactions to a directory of the epoch below root, in the
// background: the call that finds it done returns the outcome.
func (m *Manager) SaveErrant(ctx context.Context, allow Allow, root string, epoch int64, gtidSet string, maxBytes int64) (path string, e engine.Evidence, err error) {
	member, err := m.member()
	if err != nil {
		return "", e, err
	}
	if err := allow(ctx, func(state.Desired) error { return nil }); err != nil {
		return "", e, err
	}
	if maxBytes <= 0 || maxBytes > maxEvidence {
		maxBytes = maxEvidence
	}
	dir := filepath.Join(root, strconv.FormatInt(epoch, 10))
	job, err := m.evidence.begin(ctx, dir, gtidSet, func(ctx context.Context) (engine.Evidence, error) {
		if err := makeRoom(ctx, root, dir, maxEvidence-maxBytes); err != nil {
			return engine.Evidence{}, err
		}
		return member.SaveErrant(ctx, dir, gtidSet, maxBytes)
	})
	if err != nil {
		return "", e, err
	}
	timer := time.NewTimer(evidenceWait)
	defer timer.Stop()
	select {
	case <-job.done:
		m.evidence.end(job)
		return filepath.Join(dir, job.result.Name), job.result, job.err
	case <-ctx.Done():
	case <-timer.C:
	}
	return "", e, fmt.Errorf("%w: the errant transactions are being copied", engine.ErrNotYet)
}

// begin finds the job, or starts it if there is none.
func (e *evidence) begin(ctx context.Context, dir, gtidSet string, run func(context.Context) (engine.Evidence, error)) (*evidenceJob, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.job != nil {
		select {
		case <-e.job.done:
		default:
			if e.job.dir != dir || e.job.gtidSet != gtidSet {
				return nil, fmt.Errorf("%w: other errant transactions are being copied", engine.ErrNotYet)
			}
		}
		if e.job.dir == dir && e.job.gtidSet == gtidSet {
			return e.job, nil
		}
	}
	job := &evidenceJob{dir: dir, gtidSet: gtidSet, done: make(chan struct{})}
	e.job = job
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceTimeout)
	go func() {
		defer cancel()
		defer close(job.done)
		job.err = errors.New("the agent has panicked; its log says where")
		defer func() {
			if p := recover(); p != nil {
				klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "A copy of errant transactions has panicked")
			}
		}()
		job.result, job.err = run(ctx)
	}()
	return job, nil
}

// end forgets a job whose outcome was returned. What it saved is found on the volume.
func (e *evidence) end(job *evidenceJob) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.job == job {
		e.job = nil
	}
}
