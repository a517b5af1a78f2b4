// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Conditions of a GrpcCall.
const (
	// ConditionAccepted is True once the call is valid and all it needs is there,
	// False while it waits for that, or was refused.
	ConditionAccepted = "Accepted"
	// ConditionRunning is True while the agent works on the operation, Unknown while
	// it does not answer.
	ConditionRunning = "Running"
	// ConditionCancelling is True since the first try to cancel the operation of a call
	// that was deleted.
	ConditionCancelling = "Cancelling"
	// ConditionPaused is True while the annotation unit-operator.io/paused is "true".
	ConditionPaused = "Paused"
	// ConditionComplete is True once there is a result; its reason is that of the
	// result.
	ConditionComplete = "Complete"
)

// Reasons of conditions and events of a GrpcCall. Those of a failure in the agent are the agent's.
const (
	// ReasonValid: Accepted is True.
	ReasonValid = "Valid"
	// ReasonInvalidParameters: type, action or parameters are not what they must be.
	ReasonInvalidParameters = "InvalidParameters"
	// ReasonUnitNotFound, ReasonTypeMismatch, ReasonOwnCommand and
	// ReasonBackupDisabled: the unit is not there, or not for this call.
	ReasonUnitNotFound   = "UnitNotFound"
	ReasonTypeMismatch   = "TypeMismatch"
	ReasonOwnCommand     = "OwnCommand"
	ReasonBackupDisabled = "BackupDisabled"
	// ReasonNotTheSource, ReasonOverwriteRequired, ReasonNoSource and
	// ReasonMemberOfReplication: the unit's Replication is in the way.
	ReasonNotTheSource        = "NotTheSource"
	ReasonOverwriteRequired   = "OverwriteRequired"
	ReasonNoSource            = "NoSource"
	ReasonMemberOfReplication = "MemberOfReplication"
	// ReasonReplicationPreparing: the unit's Replication isolates its other members first.
	ReasonReplicationPreparing = "ReplicationPreparing"
	// ReasonMemberTaken: several Replications list the unit.
	ReasonMemberTaken = "MemberTaken"
	// ReasonUnitRestarting and ReasonUnitLeaving: the unit's pod is replaced first, or
	// the unit is to be removed.
	ReasonUnitRestarting = "UnitRestarting"
	ReasonUnitLeaving    = "UnitLeaving"
	// ReasonServerStarting: the unit's server does not answer yet.
	ReasonServerStarting = "ServerStarting"
	// ReasonPodNotRunning, ReasonAgentUnavailable and ReasonNoJournal: nobody can be
	// asked.
	ReasonPodNotRunning    = "PodNotRunning"
	ReasonAgentUnavailable = "AgentUnavailable"
	ReasonNoJournal        = "NoJournal"
	// ReasonUnsupported: the unit's agent does not know the action.
	ReasonUnsupported = "Unsupported"
	// ReasonSecretMissing: a Secret, or a key in it, is missing.
	ReasonSecretMissing = "SecretMissing"

	// ReasonDispatching: the intent is recorded, the agent has not confirmed it.
	ReasonDispatching = "Dispatching"
	// ReasonBusy: another operation has the unit.
	ReasonBusy = "Busy"
	// ReasonStarted: the agent works on it.
	ReasonStarted = "Started"
	// ReasonInterrupted: the agent was restarted and goes on, or cleans up.
	ReasonInterrupted = "Interrupted"
	// ReasonCancelling and ReasonCancelled: it was deleted, or somebody else
	// cancelled it.
	ReasonCancelling = "Cancelling"
	ReasonCancelled  = "Cancelled"
	// ReasonCancelAbandoned: a deleted call went though the agent did not say that
	// its operation has ended.
	ReasonCancelAbandoned = "CancelAbandoned"

	// ReasonSucceeded: the result is Success.
	ReasonSucceeded = "Succeeded"
	// ReasonFailed: the agent gave no reason of its own.
	ReasonFailed = "Failed"
	// ReasonRefused: the agent refused to start it.
	ReasonRefused = "Refused"
	// ReasonSpecChanged: the spec is not the one that was to be started.
	ReasonSpecChanged = "SpecChanged"
	// ReasonOutcomeUnknown: nobody can tell what became of it. It is not run again.
	ReasonOutcomeUnknown = "OutcomeUnknown"

	// ReasonKeyCreated: the key of the set's backups was made.
	ReasonKeyCreated = "EncryptionKeyCreated"
)
