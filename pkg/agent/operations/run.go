// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

// run is one operation, running or over. It is the Op of its action.
type run struct {
	m      *Manager
	action Action
	params operation.Params
	// writing orders the writes of the record.
	writing sync.Mutex

	// All below is guarded by m.mu; record changes by write only.
	record  journal.Record
	secrets map[string][]byte
	// working is true while a goroutine does something about it.
	working bool
	// cancel ends the action's Run; nil while there is none.
	cancel context.CancelFunc
	// interrupted is why the operation has to make way; nil if it has not.
	interrupted error
	progress    string
	done, total int64
}

var _ Op = &run{}

func (r *run) ID() string { return r.record.ID }

func (r *run) Action() string { return r.record.Action }

func (r *run) Params() operation.Params { return r.params }

func (r *run) Secrets() map[string][]byte {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.secrets
}

func (r *run) Phase() (string, json.RawMessage) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.record.Phase, r.record.PhaseData
}

func (r *run) SetPhase(name string, data any) error {
	if name == "" {
		return errors.New("a phase needs a name")
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("phase %s: %w", name, err)
	}
	return r.write(func(rec *journal.Record) { rec.Phase, rec.PhaseData = name, raw })
}

func (r *run) Progress(text string, done, total int64) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.progress, r.done, r.total = sanitize(text, r.secrets), done, total
	r.m.notify()
}

// write changes the record, on disk first.
func (r *run) write(change func(*journal.Record)) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.m.mu.Lock()
	next := r.record
	r.m.mu.Unlock()
	change(&next)
	if err := journal.Write(r.m.opts.Files, r.m.opts.Env.AgentDir(), next); err != nil {
		return err
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.record = next
	r.m.notify()
	return nil
}

// view is what others see of it. The caller has m.mu.
func (r *run) view() View {
	v := View{Record: r.record, Progress: r.progress, BytesDone: r.done, BytesTotal: r.total}
	v.Result = maps.Clone(r.record.Result)
	if v.State == journal.Interrupted {
		v.Progress = "the agent was restarted: waiting for the operator to hand the secrets over again, until " +
			r.record.InterruptedAt.Add(ResumeTimeout).Format(time.RFC3339)
	}
	return v
}

// over says whether it no longer has the unit. The caller has m.mu.
func (r *run) over() bool { return r.record.State.Final() && !r.record.Held }

// work lets a goroutine do something about r. The caller has m.mu, and nothing else
// works on it.
func (m *Manager) work(r *run, do func(context.Context)) {
	r.working = true
	m.spawn(func(ctx context.Context) {
		do(klog.NewContext(ctx, klog.FromContext(ctx).WithValues("operation", r.record.ID, "action", r.record.Action)))
		m.mu.Lock()
		r.working = false
		m.mu.Unlock()
		m.tick()
	})
}

// forwardOnly says whether the operation has let the server go with what it made of it:
// clients may have written since, so that neither a cancellation nor a change of roles
// takes it back. The caller has m.mu.
func (r *run) forwardOnly() bool {
	a, ok := r.action.(Recoverer)
	return ok && r.record.Held && r.record.Released && !r.record.State.Final() && a.Recover(r.record.Phase) == RecoverAtOnce
}

// busy says that r has the unit. The caller has m.mu.
func (r *run) busy() error {
	return fmt.Errorf("%w: operation %s (%s) has the unit since %s", ErrBusy, r.record.ID, r.record.Action, r.record.Started.Format(time.RFC3339))
}

// run calls the action, again if it was to end when there was no way back any more.
func (r *run) run(ctx context.Context) {
	for r.attempt(ctx) {
		klog.FromContext(ctx).Info("The server has been let go: the operation goes on to its end")
	}
}

// attempt calls the action once; again is true when it must be called once more.
func (r *run) attempt(ctx context.Context) (again bool) {
	runContext, cancel := context.WithCancel(ctx)
	defer cancel()
	r.m.mu.Lock()
	if (r.record.CancelRequested || r.interrupted != nil) && !r.forwardOnly() {
		cancel()
	}
	r.cancel = cancel
	phase := r.record.Phase
	r.m.mu.Unlock()
	klog.FromContext(ctx).Info("Operation runs", "phase", phase)

	var result map[string]string
	err := r.guard(ctx, func() (err error) {
		if phase == "" {
			r.m.opts.AwaitServer(runContext, r)
		}
		result, err = r.action.Run(runContext, r)
		return err
	})
	r.m.mu.Lock()
	r.cancel = nil
	cancelled, interrupted, forward, secrets := r.record.CancelRequested, r.interrupted, r.forwardOnly(), r.secrets
	r.m.mu.Unlock()
	switch {
	case err == nil:
		r.finish(ctx, success(result, secrets))
	case ctx.Err() != nil:
		// The agent ends. The record says that it runs, and the next agent goes on.
		klog.FromContext(ctx).Info("Operation interrupted by the end of the agent")
	case (cancelled || interrupted != nil) && forward && runContext.Err() != nil:
		r.m.mu.Lock()
		r.interrupted = nil
		r.m.mu.Unlock()
		return true
	case cancelled:
		klog.FromContext(ctx).Info("Operation cancelled")
		r.abandon(ctx)
	case interrupted != nil:
		klog.FromContext(ctx).Info("Operation has to make way", "why", interrupted.Error())
		r.abandon(ctx)
	default:
		r.finish(ctx, outcome{state: journal.Failed, reason: ReasonOf(err), message: sanitize(err.Error(), secrets)})
	}
	return false
}

// guard calls into an action, and ends what it leaves behind.
func (r *run) guard(ctx context.Context, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "An action has panicked", "stack", string(debug.Stack()))
			err = Failed(ReasonPanicked, "the agent has panicked; its log says where")
		}
		r.sweep(ctx)
	}()
	victims, stop := context.WithCancel(ctx)
	defer stop()
	go offerVictims(victims, r.record.ID)
	return do()
}

// sweep ends the operation's processes and removes its secret files.
func (r *run) sweep(ctx context.Context) {
	if err := errors.Join(killProcesses(r.record.ID), RemoveSecretFiles(r.m.opts.Env, r.record.ID)); err != nil {
		klog.FromContext(ctx).Error(err, "Not all of an operation is gone")
	}
}

// abandon cleans up after a run that did not come to its own end.
func (r *run) abandon(ctx context.Context) {
	r.m.mu.Lock()
	secrets := r.secrets
	r.secrets = nil
	r.m.mu.Unlock()
	if !r.begin(ctx, func() error {
		return r.write(func(rec *journal.Record) { rec.State = journal.Cancelling })
	}) {
		return
	}
	var err error
	r.Progress("cleaning up", 0, 0)
	if a, ok := r.action.(Abandoner); ok {
		err = r.guard(ctx, func() error { return a.Abandon(ctx, r) })
		if err != nil && ctx.Err() != nil {
			return // the next agent tries again
		}
	} else {
		r.sweep(ctx)
	}
	r.m.mu.Lock()
	cancelled, interrupted, phase := r.record.CancelRequested, r.interrupted, r.record.Phase
	r.m.mu.Unlock()
	if interrupted != nil && !cancelled && err == nil {
		r.finish(ctx, outcome{state: journal.Failed, reason: ReasonOf(interrupted), message: sanitize(interrupted.Error(), secrets)})
		return
	}
	r.finish(ctx, abandoned(cancelled, phase, err, secrets))
}

// begin records that r is being cleaned up. It insists where the next agent would do
// something else: a run that may be taken up must not find what was half cleaned up.
// Elsewhere cleaning up goes first, it may be what makes room for the record.
func (r *run) begin(ctx context.Context, record func() error) bool {
	r.m.mu.Lock()
	insist := r.recovery() != RecoverByAbandon
	r.m.mu.Unlock()
	if insist {
		return r.insist(ctx, record)
	}
	if err := record(); err != nil {
		klog.FromContext(ctx).Error(err, "An operation is cleaned up without a record of it")
	}
	return true
}

// requestCancel asks it to end, unless there is no way back any more.
func (r *run) requestCancel() error {
	r.m.mu.Lock()
	final, asked, forward := r.record.State.Final(), r.record.CancelRequested, r.forwardOnly()
	r.m.mu.Unlock()
	if forward {
		return nil
	}
	if !final && !asked {
		if err := r.write(func(rec *journal.Record) {
			if !rec.State.Final() {
				rec.State, rec.CancelRequested = journal.Cancelling, true
			}
		}); err != nil {
			return err
		}
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	switch {
	case r.forwardOnly():
	case r.cancel != nil:
		r.cancel()
	case !r.working && !r.record.State.Final():
		r.m.work(r, r.abandon)
	}
	return nil
}

// finish records the outcome and lets the unit go. It insists: an outcome that is not
// recorded did not happen.
func (r *run) finish(ctx context.Context, o outcome) {
	r.m.mu.Lock()
	r.secrets = nil
	r.m.mu.Unlock()
	if !r.insist(ctx, func() error {
		return r.write(func(rec *journal.Record) {
			rec.State, rec.Reason, rec.Message, rec.Result = o.state, o.reason, o.message, o.result
			rec.Finished = r.m.clock.Now().UTC()
		})
	}) {
		return
	}
	if err := journal.Ballast(r.m.opts.Files, r.m.opts.Env.AgentDir()); err != nil {
		klog.FromContext(ctx).Error(err, "No room can be kept for records")
	}
	klog.FromContext(ctx).Info("Operation is over", "state", o.state, "reason", o.reason, "message", o.message)
	r.m.mu.Lock()
	held, took := r.record.Held, r.record.Finished.Sub(r.record.Started)
	r.m.mu.Unlock()
	r.m.opts.Observe(r.record.Action, o.state, took)
	if held {
		r.insist(ctx, func() error {
			if err := r.m.setHold(ctx, r.record.ID, false); err != nil {
				return err
			}
			return r.write(func(rec *journal.Record) { rec.Held, rec.Released = false, false })
		})
	}
}

// insist tries until it is done; false if the agent ends before.
func (r *run) insist(ctx context.Context, do func() error) bool {
	for {
		err := do()
		if err == nil {
			return true
		}
		klog.FromContext(ctx).Error(err, "An operation's record cannot be written, trying again", "interval", retryInterval)
		r.m.mu.Lock()
		r.progress = sanitize("the operation's record cannot be written: "+err.Error(), nil)
		r.m.notify()
		r.m.mu.Unlock()
		select {
		case <-ctx.Done():
			return false
		case <-r.m.clock.After(retryInterval):
		}
	}
}

func (m *Manager) setHold(ctx context.Context, id string, held bool) error {
	return m.opts.Desired.ChangeDesired(ctx, func(d *state.Desired) { *d = d.SetHold(state.HoldOperationPrefix+id, held) })
}
