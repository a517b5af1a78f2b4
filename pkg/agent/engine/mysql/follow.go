// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// connectWait is how long Follow waits for a receiver to be connected.
const connectWait = 5 * time.Second

// errAccessDenied is a receiver's error when its password has changed.
const errAccessDenied = 1045

// channelOptions are what the agent decides of a channel.
type channelOptions struct {
	host                 string
	port                 int
	user                 string
	autoPosition         bool
	retryInterval, retry int
	tls, publicKey       bool
	storedPassword       bool
	// ca is the file of the authority that the upstream's certificate is checked by; empty:
	// it is not.
	ca string
}

// wantedOptions of a channel to an upstream.
func wantedOptions(v version, u engine.Upstream, user, ca string) channelOptions {
	return channelOptions{
		host: u.Host, port: u.Port, user: user,
		autoPosition: true, retryInterval: 1, retry: 0,
		tls: true, publicKey: v.atLeast(8, 0, 4), ca: ca,
	}
}

// optionsQuery reads them. Passwords are in the table of the old name in all versions.
func optionsQuery(v version) string {
	publicKey := "0"
	if v.atLeast(8, 0, 4) {
		publicKey = "get_public_key = 'YES'"
	}
	return `SELECT host, port, user, auto_position = '1', connection_retry_interval, connection_retry_count, ssl_allowed = 'YES', ` + publicKey + `,
  EXISTS (SELECT 1 FROM mysql.slave_master_info WHERE channel_name = '' AND COALESCE(user_password, '') <> ''), COALESCE(ssl_ca_file, '')
FROM performance_schema.replication_connection_configuration WHERE channel_name = ''`
}

func readOptions(ctx context.Context, db *sql.DB, v version) (channelOptions, error) {
	var o channelOptions
	err := db.QueryRowContext(ctx, optionsQuery(v)).Scan(&o.host, &o.port, &o.user, &o.autoPosition,
		&o.retryInterval, &o.retry, &o.tls, &o.publicKey, &o.storedPassword, &o.ca)
	if errors.Is(err, sql.ErrNoRows) {
		return channelOptions{}, nil
	}
	return o, err
}

// Follow implements engine.Replicator.
func (e *Engine) Follow(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount, upstreamExecuted string) error {
	err := e.follow(ctx, record, channel, upstreamExecuted)
	if err == nil {
		e.lingering.follows(time.Now())
	}
	return inTime(ctx, err)
}

func (e *Engine) follow(ctx context.Context, record engine.RoleRecord, channel engine.ChannelAccount, upstreamExecuted string) error {
	if record.Upstream == nil {
		return errors.New("the record names no upstream to follow")
	}
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return err
	}
	o, err := observe(ctx, db)
	if err != nil {
		return err
	}
	if !o.readOnly {
		return errors.New("the server takes writes: demote it before it follows")
	}
	if !o.SuperReadOnly {
		if err := execControl(ctx, db, "SET GLOBAL super_read_only = ON"); err != nil {
			return err
		}
	}
	had, err := readOptions(ctx, db, v)
	if err != nil {
		return fmt.Errorf("reading the replication channel: %w", err)
	}
	ca := engine.ChannelCA(e.env)
	if had != wantedOptions(v, *record.Upstream, channel.User, ca) {
		change := changeSource(v, *record.Upstream, channel.User, ca, had.ca != "")
		if err := pointTo(ctx, db, v, change, channel, upstreamExecuted); err != nil {
			return err
		}
	}
	// A receiver asks whether it may acknowledge when it starts.
	if o.acknowledging != record.Acknowledge || o.SemiSync.ReplicaEnabled != record.Acknowledge {
		if _, err := receiverStopped(ctx, db, v); err != nil {
			return err
		}
	}
	record.Role = engine.RoleReplica
	if err := enforce(ctx, db, semiSyncOf(v), record); err != nil {
		return err
	}
	return receive(ctx, db, v, *record.Upstream, channel, ca)
}

// pointTo changes the channel, which empties the relay log: only once nothing in it is
// needed. The receiver stays stopped if it is.
func pointTo(ctx context.Context, db *sql.DB, v version, change string, channel engine.ChannelAccount, upstreamExecuted string) error {
	o, err := receiverStopped(ctx, db, v)
	if err != nil {
		return err
	}
	if o.unapplied != "" {
		if err := keepReceived(ctx, db, v, o, upstreamExecuted); err != nil {
			return err
		}
	}
	if o.Channel != nil {
		if err := stopApplying(ctx, db, v); err != nil {
			return err
		}
	}
	return withoutPassword(execControl(ctx, db, change), channel)
}

// keepReceived applies what the stopped receiver received, though the new upstream may
// have it too: this server has acknowledged it, and is counted on should that upstream be
// gone before it has sent it again. Only where the applier cannot, or waits for
// SOURCE_DELAY, does it do that the upstream has it.
func keepReceived(ctx context.Context, db *sql.DB, v version, o observed, upstreamExecuted string) error {
	if o.Channel.Delay == 0 {
		if err := applyReceived(ctx, db, v); err == nil || !cannotApply(err) {
			return err
		}
	}
	contained, err := contains(ctx, db, upstreamExecuted, o.Executed, o.Channel.Retrieved)
	if err != nil || contained {
		return err
	}
	if err := applyReceived(ctx, db, v); err != nil {
		return fmt.Errorf("the upstream is not known to have all that was received here: %w", err)
	}
	return nil
}

// cannotApply is true of an error of applyReceived that waiting does not mend: the
// applier stopped on one, or the server refuses to start it.
func cannotApply(err error) bool {
	var refused *mysql.MySQLError
	return errors.Is(err, engine.ErrWouldLose) || errors.Is(err, errApplierStart) && errors.As(err, &refused)
}

// contains asks whether a GTID set has all that others have.
func contains(ctx context.Context, db *sql.DB, set string, others ...string) (bool, error) {
	if set == "" {
		return false, nil
	}
	var all []string
	for _, o := range others {
		if o != "" {
			all = append(all, o)
		}
	}
	var contained bool
	err := db.QueryRowContext(ctx, "SELECT GTID_SUBSET("+literal(strings.Join(all, ","))+", "+literal(set)+")").Scan(&contained)
	if err != nil {
		return false, fmt.Errorf("comparing GTID sets: %w", err)
	}
	return contained, nil
}

// receive starts what does not run of the channel and returns when it receives. A
// receiver that finds no source continues to try when this returns.
func receive(ctx context.Context, db *sql.DB, v version, u engine.Upstream, channel engine.ChannelAccount, ca string) error {
	wait, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	for {
		o, err := observe(ctx, db)
		if err != nil {
			return err
		}
		if o.Channel == nil {
			return errors.New("the replication channel is gone")
		}
		next, err := nextStep(o, u)
		if err != nil {
			return errors.Join(err, execControl(ctx, db, stopReceiver(v)))
		}
		if !o.Channel.Applying && o.Channel.ApplierErrorNumber == 0 {
			if err := execControl(ctx, db, startApplier(v)); err != nil {
				return err
			}
		}
		switch next {
		case stepNone:
			return nil
		case stepRestart, stepStart:
			if err := startReceiving(ctx, db, v, u, channel, ca, next == stepRestart); err != nil {
				return err
			}
		}
		if !pause(wait) {
			return fmt.Errorf("%w: connecting to %s:%d: error %d: %s", engine.ErrNotYet,
				u.Host, u.Port, o.Channel.ReceiverErrorNumber, o.Channel.ReceiverError)
		}
	}
}

// step is what a channel's receiver needs.
type step int

const (
	// stepNone: it receives.
	stepNone step = iota
	// stepWait: it connects.
	stepWait
	stepStart
	// stepRestart: it was started with a password that is refused.
	stepRestart
)

// nextStep decides on the receiver of a channel to an upstream. An error means that
// it must stop: it is connected to another server, which has the upstream's name now.
func nextStep(o observed, u engine.Upstream) (step, error) {
	switch {
	case o.receiver == "OFF":
		return stepStart, nil
	case o.receiver == "ON" && u.ServerID != "" && o.Channel.SourceUUID != "" && o.Channel.SourceUUID != u.ServerID:
		return stepNone, wrongUpstream(u, o.Channel.SourceUUID)
	case o.receiver == "ON":
		return stepNone, nil
	case o.Channel.ReceiverErrorNumber == errAccessDenied:
		return stepRestart, nil
	}
	return stepWait, nil
}

func wrongUpstream(u engine.Upstream, found string) error {
	return fmt.Errorf("%s:%d is the server %s, not %s of unit %s", u.Host, u.Port, found, u.ServerID, u.Name)
}

// startReceiving starts the receiver, once the server at the upstream's address is
// known to be the one that is meant: what is received from another cannot be kept
// apart later.
func startReceiving(ctx context.Context, db *sql.DB, v version, u engine.Upstream, channel engine.ChannelAccount, ca string, stopFirst bool) error {
	if err := checkUpstream(ctx, u, channel, ca); err != nil {
		return err
	}
	if stopFirst {
		if err := execControl(ctx, db, stopReceiver(v)); err != nil {
			return err
		}
	}
	return withoutPassword(execControl(ctx, db, startReceiver(v, channel)), channel)
}

// checkUpstream asks the upstream for its server_uuid, as the channel's account.
func checkUpstream(ctx context.Context, u engine.Upstream, channel engine.ChannelAccount, ca string) error {
	if u.ServerID == "" {
		return nil
	}
	db, err := openChannelAccount("tcp", fmt.Sprintf("%s:%d", u.Host, u.Port), channel, ca)
	if err != nil {
		return err
	}
	defer db.Close()
	var id string
	if err := db.QueryRowContext(ctx, "SELECT @@global.server_uuid").Scan(&id); err != nil {
		return fmt.Errorf("%w: asking %s:%d for its identity: %w", engine.ErrNotYet, u.Host, u.Port, withoutPassword(err, channel))
	}
	if id != u.ServerID {
		return wrongUpstream(u, id)
	}
	return nil
}

// StopReceiver implements engine.Replicator.
func (e *Engine) StopReceiver(ctx context.Context) error { return inTime(ctx, e.stopReceiver(ctx)) }

func (e *Engine) stopReceiver(ctx context.Context) error {
	db, v, err := e.controlVersion(ctx)
	if err != nil {
		return err
	}
	o, err := receiverStopped(ctx, db, v)
	if err != nil {
		return err
	}
	off := []setting{{semiSyncOf(v).replicaEnabled, "OFF"}}
	if o.SemiSync.ReplicaEnabled {
		if err := execControl(ctx, db, setGlobal(off[0])); err != nil {
			return err
		}
		if err := verify(ctx, db, off); err != nil {
			return err
		}
	}
	if o.Channel != nil && !o.Channel.Applying && o.Channel.ApplierErrorNumber == 0 {
		return execControl(ctx, db, startApplier(v))
	}
	return nil
}
