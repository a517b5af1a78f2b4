// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

// Rules that keep acknowledged data. All are on in a true world; each can be switched
// off, to see that the simulator finds what comes of it.
type Rules struct {
	// KillWaiting: a server with commits that wait for an acknowledgement is killed; it
	// is neither sent SIGTERM nor made asynchronous, which would acknowledge them.
	KillWaiting bool
	// IsolatedRole: a vote is a role of its own, on disk before it is answered. Off: a
	// restart resumes what was recorded before it.
	IsolatedRole bool
	// PositionsAfterVote: the positions in the answer of a vote were read after the
	// receiver was seen stopped.
	PositionsAfterVote bool
	// RecordedDurability: the record has the durability, and a source that is started
	// again opens with it in force. Off: it opens asynchronous.
	RecordedDurability bool
	// DurabilityBeforeOpen: a promoted server is opened after its durability is in
	// force. Off: before.
	DurabilityBeforeOpen bool
	// ClosedStart: a server that its record does not call an open source does
	// not open when it is started.
	ClosedStart bool
	// ProvenStop: that a hold is acknowledged proves no stop. Off: the agent reports
	// the proof at once.
	ProvenStop bool
	// PodEndProven: no new pod of a unit is made before the end of the one before it is
	// proven.
	PodEndProven bool
	// KeepReceived: following changes the channel only on a difference, and only when
	// nothing received is lost.
	KeepReceived bool
	// ApplyFirst: before the channel changes, what was received is applied, though the new
	// upstream has it too: a member that has acknowledged it is counted on. An applier that
	// cannot, or only after a delay, is not modelled.
	ApplyFirst bool
	// KeepRelayLog: relay_log_recovery = OFF.
	KeepRelayLog bool
	// SyncRelayLog: sync_relay_log = 1.
	SyncRelayLog bool
	// NeverDegrade: a commit waits as long as it takes. Off: the wait times out and the
	// server continues asynchronously.
	NeverDegrade bool
	// CallOrder: an agent refuses a call that does not come after the last one.
	CallOrder bool
	// EpochOrder: an agent refuses a call of a lower epoch.
	EpochOrder bool
	// AcknowledgedIsolate: a member has left when its agent has said so. Off: a call that
	// nobody answered counts as one that was.
	AcknowledgedIsolate bool
	// ForeignReceivers: the source's agent cuts off receivers that acknowledge and are
	// no members. That it looks once a second only is not modelled.
	ForeignReceivers bool

	// LeftMayCount: a source counts the acknowledgements of receivers that have left, and
	// an entry of the durability list says so until what they acknowledged is elsewhere.
	// Off: that entry is not there when the operator reads.
	LeftMayCount bool
	// LoggedPositions: what a source says that it has logged has the commits that wait.
	// Off: it tells only what it has executed.
	LoggedPositions bool
	// DurabilityList: an entry of the durability list counts until its successor is
	// proven. Off: only the newest entry is there when the operator reads.
	DurabilityList bool
	// CountQuorum: R + W > N. Off: while a failover collects votes each promise reads as
	// one of all members, by which any vote is enough.
	CountQuorum bool
	// CompareAndSwap: what was recorded since it was read is not written over.
	CompareAndSwap bool
}

// AllRules are those of a true world.
func AllRules() Rules {
	return Rules{
		KillWaiting: true, IsolatedRole: true, PositionsAfterVote: true, RecordedDurability: true,
		DurabilityBeforeOpen: true, ClosedStart: true, ProvenStop: true, PodEndProven: true,
		KeepReceived: true, ApplyFirst: true, KeepRelayLog: true, SyncRelayLog: true, NeverDegrade: true,
		CallOrder: true, EpochOrder: true, AcknowledgedIsolate: true, ForeignReceivers: true,
		LeftMayCount: true, LoggedPositions: true, DurabilityList: true, CountQuorum: true, CompareAndSwap: true,
	}
}
