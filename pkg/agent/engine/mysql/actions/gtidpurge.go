// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"strings"

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
	executed, err := s.value(ctx, "SELECT GTID_SUBTRACT(@@global.gtid_executed, @@global.gtid_purged)")
	if err != nil {
		return nil, err
	}
	if err := op.SetPhase(phasePurge, nil); err != nil {
		return nil, err
	}
	if executed != "" {
		// gtid_purged takes nothing that the binary log still holds.
		if err := resetHistory(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := s.exec(ctx, "SET GLOBAL gtid_purged = "+mysql.Literal(set)); err != nil {
		return nil, operations.Failed("Refused", "the server refuses the set: %w", err)
	}
	now, err := s.value(ctx, "SELECT @@global.gtid_purged")
	if err != nil {
		return nil, err
	}
	now = strings.Join(strings.Fields(now), "")
	return map[string]string{"gtidPurged": now, "message": "gtid_purged is " + now}, nil
}

// Recover implements operations.Recoverer: between the two statements the only way
// is forward.
func (a gtidPurge) Recover(phase string) operations.Recovery {
	if phase == phasePurge {
		return operations.RecoverAtOnce
	}
	return operations.RecoverByAbandon
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
