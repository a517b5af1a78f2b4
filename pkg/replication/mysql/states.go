// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import "github.com/upmio/unit-operator/pkg/replication/topology"

// States of a replication; docs/replication.md explains them. The first that fits is
// the state.
const (
	// Hibernated: the set was asked for no units. Nothing is done.
	Hibernated topology.State = "Hibernated"
	// Paused by a person: new pods get their recorded roles, nothing else is done.
	Paused topology.State = "Paused"
	// Blind: no agent answers. That is no evidence about any server.
	Blind topology.State = "Blind"
	// InOperation: a switchover or a failover is under way.
	InOperation topology.State = "InOperation"
	// Uninitialised: there is no source yet.
	Uninitialised topology.State = "Uninitialised"
	// SplitBrain: more than one member takes writes; those that are not the source are
	// being closed.
	SplitBrain topology.State = "SplitBrain"
	// SourceInOperation: the source's data is being replaced on request.
	SourceInOperation topology.State = "SourceInOperation"
	// SourceLostData: the source came back with other data, or with none.
	SourceLostData topology.State = "SourceLostData"
	// SourceStoppedByUser: its unit says startup: false.
	SourceStoppedByUser topology.State = "SourceStoppedByUser"
	// SourceUnreachable: its agent does not answer, and somebody else says that it lives.
	SourceUnreachable topology.State = "SourceUnreachable"
	// SourceFailed: the source does not serve.
	SourceFailed topology.State = "SourceFailed"
	// SwitchoverDue: another source is asked for, and the reason says why it waits.
	SwitchoverDue topology.State = "SwitchoverDue"
	// WritesBlocked: commits wait for members that are not there.
	WritesBlocked topology.State = "WritesBlocked"
	// SemiSyncDegraded: commits are not waited for although they should be.
	SemiSyncDegraded topology.State = "SemiSyncDegraded"
	// Provisioning: a member's data is being made.
	Provisioning topology.State = "Provisioning"
	// Degraded: a member does not replicate.
	Degraded topology.State = "Degraded"
	// Healthy: all members are what they should be.
	Healthy topology.State = "Healthy"
)

// Writes reports whether commits of clients are acknowledged in a state; known is false
// where that cannot be seen.
func Writes(s topology.State) (acknowledged, known bool) {
	switch s {
	case Blind, SourceUnreachable, Paused, InOperation:
		return false, false
	case Healthy, Degraded, Provisioning, SemiSyncDegraded, SwitchoverDue:
		return true, true
	}
	return false, true
}

// Reasons, in one word.
const (
	ReasonPaused          = "Paused"
	ReasonHibernated      = "Hibernated"
	ReasonBlind           = "NoAgentAnswers"
	ReasonHealthy         = "Healthy"
	ReasonWaiting         = "Waiting"
	ReasonSplitBrain      = "SplitBrain"
	ReasonNoSource        = "NoSource"
	ReasonOtherData       = "OtherMembersHaveData"
	ReasonDataLossRisk    = "DataLossRisk"
	ReasonNotFenced       = "FenceNotProven"
	ReasonDiverged        = "MembersDiverged"
	ReasonNoCandidate     = "NoCandidate"
	ReasonNotEnabled      = "FailoverNotEnabled"
	ReasonTooSoon         = "FailoverTooSoon"
	ReasonDelay           = "WaitingForDelay"
	ReasonTargetUnfit     = "TargetUnfit"
	ReasonWritesBlocked   = "WritesBlocked"
	ReasonReplicaMade     = "ReplicaBeingMade"
	ReasonUnacknowledged  = "Unacknowledged"
	ReasonNotInForce      = "NotInForce"
	ReasonErrant          = "ErrantTransactions"
	ReasonReplicating     = "NotReplicating"
	ReasonVersions        = "VersionsApart"
	ReasonUnreachable     = "Unreachable"
	ReasonProvisioning    = "Provisioning"
	ReasonNeedsPermission = "NeedsPermission"
	ReasonNotOwned        = "NotOwned"
	ReasonLostData        = "LostData"
	ReasonStoppedByUser   = "StoppedByUser"
	ReasonReplacing       = "SourceInOperation"
	ReasonOnlyMember      = "OnlyMember"
	ReasonDurability      = "DurabilityNeedsIt"
	ReasonRequested       = "Requested"
	ReasonEvacuated       = "Evacuated"
	ReasonSourceFailed    = "SourceFailed"
	ReasonForced          = "Forced"
	ReasonTakenBack       = "TakenBack"
	ReasonLeaseOld        = "LeaseNotRenewed"
)

// Reasons of events.
const (
	EventAdopted           = "SourceAdopted"
	EventSwitchoverStarted = "SwitchoverStarted"
	EventSwitchoverDone    = "SwitchoverSucceeded"
	EventSwitchoverBack    = "SwitchoverTakenBack"
	EventFailoverStarted   = "FailoverStarted"
	EventFailoverDone      = "FailoverSucceeded"
	EventFailoverRefused   = "FailoverRefused"
	EventCommitted         = "SourceChanged"
	EventResumed           = "OperationResumed"
	EventDurabilityChanged = "DurabilityChanged"
	EventDurabilityRevoked = "DurabilityRevoked"
	EventReplacementDue    = "ReplacementDue"
	EventDataReplaced      = "DataReplaced"
	EventDataKept          = "DataKept"
	EventOpenedLater       = "WritesWaitForReplicas"
)
