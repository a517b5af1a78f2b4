// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// lostAfter is how long commits wait, with enough replicas attached and none of them
// acknowledging, before an acknowledgement counts as lost.
const lostAfter = 2 * time.Second

// dataErrors are receivers' errors that starting again does not mend: the source has
// purged what is needed, or is this very server.
var dataErrors = []int{1236, 1593, 13114, 13117}

// Tend implements engine.Replicator.
func (e *Engine) Tend(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount) ([]string, error) {
	db, err := e.control()
	if err != nil {
		return nil, err
	}
	if err := keepControl(ctx, db); err != nil {
		return nil, fmt.Errorf("keeping connections open: %w", err)
	}
	o, err := observe(ctx, db)
	if err != nil {
		return nil, err
	}
	if record.Role == engine.RoleSource {
		return e.tendSource(ctx, db, o, record)
	}
	did, err := e.endLingering(ctx, db, o, channel.User)
	if err != nil {
		return did, err
	}
	var more []string
	switch record.Role {
	case engine.RoleReplica:
		more, err = tendReplica(ctx, db, o, record, channel, engine.ChannelCA(e.env))
	case engine.RoleIsolated:
		more, err = tendIsolated(ctx, db, o)
	}
	return append(did, more...), err
}

func (e *Engine) tendSource(ctx context.Context, db *sql.DB, o observed, record engine.RoleRecord) (did []string, err error) {
	foreign, unknown := foreignReceivers(o.dumps, record.Durability)
	if unknown != "" {
		did = append(did, "cannot see which receivers may acknowledge: the server_uuid of "+unknown+" is not known")
	}
	for _, d := range foreign {
		if err := kill(ctx, db, d.id); err != nil {
			return did, fmt.Errorf("cutting off the receiver %s: %w", d.serverUUID, err)
		}
		did = append(did, fmt.Sprintf("cut off the receiver %s at %s: it acknowledges and is no member", d.serverUUID, d.host))
	}
	if !record.Open || o.readOnly {
		return did, nil
	}
	if e.acknowledgements.lost(time.Now(), o) {
		e.commitEmpty(context.WithoutCancel(ctx))
		did = append(did, fmt.Sprintf("%d commits waited for an acknowledgement that was lost: committed an empty transaction", o.SemiSync.WaitingSessions))
	}
	return append(did, e.tendEvents(ctx, db, o)...), nil
}

// foreignReceivers may acknowledge, and are no members of the durability; unknown is a
// member by whose absent server_uuid nobody can be called foreign.
func foreignReceivers(dumps []dumpThread, d engine.Durability) (foreign []dumpThread, unknown string) {
	if d.Mode != engine.DurabilitySync {
		return nil, ""
	}
	for _, m := range d.Members {
		if m.ServerID == "" {
			return nil, m.Name
		}
	}
	for _, t := range dumps {
		member := slices.ContainsFunc(d.Members, func(m engine.DurabilityMember) bool { return m.ServerID == t.serverUUID })
		if t.acknowledging && !member {
			foreign = append(foreign, t)
		}
	}
	return foreign, ""
}

// acknowledgements watches that commits are acknowledged.
type acknowledgements struct {
	mu sync.Mutex
	// count of acknowledged commits, and since when it is the same while others wait.
	count int64
	since time.Time
	// committing is true while the agent's own transaction waits.
	committing bool
}

// lost is true once enough replicas are attached, commits wait and nothing is
// acknowledged: a replica that had stored a commit and lost its connection before it
// said so never does.
func (a *acknowledgements) lost(now time.Time, o observed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := o.SemiSync
	switch {
	case !s.SourceActive || s.WaitingSessions == 0 || s.Clients < max(1, s.WaitFor):
		a.since = time.Time{}
		return false
	case a.since.IsZero() || s.Acknowledged != a.count:
		a.count, a.since = s.Acknowledged, now
		return false
	}
	return !a.committing && now.Sub(a.since) >= lostAfter
}

// commitEmpty commits a transaction of the agent's own, in the background: it waits as
// the others do. One at a time.
func (e *Engine) commitEmpty(ctx context.Context) {
	a := &e.acknowledgements
	a.mu.Lock()
	a.committing = true
	a.mu.Unlock()
	go func() {
		defer func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.committing, a.since = false, time.Time{}
		}()
		db, err := e.open()
		if err != nil {
			return
		}
		defer db.Close()
		// It ends with an acknowledgement or with the server. If it fails, commits still
		// wait and there will be another.
		_, _ = db.ExecContext(ctx, emptyTransaction)
	}()
}

// tendReplica starts what stopped of the recorded channel. Another channel is Follow's
// to change.
func tendReplica(ctx context.Context, db *sql.DB, o observed, record engine.RoleRecord, channel engine.ChannelAccount, ca string) (did []string, err error) {
	u := record.Upstream
	if u == nil || o.Channel == nil || o.Channel.Host != u.Host || o.Channel.Port != u.Port || o.Channel.User != channel.User || !o.SuperReadOnly {
		return nil, nil
	}
	if did, err = resumeApplier(ctx, db, o); err != nil {
		return did, err
	}
	next, err := nextStep(o, *u)
	switch {
	case err != nil:
		if stopErr := execControl(ctx, db, stopReceiver(o.version)); stopErr != nil {
			return did, stopErr
		}
		return append(did, "stopped the receiver: "+err.Error()), nil
	case next == stepNone || next == stepWait || slices.Contains(dataErrors, o.Channel.ReceiverErrorNumber):
		return did, nil
	}
	if err := startReceiving(ctx, db, o.version, *u, channel, ca, next == stepRestart); err != nil {
		return did, fmt.Errorf("starting the receiver: %w", err)
	}
	return append(did, fmt.Sprintf("started the receiver from %s:%d", u.Host, u.Port)), nil
}

// tendIsolated keeps the receiver stopped, whoever started it.
func tendIsolated(ctx context.Context, db *sql.DB, o observed) (did []string, err error) {
	if o.Channel == nil {
		return nil, nil
	}
	if o.receiver != "OFF" {
		if err := execControl(ctx, db, stopReceiver(o.version)); err != nil {
			return nil, err
		}
		did = append(did, "stopped the receiver of an isolated server")
	}
	resumed, err := resumeApplier(ctx, db, o)
	return append(did, resumed...), err
}

// resumeApplier starts an applier that did not stop on an error.
func resumeApplier(ctx context.Context, db *sql.DB, o observed) ([]string, error) {
	if o.Channel.Applying || o.Channel.ApplierErrorNumber != 0 {
		return nil, nil
	}
	if err := execControl(ctx, db, startApplier(o.version)); err != nil {
		return nil, err
	}
	return []string{"started the applier"}, nil
}
