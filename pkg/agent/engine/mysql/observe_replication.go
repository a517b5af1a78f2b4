// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// statusValue and variableValue select one value whose name depends on the version, or
// NULL where the plugin is not loaded.
func statusValue(names ...string) string { return namedValue("global_status", names) }

func variableValue(names ...string) string { return namedValue("global_variables", names) }

func namedValue(table string, names []string) string {
	for i, name := range names {
		names[i] = literal(name)
	}
	return "(SELECT MAX(variable_value) FROM performance_schema." + table +
		" WHERE variable_name IN (" + strings.Join(names, ", ") + "))"
}

// dumpThreads selects the receivers of other servers that this one sends to, a line
// each: id of the session, server_uuid, whether it may acknowledge, host. The receiver
// said the first two by variables of its session.
const dumpThreads = `(SELECT GROUP_CONCAT(CONCAT_WS('\t', t.processlist_id,
    COALESCE((SELECT MAX(CAST(u.variable_value AS CHAR)) FROM performance_schema.user_variables_by_thread u
      WHERE u.thread_id = t.thread_id AND u.variable_name IN ('replica_uuid', 'slave_uuid')), ''),
    COALESCE((SELECT MAX(CAST(k.variable_value AS CHAR)) FROM performance_schema.user_variables_by_thread k
      WHERE k.thread_id = t.thread_id AND k.variable_name IN ('rpl_semi_sync_replica', 'rpl_semi_sync_slave')), '0'),
    COALESCE(t.processlist_host, '')) ORDER BY t.processlist_id SEPARATOR '\n')
  FROM performance_schema.threads t WHERE t.processlist_command IN ('Binlog Dump', 'Binlog Dump GTID'))`

// applierError selects number and text of the applier's error: a worker's names the
// transaction, the coordinator's only refers to it. That the coordinator was stopped
// within a transaction is none (1756): it is started again.
const applierError = `(SELECT CONCAT(e.last_error_number, ' ', e.last_error_message) FROM (
    SELECT 1 AS place, channel_name, last_error_number, last_error_message FROM performance_schema.replication_applier_status_by_worker
    UNION ALL
    SELECT 2, channel_name, last_error_number, last_error_message FROM performance_schema.replication_applier_status_by_coordinator) e
  WHERE e.channel_name = '' AND e.last_error_number NOT IN (0, 1756) ORDER BY e.place LIMIT 1)`

// applierLag selects for how many microseconds the oldest transaction that is applied now
// has been committed on the source where it began. Servers since 8.0 say that; others do
// not read the comment.
const applierLag = `COALESCE(NULL /*!80001 , (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, applying_transaction_original_commit_timestamp, NOW(6)))
    FROM performance_schema.replication_applier_status_by_worker WHERE channel_name = '' AND applying_transaction <> '') */)`

// replicationQuery asks everything at once. It is the same for all versions since 5.7.
var replicationQuery = `SELECT @@global.version, @@global.server_uuid, @@global.gtid_executed, @@global.gtid_purged,
  @@global.read_only, @@global.super_read_only, @@global.event_scheduler,
  c.host, c.port, c.user, s.source_uuid, s.service_state, s.received_transaction_set, s.last_error_number, s.last_error_message,
  a.service_state, ` + applierError + `,
  GTID_SUBTRACT(COALESCE(s.received_transaction_set, ''), @@global.gtid_executed),
  ` + strings.Join([]string{
	variableValue("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"),
	variableValue("rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count"),
	variableValue("rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"),
	statusValue("Rpl_semi_sync_source_status", "Rpl_semi_sync_master_status"),
	statusValue("Rpl_semi_sync_replica_status", "Rpl_semi_sync_slave_status"),
	statusValue("Rpl_semi_sync_source_clients", "Rpl_semi_sync_master_clients"),
	statusValue("Rpl_semi_sync_source_wait_sessions", "Rpl_semi_sync_master_wait_sessions"),
	statusValue("Rpl_semi_sync_source_no_tx", "Rpl_semi_sync_master_no_tx"),
	statusValue("Rpl_semi_sync_source_yes_tx", "Rpl_semi_sync_master_yes_tx"),
	"(SELECT MAX(desired_delay) FROM performance_schema.replication_applier_configuration WHERE channel_name = '')",
	applierLag,
	dumpThreads,
}, ",\n  ") + `
FROM (SELECT 1) one
LEFT JOIN performance_schema.replication_connection_configuration c ON c.channel_name = ''
LEFT JOIN performance_schema.replication_connection_status s ON s.channel_name = ''
LEFT JOIN performance_schema.replication_applier_status a ON a.channel_name = ''`

// observed is an answer of a running server, with what only the agent needs.
type observed struct {
	version  version
	readOnly bool
	engine.MySQLReplication
	serverID string
	// receiver is the state of the receiver: ON, CONNECTING, OFF.
	receiver string
	// unapplied is what the channel has received and the server not executed.
	unapplied string
	// acknowledging is true while the running receiver may acknowledge.
	acknowledging bool
	dumps         []dumpThread
}

// dumpThread is a session that sends the binary log.
type dumpThread struct {
	id            int64
	serverUUID    string
	acknowledging bool
	host          string
}

// ObserveReplication implements engine.Replicator.
func (e *Engine) ObserveReplication(ctx context.Context) (engine.Replication, error) {
	db, err := e.pool()
	if err != nil {
		return engine.Replication{}, err
	}
	o, err := observe(ctx, db)
	if err != nil {
		return engine.Replication{ServerID: e.storedServerID(ctx)}, fmt.Errorf("asking the server for its replication: %w", err)
	}
	return engine.Replication{
		Answered: true,
		ServerID: o.serverID,
		ReadOnly: o.SuperReadOnly,
		MySQL:    &o.MySQLReplication,
	}, nil
}

// storedServerID reads the server_uuid of a stopped server. The volume may hang: it is
// given up with ctx, and asked by one at a time.
func (e *Engine) storedServerID(ctx context.Context) string {
	if !e.readingID.TryLock() {
		return ""
	}
	read := make(chan string, 1)
	go func() {
		defer e.readingID.Unlock()
		// An unreadable file leaves the identity unknown.
		id, _ := serverUUID(filepath.Join(e.env.DataDir(), "auto.cnf"))
		read <- id
	}()
	select {
	case id := <-read:
		return id
	case <-ctx.Done():
		return ""
	}
}

// rowQuerier is a pool or one connection.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// committingQuery asks for the transactions that threads own. It is asked before what is
// executed: a transaction passes from one to the other, and is seen in one of them.
const committingQuery = "SELECT @@global.gtid_owned"

func observe(ctx context.Context, db rowQuerier) (observed, error) {
	var (
		o                                         observed
		text, scheduler                           string
		host, user, source, receiver, retrieved   sql.NullString
		receiverMessage, applier, applierMessage  sql.NullString
		unapplied, dumps                          sql.NullString
		enabled, replicaEnabled, active, replica  sql.NullString
		port, receiverNumber, waitFor, delay, lag sql.NullInt64
		clients, waiting, unacknowledged, yesText sql.NullInt64
		owned                                     string
	)
	if err := db.QueryRowContext(ctx, committingQuery).Scan(&owned); err != nil {
		return observed{}, err
	}
	err := db.QueryRowContext(ctx, replicationQuery).Scan(&text, &o.serverID, &o.Executed, &o.Purged,
		&o.readOnly, &o.SuperReadOnly, &scheduler,
		&host, &port, &user, &source, &receiver, &retrieved, &receiverNumber, &receiverMessage,
		&applier, &applierMessage, &unapplied,
		&enabled, &waitFor, &replicaEnabled, &active, &replica, &clients, &waiting, &unacknowledged, &yesText, &delay, &lag, &dumps)
	if err != nil {
		return observed{}, err
	}
	if o.version, err = parseVersion(text); err != nil {
		return observed{}, err
	}
	o.Executed, o.Purged, o.Committing = gtids(o.Executed), gtids(o.Purged), ownedGTIDs(owned)
	o.EventScheduler = scheduler == "ON"
	o.receiver, o.unapplied = receiver.String, gtids(unapplied.String)
	o.acknowledging, o.Version = isOn(replica.String), o.version.String()
	o.SemiSync = engine.MySQLSemiSync{
		SourceEnabled: isOn(enabled.String), SourceActive: isOn(active.String), ReplicaEnabled: isOn(replicaEnabled.String),
		WaitFor: int(waitFor.Int64), Clients: int(clients.Int64), WaitingSessions: int(waiting.Int64),
		Unacknowledged: unacknowledged.Int64, Acknowledged: yesText.Int64,
	}
	// A server that never had a channel may have an empty one.
	if host.String != "" {
		o.Channel = &engine.MySQLChannel{
			Host: host.String, Port: int(port.Int64), User: user.String,
			SourceUUID: source.String, Receiving: receiver.String == "ON", Applying: applier.String == "ON",
			Retrieved:           gtids(retrieved.String),
			ReceiverErrorNumber: int(receiverNumber.Int64), ReceiverError: receiverMessage.String,
		}
		o.Channel.ApplierErrorNumber, o.Channel.ApplierError = splitError(applierMessage.String)
		o.Channel.Unapplied, o.Channel.Delay = o.unapplied, time.Duration(delay.Int64)*time.Second
		if o.version.atLeast(8, 0, 1) {
			// Clocks differ: what was committed in the future has no lag.
			o.Channel.Lag = new(time.Duration(max(0, lag.Int64)) * time.Microsecond)
		}
	}
	o.dumps, err = parseDumpThreads(dumps.String)
	for _, d := range o.dumps {
		o.DumpThreads = append(o.DumpThreads, engine.MySQLDumpThread{ServerUUID: d.serverUUID, Host: d.host, Acknowledging: d.acknowledging})
	}
	return o, err
}

// gtids is a GTID set on one line: the server breaks it after each UUID.
func gtids(set string) string { return strings.ReplaceAll(set, "\n", "") }

// serverUUIDs finds where the GTIDs of each server begin in gtid_owned, and ownerThread
// which thread owns one: uuid:3#47:4#48uuid:tag:1#49. Nothing separates two servers.
var (
	serverUUIDs = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	ownerThread = regexp.MustCompile(`#[0-9]+`)
)

// ownedGTIDs is gtid_owned as a GTID set.
func ownedGTIDs(text string) string {
	var sets []string
	places := serverUUIDs.FindAllStringIndex(text, -1)
	for i, at := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		sets = append(sets, strings.TrimRight(ownerThread.ReplaceAllString(text[at[0]:end], ""), ",\n"))
	}
	return strings.Join(sets, ",")
}

func isOn(value string) bool { return strings.EqualFold(value, "ON") || value == "1" }

// splitError reads "1062 Worker 1 failed ...".
func splitError(text string) (number int, message string) {
	first, rest, _ := strings.Cut(text, " ")
	number, err := strconv.Atoi(first)
	if err != nil {
		return 0, ""
	}
	return number, rest
}

// parseDumpThreads reads what dumpThreads selects.
func parseDumpThreads(text string) ([]dumpThread, error) {
	var threads []dumpThread
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("a binary log sender is described by %q", line)
		}
		id, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a binary log sender is described by %q", line)
		}
		threads = append(threads, dumpThread{id: id, serverUUID: fields[1], acknowledging: fields[2] == "1", host: fields[3]})
	}
	return threads, nil
}
