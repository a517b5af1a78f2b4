// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import "github.com/upmio/unit-operator/pkg/replication/topology"

// States of a replication; the first that fits is the state.
const (
	// Hibernated: the set was asked for no units. Nothing is done.
	Hibernated topology.State = "Hibernated"
	// Paused by a person: new pods get their recorded roles, nothing else is done.
	Paused topology.State = "Paused"
	// Blind: no agent answers. That is no evidence about any server.
	Blind topology.State = "Blind"
	// InOperation: a switchover or a failover is under way.
	InOperation topology.State = "InOperation"
	// Uninitialised: there is no primary yet.
	Uninitialised topology.State = "Uninitialised"
	// SplitBrain: more than one member is a primary; those that are not the recorded one are
	// being demoted.
	SplitBrain topology.State = "SplitBrain"
	// SourceLostData: the primary came back with other data, or with none.
	SourceLostData topology.State = "SourceLostData"
	// SourceStoppedByUser: its unit says startup: false.
	SourceStoppedByUser topology.State = "SourceStoppedByUser"
	// SourceUnreachable: its agent does not answer, and somebody else says that it lives.
	SourceUnreachable topology.State = "SourceUnreachable"
	// SourceFailed: the primary does not serve.
	SourceFailed topology.State = "SourceFailed"
	// SwitchoverDue: another primary is asked for, and the reason says why it waits.
	SwitchoverDue topology.State = "SwitchoverDue"
	// WritesBlocked: commits wait for members that are not there.
	WritesBlocked topology.State = "WritesBlocked"
	// SyncDegraded: commits are not waited for although they should be.
	SyncDegraded topology.State = "SyncDegraded"
	// Provisioning: a member's data is being made.
	Provisioning topology.State = "Provisioning"
	// Degraded: a member does not replicate.
	Degraded topology.State = "Degraded"
	// Healthy: all members are what they should be.
	Healthy topology.State = "Healthy"
)

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
	ReasonNoCandidate     = "NoCandidate"
	ReasonWritesBlocked   = "WritesBlocked"
	ReasonReplicaMade     = "ReplicaBeingMade"
	ReasonUnacknowledged  = "Unacknowledged"
	ReasonNotInForce      = "NotInForce"
	ReasonDiverged        = "MembersDiverged"
	ReasonReplicating     = "NotReplicating"
	ReasonUnreachable     = "Unreachable"
	ReasonProvisioning    = "Provisioning"
	ReasonNeedsPermission = "NeedsPermission"
	ReasonNotOwned        = "NotOwned"
	ReasonLostData        = "LostData"
	ReasonStoppedByUser   = "StoppedByUser"
	ReasonOnlyMember      = "OnlyMember"
	ReasonDurability      = "DurabilityNeedsIt"
	ReasonSourceFailed    = "SourceFailed"
	ReasonTargetUnfit     = "TargetUnfit"
	ReasonLeaseOld        = "LeaseNotRenewed"
	ReasonNotEnabled      = "FailoverNotEnabled"
	ReasonTooSoon         = "FailoverTooSoon"
	ReasonDelay           = "WaitingForDelay"
	ReasonForced          = "Forced"
	ReasonTakenBack       = "TakenBack"
	ReasonRequested       = "Requested"
	ReasonEvacuated       = "Evacuated"
	ReasonNotFenced       = "FenceNotProven"
	ReasonDataLossRisk    = "DataLossRisk"
)

// Reasons of events.
const (
	EventAdopted           = "SourceAdopted"
	EventDurabilityChanged = "DurabilityChanged"
	EventDurabilityRevoked = "DurabilityRevoked"
	EventTimeline          = "TimelineBegun"
	EventSwitchoverStarted = "SwitchoverStarted"
	EventSwitchoverDone    = "SwitchoverSucceeded"
	EventSwitchoverBack    = "SwitchoverTakenBack"
	EventFailoverStarted   = "FailoverStarted"
	EventFailoverDone      = "FailoverSucceeded"
	EventFailoverRefused   = "FailoverRefused"
	EventCommitted         = "SourceChanged"
	EventResumed           = "OperationResumed"
	EventOpeningFailed     = "PromotionFailed"
)
