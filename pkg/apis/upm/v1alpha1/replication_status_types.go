// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What MysqlReplication and PostgresReplication have in common in their statuses.

// ReplicationAccepted is the last topology that was valid. Roles are given and
// failovers made by it, whatever the spec says meanwhile.
type ReplicationAccepted struct {
	// mode is that of the spec.
	// +required
	Mode string `json:"mode"`
	// members are the unit that was asked for as source, which comes first, and the
	// others.
	// +optional
	// +listType=map
	// +listMapKey=name
	Members []AcceptedMember `json:"members,omitempty"`
	// secret names the Secret and the keys of the accounts.
	// +optional
	Secret *AcceptedSecret `json:"secret,omitempty"`
}

// AcceptedMember is a member of the last valid topology.
type AcceptedMember struct {
	// name of the Unit.
	// +required
	Name string `json:"name"`
	// unitUID is the Unit that had the name.
	// +optional
	UnitUID types.UID `json:"unitUID,omitempty"`
	// host and port by which the other members reach it.
	// +required
	Host string `json:"host"`
	// port of the server.
	// +required
	Port int32 `json:"port"`
	// isolated is that of the spec.
	// +optional
	Isolated bool `json:"isolated,omitempty"`
}

// AcceptedSecret is the Secret of the last valid topology.
type AcceptedSecret struct {
	// name of the Secret.
	// +required
	Name string `json:"name"`
	// manager is the key of the account that manages replication: secret.mysql or
	// secret.postgres of the spec.
	// +required
	Manager string `json:"manager"`
	// replication is the key of the account for replication, as in the spec.
	// +required
	Replication string `json:"replication"`
}

// ReplicationData is what the members replicate. A member that holds other data
// neither follows, nor is promoted, nor counts.
type ReplicationData struct {
	// systemID is the identity of the data: server_uuid of the server that it came
	// from (MySQL), the system identifier (PostgreSQL).
	// +optional
	SystemID string `json:"systemID,omitempty"`
	// generation rises when the data was replaced on request, as by a restore that
	// succeeded.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// replacement is set from before the source's data may be replaced on request until
	// it is known what became of it. No failover is made meanwhile.
	// +optional
	Replacement *ReplicationReplacement `json:"replacement,omitempty"`
	// outdated are the identities of servers whose data is of a generation before. They
	// are made copies of the source, one after the other, and neither follow nor are
	// promoted before.
	// +optional
	// +listType=set
	Outdated []string `json:"outdated,omitempty"`
	// timeline that the last promotion began (PostgreSQL).
	// +optional
	Timeline int64 `json:"timeline,omitempty"`
	// beginLSN is where in the write-ahead log that timeline begins (PostgreSQL),
	// such as 0/3000060. Two timelines of one number are told apart by it.
	// +optional
	BeginLSN string `json:"beginLSN,omitempty"`
}

// ReplicationReplacement is a replacement of the source's data.
type ReplicationReplacement struct {
	// serverID is the identity of the source's server before, and generation that of the
	// data on its volume. It was replaced if a server with another identity runs there on
	// data of a higher generation.
	// +required
	ServerID string `json:"serverID"`
	// generation of the data on the source's volume before.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// by is the UID of the GrpcCall that may replace the data. Empty: none may yet,
	// because the other members could still receive what comes of it.
	// +optional
	By types.UID `json:"by,omitempty"`
}

// ReplicationDurabilityEntry says who may have acknowledged what a source
// committed: w of members have each transaction. A failover is made only if those
// that are left must hold all of it, by every entry; it is denied without any.
type ReplicationDurabilityEntry struct {
	// source is the identity of its server: server_uuid (MySQL), the system
	// identifier (PostgreSQL).
	// +required
	Source string `json:"source"`
	// timeline of the source (PostgreSQL).
	// +optional
	Timeline int64 `json:"timeline,omitempty"`
	// w is how many of members acknowledge a transaction before its commit is.
	// +required
	W int32 `json:"w"`
	// members that may acknowledge. Empty, with w 0: nobody is waited for, and what
	// was committed meanwhile may be on the source only.
	// +optional
	// +listType=map
	// +listMapKey=name
	Members []DurabilityMember `json:"members,omitempty"`
	// unacknowledged is how many commits the source's server had let through without
	// an acknowledgement when this entry came to hold (MySQL). A server that counts
	// others meanwhile has broken the promise, and all entries are removed.
	// +optional
	Unacknowledged int64 `json:"unacknowledged,omitempty"`
}

// DurabilityMember is a member whose acknowledgement counts.
type DurabilityMember struct {
	// name of the Unit.
	// +required
	Name string `json:"name"`
	// unitUID is the Unit that had the name.
	// +optional
	UnitUID types.UID `json:"unitUID,omitempty"`
	// serverUUID is the server's own identity (MySQL). Members of PostgreSQL share
	// one system identifier.
	// +optional
	ServerUUID string `json:"serverUUID,omitempty"`
}

// ReplicationOperationType is what is done to a topology.
// +kubebuilder:validation:Enum=Switchover;Failover;Provision;Remove
type ReplicationOperationType string

const (
	// OperationSwitchover gives the source's role to another member in order.
	OperationSwitchover ReplicationOperationType = "Switchover"
	// OperationFailover replaces a source that failed.
	OperationFailover ReplicationOperationType = "Failover"
	// OperationProvision makes a member's data again from another one.
	OperationProvision ReplicationOperationType = "Provision"
	// OperationRemove takes a member out.
	OperationRemove ReplicationOperationType = "Remove"
)

// ReplicationOperation is the one operation that is under way.
type ReplicationOperation struct {
	// id tells operations apart.
	// +required
	ID string `json:"id"`
	// type is Switchover, Failover, Provision or Remove.
	// +required
	Type ReplicationOperationType `json:"type"`
	// phase is the step it has reached. Whoever takes over continues from it, after
	// observing again.
	// +optional
	Phase string `json:"phase,omitempty"`
	// from is the unit that is replaced, copied from or removed.
	// +optional
	From string `json:"from,omitempty"`
	// to is the unit that is promoted or provisioned.
	// +optional
	To string `json:"to,omitempty"`
	// epoch of the operation. Agents refuse calls of a lower one.
	// +required
	Epoch int64 `json:"epoch"`
	// targetPosition is what the member to must have before it is opened: a GTID set
	// (MySQL), an LSN (PostgreSQL).
	// +optional
	TargetPosition string `json:"targetPosition,omitempty"`
	// startedAt is when its first step was recorded.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// deadline after which it is taken back, unless it is past its commit.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`
	// fence is what proves that the former source acknowledges nothing any more.
	// Absent: nothing does yet.
	// +optional
	Fence *ReplicationFence `json:"fence,omitempty"`
}

// FenceProof is what proves a fence.
// +kubebuilder:validation:Enum=Closed;Stopped;PodEnded;Quorum;Forced
type FenceProof string

const (
	// FenceClosed: its server refuses every write, and its agent has recorded that it
	// is not the source any more.
	FenceClosed FenceProof = "Closed"
	// FenceStopped: its agent reported that every process of the server has ended.
	FenceStopped FenceProof = "Stopped"
	// FencePodEnded: the end of its pod is proven, see Unit.status.lastPod.
	FencePodEnded FenceProof = "PodEnded"
	// FenceQuorum: so many members were isolated that no commit can be acknowledged.
	FenceQuorum FenceProof = "Quorum"
	// FenceForced: none, a person forced it.
	FenceForced FenceProof = "Forced"
)

// ReplicationFence is when and how a source was fenced.
type ReplicationFence struct {
	// how it is proven: Closed, Stopped, PodEnded, Quorum or Forced.
	// +required
	How FenceProof `json:"how"`
	// at is when the proof was seen.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// ReplicationTransition is the last time that a member became the source.
type ReplicationTransition struct {
	// type is Switchover or Failover. Absent: the first source.
	// +optional
	Type ReplicationOperationType `json:"type,omitempty"`
	// from is the unit that was the source before; empty if none was.
	// +optional
	From string `json:"from,omitempty"`
	// to is the unit that became the source.
	// +required
	To string `json:"to"`
	// reason in one word: Requested, Evacuated, SourceFailed or Forced.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`
	// at is when it was committed.
	// +required
	At metav1.Time `json:"at"`
	// requested is the source that the spec named at that time. It is a request again
	// only when the spec names another one.
	// +optional
	Requested string `json:"requested,omitempty"`
	// position that it had then: a GTID set (MySQL), an LSN (PostgreSQL). It holds all
	// that the sources before it had acknowledged. Absent: nothing was before.
	// +optional
	Position string `json:"position,omitempty"`
}

// ReplicationEndpoints are where clients connect.
type ReplicationEndpoints struct {
	// readWrite is the DNS name of the Service that leads to the source.
	// +optional
	ReadWrite string `json:"readWrite,omitempty"`
	// readOnly is the DNS name of the Service that leads to the replicas.
	// +optional
	ReadOnly string `json:"readOnly,omitempty"`
	// port of both.
	// +optional
	Port int32 `json:"port,omitempty"`
}

// ReplicationMemberStatus is what was observed of one member.
type ReplicationMemberStatus struct {
	// name of the Unit.
	// +required
	Name string `json:"name"`
	// unitUID is the Unit that this entry speaks of. One that was created again under
	// the same name is another member.
	// +optional
	UnitUID types.UID `json:"unitUID,omitempty"`
	// podUID is the pod that was observed.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`
	// serverID is the server's own identity: server_uuid (MySQL), the system
	// identifier (PostgreSQL).
	// +optional
	ServerID string `json:"serverID,omitempty"`
	// role is source or replica (MySQL), primary or standby (PostgreSQL), or
	// unknown.
	// +optional
	Role string `json:"role,omitempty"`
	// state of the member in words, for people.
	// +optional
	State string `json:"state,omitempty"`
	// lag says how far the member is behind the source: CaughtUp, or a class of
	// seconds. Absent for the source, and where it is not known.
	// +optional
	Lag ReplicationLag `json:"lag,omitempty"`
	// errant are transactions that the member has and the source has not. While
	// there are any the member does not follow and is not promoted.
	// +optional
	Errant *ReplicationErrant `json:"errant,omitempty"`
	// evacuation answers the annotation unit-operator.io/evacuate of the Unit.
	// Absent: the Replication has not seen it, or there is none.
	// +optional
	Evacuation *MemberEvacuation `json:"evacuation,omitempty"`
	// evacuated is true when the member no longer carries the source and, if it
	// is to be removed, is out of slots, group and hostgroups. Deprecated: it does
	// not say which request it answers; read evacuation.
	// +optional
	Evacuated bool `json:"evacuated,omitempty"`
	// caughtUp is true when the member has what the source has. Deprecated: read
	// lag.
	// +optional
	CaughtUp bool `json:"caughtUp,omitempty"`
}

// ReplicationLag is how far a member is behind its source, in classes, so that
// a status is not written each second.
// +kubebuilder:validation:Enum=CaughtUp;Under10s;Under1m;Under10m;Over10m
type ReplicationLag string

const (
	// LagCaughtUp: it has applied what the source had when it was asked.
	LagCaughtUp ReplicationLag = "CaughtUp"
	// LagUnder10s: less than 10 seconds behind.
	LagUnder10s ReplicationLag = "Under10s"
	// LagUnder1m: 10 seconds to less than a minute.
	LagUnder1m ReplicationLag = "Under1m"
	// LagUnder10m: one minute to less than 10.
	LagUnder10m ReplicationLag = "Under10m"
	// LagOver10m: 10 minutes or more.
	LagOver10m ReplicationLag = "Over10m"
)

// ReplicationErrant are transactions that only one member has.
type ReplicationErrant struct {
	// gtids is their GTID set (MySQL), or the range of the write-ahead log
	// (PostgreSQL), cut after 1024 characters.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	GTIDs string `json:"gtids"`
	// evidence is the directory on the member's data volume to which they were
	// copied, empty if they were not.
	// +optional
	Evidence string `json:"evidence,omitempty"`
}

// EvacuationRequest is what a unit is evacuated for.
// +kubebuilder:validation:Enum=restart;remove
type EvacuationRequest string

const (
	// EvacuationRestart: its server stops for a while and comes back as a member.
	EvacuationRestart EvacuationRequest = "restart"
	// EvacuationRemove: the unit goes for good.
	EvacuationRemove EvacuationRequest = "remove"
)

// EvacuationState is how far an evacuation is.
// +kubebuilder:validation:Enum=InProgress;Done;Refused
type EvacuationState string

const (
	// EvacuationInProgress: the Replication works on it, or waits as reason says.
	EvacuationInProgress EvacuationState = "InProgress"
	// EvacuationDone: the unit may be stopped, or removed, whichever was asked for.
	EvacuationDone EvacuationState = "Done"
	// EvacuationRefused: it may not, as reason says, and somebody has to decide.
	EvacuationRefused EvacuationState = "Refused"
)

// MemberEvacuation is the answer to a request to evacuate a member.
type MemberEvacuation struct {
	// request that is answered: restart or remove. An answer to another request
	// than the one that stands is none.
	// +required
	Request EvacuationRequest `json:"request"`
	// state is InProgress, Done or Refused. Done holds until the request is
	// withdrawn: for restart the member is not the source; for remove it is also
	// out of durability, slots, group and hostgroups, and the others hold its data.
	// It turns back to InProgress if no other member can be the source.
	// +required
	State EvacuationState `json:"state"`
	// reason in one word, such as OnlyMember or DurabilityNeedsIt.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`
	// message is what it waits for, or what somebody has to do.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}
