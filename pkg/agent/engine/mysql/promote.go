// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Promote implements engine.Replicator. The channel keeps its configuration.
func (e *Engine) Promote(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount) error {
	return inTime(ctx, e.promote(ctx, record, channel))
}

func (e *Engine) promote(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount) error {
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return err
	}
	o, err := observe(ctx, db)
	if err != nil {
		return err
	}
	if o.readOnly && !o.SuperReadOnly {
		if err := execControl(ctx, db, "SET GLOBAL super_read_only = ON"); err != nil {
			return err
		}
	}
	if o.Executed == "" {
		if err := markUnlogged(ctx, db); err != nil {
			return err
		}
	}
	if o.Channel != nil {
		if err := endFollowing(ctx, db, v); err != nil {
			return err
		}
	}
	record.Role = engine.RoleSource
	if err := enforce(ctx, db, semiSyncOf(v), record); err != nil {
		return err
	}
	return e.ensureChannelAccount(ctx, db, channel)
}

// markUnlogged gives data that no GTID names one that is purged: a replica without it
// would follow from the first transaction to come, and never have what was there before.
func markUnlogged(ctx context.Context, db *sql.DB) error {
	var uuid string
	var schemas int
	if err := db.QueryRowContext(ctx, "SELECT @@global.server_uuid, ("+countSchemas+")").Scan(&uuid, &schemas); err != nil || schemas == 0 {
		return err
	}
	return execControl(ctx, db, "SET GLOBAL gtid_purged = "+literal(uuid+":1"))
}

// endFollowing stops receiving, waits until all that was received is applied, and
// stops applying.
func endFollowing(ctx context.Context, db *sql.DB, v version) error {
	if _, err := receiverStopped(ctx, db, v); err != nil {
		return err
	}
	if err := applyReceived(ctx, db, v); err != nil {
		return err
	}
	return stopApplying(ctx, db, v)
}

// halfApplied selects the session of an applier that waits for the rest of a transaction,
// and has applied all that is whole.
const halfApplied = `SELECT t.processlist_id
FROM performance_schema.replication_applier_status_by_coordinator c
JOIN performance_schema.threads t ON t.thread_id = c.thread_id
JOIN performance_schema.replication_connection_status s ON s.channel_name = c.channel_name
WHERE c.channel_name = '' AND c.service_state = 'ON' AND c.processing_transaction <> ''
  AND s.service_state = 'OFF' AND GTID_SUBSET(s.received_transaction_set, @@global.gtid_executed)`

// stopApplying stops the applier of a stopped receiver. One with workers that has been
// given half of a transaction would wait a minute for the rest before it stops: it is
// killed, which rolls the transaction back.
func stopApplying(ctx context.Context, db *sql.DB, v version) error {
	if v.atLeast(8, 0, 1) {
		var id int64
		err := db.QueryRowContext(ctx, halfApplied).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("asking the applier what it waits for: %w", err)
		default:
			if err := applierKilled(ctx, db, id); err != nil {
				return err
			}
		}
	}
	return execControl(ctx, db, stopApplier(v))
}

// applierKilled returns when it has ended: one that is asked to stop meanwhile waits
// after all.
func applierKilled(ctx context.Context, db *sql.DB, id int64) error {
	if err := kill(ctx, db, id); err != nil {
		return fmt.Errorf("ending the applier: %w", err)
	}
	for {
		o, err := observe(ctx, db)
		if err != nil || o.Channel == nil || !o.Channel.Applying {
			return err
		}
		if !pause(ctx) {
			return fmt.Errorf("%w: the applier does not end", engine.ErrNotYet)
		}
	}
}

// receiverStopped stops the receiver and returns what was observed after that.
func receiverStopped(ctx context.Context, db *sql.DB, v version) (observed, error) {
	o, err := observe(ctx, db)
	if err != nil || o.Channel == nil || o.receiver == "OFF" {
		return o, err
	}
	if err := execControl(ctx, db, stopReceiver(v)); err != nil {
		return o, err
	}
	o, err = observe(ctx, db)
	if err == nil && o.Channel != nil && o.receiver != "OFF" {
		err = fmt.Errorf("%w: the receiver is %s after it was stopped", engine.ErrNotYet, o.receiver)
	}
	return o, err
}

// errApplierStart: the server did not start its applier.
var errApplierStart = errors.New("starting the applier")

// applyReceived waits until the server has executed what its stopped receiver
// received.
func applyReceived(ctx context.Context, db *sql.DB, v version) error {
	for {
		o, err := observe(ctx, db)
		if err != nil {
			return err
		}
		switch {
		case o.Channel == nil || o.unapplied == "":
			return nil
		case o.Channel.Applying:
		case o.Channel.ApplierErrorNumber != 0:
			return fmt.Errorf("%w: %s was received and cannot be applied: error %d: %s",
				engine.ErrWouldLose, o.unapplied, o.Channel.ApplierErrorNumber, o.Channel.ApplierError)
		default:
			if err := execControl(ctx, db, startApplier(v)); err != nil {
				return fmt.Errorf("%w: %w", errApplierStart, err)
			}
		}
		// Of an applier that stops meanwhile the server does not say so here: a second
		// at a time.
		var timedOut int
		err = db.QueryRowContext(ctx, "SELECT WAIT_FOR_EXECUTED_GTID_SET("+literal(o.Channel.Retrieved)+", 1)").Scan(&timedOut)
		if err != nil {
			return fmt.Errorf("applying %s: %w", o.unapplied, err)
		}
	}
}

// ensureChannelAccount makes the account that replicas log in with, on this server
// only and not in its binary log, so that it waits for nobody's acknowledgement.
func (e *Engine) ensureChannelAccount(ctx context.Context, db *sql.DB, c engine.ChannelAccount) error {
	if c.User == "" || c.Password == "" {
		// A released source in a new pod has none, and nobody to make it for.
		return nil
	}
	o, err := observe(ctx, db)
	if err != nil {
		return err
	}
	if e.channelAccountWorks(ctx, o.version, c) {
		return nil
	}
	if o.SuperReadOnly {
		// read_only stays on: ordinary clients do not get in.
		if err := execControl(ctx, db, "SET GLOBAL super_read_only = OFF"); err != nil {
			return err
		}
	}
	err = execControl(ctx, db, channelAccountStatements(o.version, c)...)
	if err != nil {
		err = fmt.Errorf("account %q: %w", c.User, withoutPassword(err, c))
	}
	if !o.SuperReadOnly {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if closeErr := execControl(ctx, db, "SET GLOBAL super_read_only = ON"); closeErr != nil {
		return fmt.Errorf("closing the server after making account %q: %w", c.User, closeErr)
	}
	return err
}

// channelAccountWorks logs in with the account: a password cannot be read back.
func (e *Engine) channelAccountWorks(ctx context.Context, v version, c engine.ChannelAccount) bool {
	db, err := openChannelAccount("unix", e.socket(), c, "")
	if err != nil {
		return false
	}
	defer db.Close()
	var granted []string
	err = eachRow(ctx, db, "SHOW GRANTS", func(scan func(...any) error) error {
		var grant string
		err := scan(&grant)
		if strings.Contains(strings.NewReplacer("`", "", "'", "").Replace(grant), c.User+"@%") {
			granted = append(granted, grant)
		}
		return err
	})
	for _, p := range channelPrivileges(v) {
		if !slices.ContainsFunc(granted, func(grant string) bool { return strings.Contains(grant, p) }) {
			return false
		}
	}
	return err == nil
}

// Open implements engine.Replicator. Tend has events run: clients need not wait until each
// of them is as it was.
func (e *Engine) Open(ctx context.Context, record engine.RoleRecord) error {
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return err
	}
	o, err := observe(ctx, db)
	if err != nil {
		return err
	}
	if o.Channel != nil && (o.receiver != "OFF" || o.Channel.Applying) {
		return fmt.Errorf("the server still follows %s:%d: promote it before it is opened", o.Channel.Host, o.Channel.Port)
	}
	if err := verify(ctx, db, semiSyncOf(v).forRecord(record)); err != nil {
		return fmt.Errorf("a source is opened only with its durability in force: %w", err)
	}
	if o.readOnly {
		// super_read_only goes off along with it.
		if err := execControl(ctx, db, "SET GLOBAL read_only = OFF"); err != nil {
			return err
		}
	}
	e.lingering.opened()
	e.scheduling.opened()
	return nil
}

// wantsEvents is what the configuration says of the event scheduler, which starts
// switched off on the command line.
func (e *Engine) wantsEvents(ctx context.Context, v version) (bool, error) {
	mysqld, err := e.env.Program("mysqld")
	if err != nil {
		return false, err
	}
	options, err := e.options(ctx, mysqld)
	if err != nil {
		return false, err
	}
	return eventsWanted(v, options), nil
}

// eventsWanted: servers since 8.0.3 run events unless configured otherwise.
func eventsWanted(v version, options map[string]string) bool {
	if _, ok := options["skip_event_scheduler"]; ok {
		return false
	}
	value, ok := options["event_scheduler"]
	if !ok {
		return v.atLeast(8, 0, 3)
	}
	switch strings.ToUpper(value) {
	case "", "ON", "1", "TRUE":
		return true
	}
	return false
}
