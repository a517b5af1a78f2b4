// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// gtidPurge makes a set of transactions count as executed, so that a replica whose
// data came by a logical backup asks its source for what follows.
type gtidPurge struct{ unit }

// phasePurge: the server's own history may be gone and the set not yet be set.
const phasePurge = "purge"

// errParse is a statement that the server does not know.
const errParse = 1064

// Run implements operations.Action. Running it again ends where it would have: an
// empty history is a part of any set.
func (a gtidPurge) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.GTIDPurge](op)
	if err != nil {
		return nil, err
	}
	set, err := a.set(p)
	if err != nil {
		return nil, err
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := a.refuse(ctx, s, set); err != nil {
		return nil, err
	}
	// What clients commit between the statements would be forgotten, or make the server
	// refuse the set when its logs are gone.
	err = a.close(ctx, op, s)
	if err == nil {
		err = a.purge(ctx, s, set)
	}
	if err := errors.Join(err, a.reopen(ctx, op, s)); err != nil {
		return nil, err
	}
	now, err := s.value(ctx, "SELECT @@global.gtid_purged")
	if err != nil {
		return nil, err
	}
	now = strings.Join(strings.Fields(now), "")
	return map[string]string{"gtidPurged": now, "message": "gtid_purged is " + now}, nil
}

// access that clients had before.
type access struct {
	ReadOnly      bool `json:"readOnly"`
	SuperReadOnly bool `json:"superReadOnly"`
}

// close the server to writes, after what it takes to open it again is recorded.
func (a gtidPurge) close(ctx context.Context, op operations.Op, s *session) error {
	if phase, _ := op.Phase(); phase != phasePurge {
		rows, err := s.rows(ctx, "SELECT @@global.read_only AS r, @@global.super_read_only AS s")
		if err != nil {
			return err
		}
		before := rows[0].byName
		if err := op.SetPhase(phasePurge, access{ReadOnly: before["r"] == "1", SuperReadOnly: before["s"] == "1"}); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockWait)); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := s.exec(ctx, "SET GLOBAL super_read_only = ON")
		if number(err) != errLockWait {
			return err
		}
		inTheWay, lookErr := longStatements(ctx, s)
		if lookErr != nil {
			return lookErr
		}
		if try >= lockTries {
			return operations.Failed(operation.ReasonLocked, "the server could not be closed to writes, which takes a moment without long statements: %s", sayStatements(inTheWay))
		}
		if err := pause(ctx, lockPause); err != nil {
			return err
		}
	}
}

// reopen the server as it was, also when the operation has been cancelled. One that a
// Replication has taken meanwhile is the Replication's to open.
func (a gtidPurge) reopen(ctx context.Context, op operations.Op, s *session) error {
	phase, raw := op.Phase()
	if phase != phasePurge {
		return nil
	}
	var before access
	if err := json.Unmarshal(raw, &before); err != nil {
		return err
	}
	desired, err := a.Store.Desired()
	if err != nil || desired != nil && desired.Managed {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reopenWait)
	defer cancel()
	if !before.SuperReadOnly {
		err = s.exec(ctx, "SET GLOBAL super_read_only = OFF")
	}
	if err == nil && !before.ReadOnly {
		err = s.exec(ctx, "SET GLOBAL read_only = OFF")
	}
	return err
}

// reopenWait bounds two statements that wait for nobody.
const reopenWait = 30 * time.Second

// purge is what nobody may write meanwhile.
func (a gtidPurge) purge(ctx context.Context, s *session, set string) error {
	if err := a.refuse(ctx, s, set); err != nil {
		return err
	}
	executed, err := s.value(ctx, "SELECT GTID_SUBTRACT(@@global.gtid_executed, @@global.gtid_purged)")
	if err != nil {
		return err
	}
	if executed != "" {
		// gtid_purged takes nothing that the binary log still holds.
		if err := resetHistory(ctx, s); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, "SET GLOBAL gtid_purged = "+mysql.Literal(set)); err != nil {
		return operations.Failed("Refused", "the server refuses the set: %w", err)
	}
	return nil
}

// Recover implements operations.Recoverer: between the two statements the only way
// is forward, and the server is closed.
func (a gtidPurge) Recover(phase string) operations.Recovery {
	if phase == phasePurge {
		return operations.RecoverAtOnce
	}
	return operations.RecoverByAbandon
}

// Abandon implements operations.Abandoner.
func (a gtidPurge) Abandon(ctx context.Context, op operations.Op) error {
	if phase, _ := op.Phase(); phase != phasePurge {
		return nil
	}
	if _, err := a.Run(ctx, op); err != nil {
		return err
	}
	return operations.Failed(operation.ReasonTooLate, "the server's own history was gone already, and the set is set")
}

// set that is asked for, else that of the last restore.
func (a gtidPurge) set(p *operation.GTIDPurge) (string, error) {
	if p.GTIDSet != "" {
		return strings.Join(strings.Fields(p.GTIDSet), ""), nil
	}
	last, err := a.lastRestored()
	if err != nil {
		return "", err
	}
	if last == nil {
		return "", operations.Failed("NoRestore", "nothing was restored on this volume: gtidSet says which set to purge")
	}
	if last.GTIDExecuted == "" {
		return "", operations.Failed("NoRestore", "the backup %s that was restored last does not say its GTIDs: gtidSet says which set to purge", last.Backup)
	}
	return last.GTIDExecuted, nil
}

// refuse where purging would lose what a server knows of itself.
func (a gtidPurge) refuse(ctx context.Context, s *session, set string) error {
	desired, err := a.Store.Desired()
	if err != nil {
		return err
	}
	if desired != nil && desired.Managed {
		return operations.Failed("ManagedMember", "the unit is a member of a Replication, which keeps its GTIDs")
	}
	mode, err := s.value(ctx, "SELECT @@global.gtid_mode")
	if err != nil {
		return err
	}
	if mode != "ON" {
		return operations.Failed("Unsupported", "gtid_mode is %s", mode)
	}
	channels, err := replicaStatus(ctx, s)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if c.io != "No" || c.sql != "No" {
			return operations.Failed("ReplicaRunning", "the server replicates from %s: its threads are to be stopped first", c.source)
		}
	}
	superset, err := s.value(ctx, "SELECT GTID_SUBSET(@@global.gtid_executed, ?)", set)
	if err != nil {
		return operations.Failed("Refused", "the server does not understand the set: %w", err)
	}
	if superset != "1" {
		more, err := s.value(ctx, "SELECT GTID_SUBTRACT(@@global.gtid_executed, ?)", set)
		if err != nil {
			return err
		}
		return operations.Failed("NotSuperset", "the server has executed %s, which the set does not have: it would forget them", strings.Join(strings.Fields(more), ""))
	}
	return nil
}

// resetHistory empties gtid_executed and removes the binary logs.
func resetHistory(ctx context.Context, s *session) error {
	err := s.exec(ctx, "RESET BINARY LOGS AND GTIDS")
	if number(err) == errParse {
		err = s.exec(ctx, "RESET MASTER")
	}
	return err
}

// channel by which the server replicates.
type channel struct {
	source, io, sql   string
	errno, lastErrors string
	// state is what the applier does.
	state string
}

// replicaStatus of all channels, by whatever name the server knows it.
func replicaStatus(ctx context.Context, s *session) ([]channel, error) {
	rows, err := s.rows(ctx, "SHOW REPLICA STATUS")
	if number(err) == errParse {
		rows, err = s.rows(ctx, "SHOW SLAVE STATUS")
	}
	if err != nil {
		return nil, err
	}
	var out []channel
	for _, r := range rows {
		get := func(names ...string) string {
			for _, name := range names {
				if v, ok := r.byName[name]; ok {
					return v
				}
			}
			return ""
		}
		out = append(out, channel{
			source:     get("Source_Host", "Master_Host"),
			io:         get("Replica_IO_Running", "Slave_IO_Running"),
			sql:        get("Replica_SQL_Running", "Slave_SQL_Running"),
			errno:      get("Last_SQL_Errno"),
			lastErrors: get("Last_SQL_Error"),
			state:      get("Replica_SQL_Running_State", "Slave_SQL_Running_State"),
		})
	}
	return out, nil
}
