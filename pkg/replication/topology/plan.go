// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// State of a replication.
type State string

// Plan is what a decision comes to.
type Plan struct {
	// State is empty where a change or a step comes before it can be known.
	State State
	// Reason in one word, Message for people: what it waits for, and what ends that.
	Reason, Message string
	// Findings in addition to the state, in the order in which they matter.
	Findings []Finding
	// Change of what is recorded. It comes before everything else: a plan has a Change or
	// Steps, not both.
	Change *Change
	// Steps do not depend on each other: they may be made at the same time. What follows
	// from them is decided again from what they answered.
	Steps []Step
	// Members as they are to be reported in status.topology, in the members' order.
	Members []v1alpha1.ReplicationMemberStatus
	// Labels say which role each member's pod is labelled with; members that are missing
	// have none.
	Labels map[string]Role
	// MayReplace: the source's data may be replaced now.
	MayReplace bool
	// Requeue is when to decide again if nothing happens before; 0: no reason to.
	Requeue time.Duration
	// Memory for the next decision.
	Memory Memory
}

// Finding is one thing that a person should know.
type Finding struct {
	// Member it is about; empty: the replication.
	Member string
	// Reason in one word, Message what it means and what ends it.
	Reason, Message string
}

// Change of what is recorded.
type Change struct {
	Kind ChangeKind
	// To is what is recorded next.
	To Recorded
	// Reason and Message of the event that reports it; empty: none.
	Reason, Message string
	// Warning: the event is one.
	Warning bool
}

// ChangeKind is why something is recorded.
type ChangeKind string

const (
	// ChangeAdopt records the first source.
	ChangeAdopt ChangeKind = "Adopt"
	// ChangeBegin records an operation before its first call.
	ChangeBegin ChangeKind = "Begin"
	// ChangeResume raises the epoch of an operation that another process left.
	ChangeResume ChangeKind = "Resume"
	// ChangeCommit makes another member the source. It is given 2 seconds; one whose
	// outcome is not known is taken back by calls to agents alone.
	ChangeCommit ChangeKind = "Commit"
	// ChangeEnd records that an operation is over.
	ChangeEnd ChangeKind = "End"
	// ChangeDurability, ChangeSourcePod and ChangeData record a part.
	ChangeDurability ChangeKind = "Durability"
	ChangeSourcePod  ChangeKind = "SourcePod"
	ChangeData       ChangeKind = "Data"
)

// StepKind is what a step calls.
type StepKind string

// Kinds of steps.
const (
	StepPromote StepKind = "Promote"
	StepDemote  StepKind = "Demote"
	StepFollow  StepKind = "Follow"
	StepIsolate StepKind = "Isolate"
	StepRelease StepKind = "Release"
	// StepHold and StepUnhold set and lift the hold fence.
	StepHold   StepKind = "Hold"
	StepUnhold StepKind = "Unhold"
	// StepWait waits on the member until it has executed Position, at most Timeout.
	StepWait StepKind = "Wait"
	// StepProvision copies the data of Upstream to the member.
	StepProvision StepKind = "Provision"
	// StepEvidence keeps the transactions Position of the member as evidence.
	StepEvidence StepKind = "Evidence"
	// StepActivity asks what the member's clients are doing.
	StepActivity StepKind = "Activity"
	// StepObserve asks the member again.
	StepObserve StepKind = "Observe"
)

// Step is one call to the agent of one member.
type Step struct {
	Kind   StepKind
	Member string
	// Upstream to follow or to copy from, UpstreamPosition what it had executed.
	Upstream         Upstream
	UpstreamPosition string
	// Acknowledge: the replica may acknowledge commits.
	Acknowledge bool
	// Rule and Open of a source.
	Rule Rule
	Open bool
	// Slots are the members for which a PostgreSQL source keeps WAL, those of Rule included.
	Slots []string
	// Timeline that a PostgreSQL begins if it is promoted; 0: it is not to be.
	Timeline int64
	// ServerID expected of the member; empty: not checked.
	ServerID   string
	Generation int64
	// Replace permits to replace data that is not pristine, of the server ServerID.
	Replace  bool
	Position string
	// Timeout of a wait, or how long to wait before asking again.
	Timeout time.Duration
	// Epoch of the call.
	Epoch int64
	// Why in words, for the log.
	Why string
}

// Refusal is the answer of a call that was made in this pass and failed: it is not made
// again before the next.
type Refusal struct {
	Kind    StepKind
	Message string
}
