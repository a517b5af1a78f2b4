// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Conditions of MysqlReplication and PostgresReplication. One is there while it is
// True, but for Ready, which is always there.
const (
	// ReplicationReady: the source accepts writes and every member replicates. Its
	// reason is the state of the topology.
	ReplicationReady = "Ready"
	// ReplicationInvalidSpec: the spec cannot be what it says. Roles are given by
	// status.accepted meanwhile.
	ReplicationInvalidSpec = "InvalidSpec"
	// ReplicationMemberTaken: another Replication owns a unit that this one lists;
	// nothing of that unit is touched.
	ReplicationMemberTaken = "MemberTaken"
	// ReplicationMemberMissing: a unit that the spec lists does not exist.
	ReplicationMemberMissing = "MemberMissing"
	// ReplicationSecretMissing: the Secret of the accounts, or a key of it, is missing.
	ReplicationSecretMissing = "SecretMissing"
	// ReplicationNameConflict: a Service or Secret that is to be made exists and is
	// somebody else's.
	ReplicationNameConflict = "NameConflict"
	// ReplicationQuotaExceeded and ReplicationRefused: the API server, or a policy,
	// refuses a child.
	ReplicationQuotaExceeded = "QuotaExceeded"
	ReplicationRefused       = "Refused"
	// ReplicationDegraded: the source accepts writes and a member does not replicate.
	ReplicationDegraded = "Degraded"
	// ReplicationWritesBlocked: commits wait, or there is no source that accepts any.
	ReplicationWritesBlocked = "WritesBlocked"
	// ReplicationProgressing: an operation is under way; its reason says which.
	ReplicationProgressing = "Progressing"
	// ReplicationSourceReplaceable: a GrpcCall that replaces the source's data may begin:
	// the other members are isolated and keep what they have.
	ReplicationSourceReplaceable = "SourceReplaceable"
	// ReplicationReleasePending: the object is being deleted, and a member that may be
	// the source was neither released nor seen to end.
	ReplicationReleasePending = "ReleasePending"
	// ReplicationPaused: the annotation unit-operator.io/paused is "true".
	ReplicationPaused = "Paused"
	// ReplicationNotActedOn: the object uses fields that this version of the operator
	// accepts and does nothing about; the message names them.
	ReplicationNotActedOn = "NotActedOn"
)
