// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"syscall"
	"time"
)

// Engine is one kind of database server. Each implementing package exports
//
//	func New(env engine.Env) engine.Engine
//
// which does no I/O: supervise and serve both make one, in different containers
// that share the data mount, the socket directory and the state directory. The
// methods used by both (Check, Observe, Metrics) rely on nothing in memory.
//
// Methods are safe for concurrent use, except that supervise calls Prepare,
// Inspect, Initialize and Command one at a time and never while a server runs.
type Engine interface {
	// Type is mysql, postgresql or proxysql.
	Type() string

	// Prepare readies everything but the database for a start: creates the
	// directories that are missing, sets permissions (PGDATA 0700), writes the
	// configuration into env.ConfigDir and the client option files into
	// env.HomeDir. It runs before every start, after Initialize if there was one,
	// and once before Initialize too, so it must cope with an absent data
	// directory. Files are replaced by rename, so that a reader sees all or
	// nothing.
	Prepare(ctx context.Context, start Start) error

	// Inspect looks at the data directory without a server and without changing
	// anything.
	Inspect(ctx context.Context) (Data, error)

	// Initialize makes a virgin database with the accounts given, beneath
	// env.SideDir("initialize"), and renames it to env.DataDir() as its last
	// step. What an interrupted earlier call left in that side directory is
	// removed first; it never held anything a client wrote. It is an error if
	// env.DataDir() exists and is not an empty directory. When ctx ends it kills
	// and reaps what it started and returns the context's error.
	Initialize(ctx context.Context, start Start, accounts Accounts) error

	// Command is the server in the foreground: its path, arguments and
	// environment. Managed servers start read-only.
	Command(ctx context.Context, start Start) (Command, error)

	// StopPlan is how the server is stopped for a reason: one signal after another,
	// each with the time it is given. After the last one supervise sends SIGKILL to all
	// its processes, so an empty plan kills at once. It may ask the running server, and
	// close it, within ctx; start is what the server was started with. A plan that is
	// not there when ctx ends counts as empty.
	//
	// StopPodEnd: together with the preStop hook's minute it must fit the pod's grace
	// period of 600 seconds: at most 530 seconds. StopFence: a few seconds. It is asked
	// again with StopFence if a fence comes while another stop is under way.
	StopPlan(ctx context.Context, reason StopReason, start Start) []StopStep

	// NeedsRole is true if a managed server that has been given no role must not be
	// started even to be read: it would write to its data.
	NeedsRole() bool

	// RestartExitStatus is the exit status by which the server asks its monitor
	// to start it again (MySQL: 16); ok is false if it has none.
	RestartExitStatus() (status int, ok bool)

	// Check returns nil when the server answers a query on the local socket
	// (SELECT 1; ProxySQL: on its admin interface). It is the readiness of the
	// database container, so it starts no process, keeps to ctx's deadline and
	// says nothing of lag. It is called about once a second.
	Check(ctx context.Context) error

	// Observe reads what the running server says of itself, by socket login.
	Observe(ctx context.Context) (Observation, error)

	// EnsureAccounts makes the agent's own account and those given what
	// Initialize would have made them: it creates what is missing, sets the
	// passwords and grants, and removes nothing. A server must be running and
	// writable by the agent. It writes each time, so callers call it when
	// something changed. reach says whether replicas are to get it too.
	EnsureAccounts(ctx context.Context, accounts Accounts, reach Reach) error

	// Metrics are the samples for /metrics of a running server.
	Metrics(ctx context.Context) ([]Sample, error)
}

// Start is what a start of the server is made from. It comes from the last Apply
// the agent acknowledged.
type Start struct {
	// Files of the configuration by base name: my.cnf, postgresql.conf,
	// pg_hba.conf, proxysql.cnf, and what else the template's ConfigMap has.
	Files map[string][]byte
	// ConfigHash names the content of Files.
	ConfigHash string
	// Managed is true for a unit that only its Replication may open for writes: a
	// MySQL starts super_read_only, whatever Role says.
	Managed bool
	// Role recorded for a start without the operator. Empty until a Replication
	// has given one.
	Role Role
	// Record is all that the Replication recorded, for engines that are Replicators.
	Record RoleRecord
	// Channel is the account that the recorded upstream is reached with.
	Channel ChannelAccount
}

// Reach of a change of accounts. It makes a difference to MySQL only: a
// PostgreSQL primary has no change that its standbys do not get, and a ProxySQL
// has no replicas.
type Reach string

const (
	// ReachServer changes this server only and leaves no transaction: for what a
	// clone or a physical restore brought along.
	ReachServer Reach = "server"
	// ReachReplicas writes ordinary transactions that replicas apply: for a
	// changed Secret on a source or on a standalone server.
	ReachReplicas Reach = "replicas"
)

// Role of a server in its topology.
type Role string

const (
	// RoleStandalone belongs to no Replication and is writable.
	RoleStandalone Role = "standalone"
	// RoleManaged waits for its Replication, read-only.
	RoleManaged Role = "managed"
	// RoleSource takes writes.
	RoleSource Role = "source"
	// RoleReplica follows a source.
	RoleReplica Role = "replica"
	// RoleIsolated is read-only without an upstream: it receives nothing and
	// acknowledges nothing.
	RoleIsolated Role = "isolated"
)

// DataState says what lies in the data directory.
type DataState string

const (
	// DataNone: the data directory is absent or empty.
	DataNone DataState = "none"
	// DataComplete: a database that a server can be started on.
	DataComplete DataState = "complete"
	// DataUnknown: something that is no complete database of this engine. It is
	// never touched.
	DataUnknown DataState = "unknown"
)

// Data is what Inspect finds.
type Data struct {
	State DataState
	// SystemID is server_uuid (MySQL, from auto.cnf), the system identifier
	// (PostgreSQL, decimal, from global/pg_control) or a random id kept beside
	// the database (ProxySQL). Empty when State is not DataComplete, and when a
	// MySQL has lost its auto.cnf.
	SystemID string
	// Version of the data as the engine writes it on disk (PG_VERSION); empty if
	// the engine writes none.
	Version string
	// Message says for people why State is DataUnknown.
	Message string
}

// Observation is what a running server says of itself.
type Observation struct {
	// Version as the server reports it, for example 8.4.6.
	Version string
	// SystemID as in Data.
	SystemID string
	// Writable is true when the server accepts writes of ordinary users now.
	Writable bool
	// Virgin is true while nothing but initialisation has written (MySQL:
	// gtid_executed empty; PostgreSQL: no database, role or relation beyond what
	// Initialize made; ProxySQL: always true, it holds no data of its own).
	Virgin bool
}

// Command is a process to start. Secrets are in neither Args nor Env.
type Command struct {
	// Path is absolute.
	Path string
	// Args without the program's name.
	Args []string
	// Env replaces the environment. supervise adds MYSQLD_PARENT_PID where the
	// engine has a RestartExitStatus.
	Env []string
	// Dir is the working directory; empty for the current one.
	Dir string
}

// StopStep is one attempt to stop a server.
type StopStep struct {
	Signal syscall.Signal
	// Wait is how long to wait for the exit before the next step.
	Wait time.Duration
}

// SampleType is the type of a metric.
type SampleType string

const (
	// Gauge goes up and down.
	Gauge SampleType = "gauge"
	// Counter only rises, and restarts at zero with the server.
	Counter SampleType = "counter"
)

// Sample is one value of one metric.
type Sample struct {
	// Name in Prometheus form, with the engine's prefix: mysql_threads_connected.
	Name string
	Help string
	Type SampleType
	// Labels beyond those every metric of the unit carries. All samples of one
	// name have the same label names.
	Labels map[string]string
	Value  float64
}
