// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// Recorded is what the status of a Replication has: the truth about who is the source,
// and the journal of what is under way. Whoever changes it writes it as a whole, and only
// over the version that was read.
type Recorded struct {
	// Source is the member that accepts writes; empty: none ever did.
	Source string
	// Epoch of the last operation.
	Epoch int64
	// Data that the members replicate.
	Data v1alpha1.ReplicationData
	// Durability by which a failover is judged.
	Durability []v1alpha1.ReplicationDurabilityEntry
	// Operation under way; nil: none.
	Operation *v1alpha1.ReplicationOperation
	// LastTransition of the source.
	LastTransition *v1alpha1.ReplicationTransition
	// Members as status.topology has them. PodUID of the source's entry is the pod that
	// was last given the role: its end is what proves that the source ended.
	Members []v1alpha1.ReplicationMemberStatus
}

// Member of that name; nil: none.
func (r *Recorded) Member(name string) *v1alpha1.ReplicationMemberStatus {
	for i := range r.Members {
		if r.Members[i].Name == name {
			return &r.Members[i]
		}
	}
	return nil
}

// SourcePod is the pod that was last given the role of the source.
func (r *Recorded) SourcePod() types.UID {
	if m := r.Member(r.Source); m != nil {
		return m.PodUID
	}
	return ""
}

// Clone shares nothing with r that a change of either could reach.
func (r *Recorded) Clone() Recorded {
	c := *r
	c.Data = *r.Data.DeepCopy()
	c.Durability = make([]v1alpha1.ReplicationDurabilityEntry, 0, len(r.Durability))
	for i := range r.Durability {
		c.Durability = append(c.Durability, *r.Durability[i].DeepCopy())
	}
	c.Durability = slices.Clip(c.Durability)
	c.Operation, c.LastTransition = r.Operation.DeepCopy(), r.LastTransition.DeepCopy()
	c.Members = make([]v1alpha1.ReplicationMemberStatus, 0, len(r.Members))
	for i := range r.Members {
		c.Members = append(c.Members, *r.Members[i].DeepCopy())
	}
	return c
}

// Owns reports whether this process has itself recorded the operation at its epoch.
func (m *Memory) Owns(op *v1alpha1.ReplicationOperation) bool {
	return m.Operation == op.ID && m.Epoch == op.Epoch
}

// Forget the operation.
func (m *Memory) Forget() {
	m.Operation, m.Epoch, m.Fenced, m.Committed, m.Aborting, m.CommitUnknown = "", 0, "", false, "", false
	m.Begun, m.ClosedAt = time.Time{}, time.Time{}
}

// Own the operation from its first call, or from when it was resumed.
func (m *Memory) Own(op *v1alpha1.ReplicationOperation) {
	m.Forget()
	m.Operation, m.Epoch = op.ID, op.Epoch
}

// Phases of an operation.
const (
	// PhasePreparing: the source is open, nothing irreversible has happened. All up to the
	// commit is in this phase: what was done of it is observed, not recorded.
	PhasePreparing = "Preparing"
	// PhaseFencing of a failover: votes are collected and the fence is being proven.
	PhaseFencing = "Fencing"
	// PhaseOpening: the new source is committed, and opened once the others follow it.
	PhaseOpening = "Opening"
)

// Memory is what one process remembers of a replication between its decisions. Losing it
// costs time, never safety.
type Memory struct {
	// Operation, and Epoch at which this process itself has recorded it. One that another
	// process began is resumed: its epoch rises before the first call.
	Operation string
	Epoch     int64
	// Begun is when this process began it; zero: another one did.
	Begun time.Time
	// Fenced: this process has seen the former source fenced at Epoch.
	Fenced v1alpha1.FenceProof
	// Committed: this process has itself recorded the commit, and knows that it is.
	Committed bool
	// Aborting is why the operation is being taken back, in words; empty: it is not.
	Aborting string
	// CommitUnknown: the commit was written, and its outcome is not known. Until the old
	// source is open again only agents are called.
	CommitUnknown bool
	// ClosedAt is when the former source was closed.
	ClosedAt time.Time
	// FailingSince is when the source was first seen failing, BlockedSince when its
	// commits were first seen waiting for members that are not there.
	FailingSince, BlockedSince time.Time
	// AwaySince is since when the agent of a failing source does not answer; zero: it does.
	AwaySince time.Time
	// Stopped: the source was last seen stopped by a user.
	Stopped bool
	// NotBefore is when an operation that was refused or taken back is tried again.
	NotBefore time.Time
	// Refusal is why it was, in words.
	Refusal string
	// Positions that the source had, the newest last: how far a member lags is seen from
	// the newest of them that it has.
	Positions []Position
	// Provisioned is how many copies of a member have ended, by the member's name.
	Provisioned map[string]int
	// Settled is when the source's rule was first seen in force with nobody acknowledging
	// whom it does not name. Logged is looked at only after that.
	Settled time.Time
	// Logged is what the source had in its binary log after that, in the engine's own form,
	// commits that wait included; nil: it was not asked since.
	Logged any
	// SettledUnder is the list of promises that was recorded then: after another one, which
	// another operator may have recorded, nothing is settled.
	SettledUnder []v1alpha1.ReplicationDurabilityEntry
}

// Position of the source at a time.
type Position struct {
	At       time.Time
	ServerID string
	// Executed in the engine's own form.
	Executed any
}
