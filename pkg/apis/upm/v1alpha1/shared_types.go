// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// UnitType names the engine of a unit.
// +kubebuilder:validation:Enum=mysql;postgresql;proxysql
type UnitType string

const (
	// UnitTypeMySQL is a MySQL server.
	UnitTypeMySQL UnitType = "mysql"
	// UnitTypePostgreSQL is a PostgreSQL server.
	UnitTypePostgreSQL UnitType = "postgresql"
	// UnitTypeProxySQL is a ProxySQL proxy.
	UnitTypeProxySQL UnitType = "proxysql"
)

// ReplicationServiceSpec says how the read-write and read-only Services of a
// replication are published.
type ReplicationServiceSpec struct {
	// type of the <name>-readwrite and <name>-readonly Services: ClusterIP,
	// NodePort or LoadBalancer. Default ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
}

// ReplicationMemberStatus is what was observed of one member.
type ReplicationMemberStatus struct {
	// name of the Unit.
	// +required
	Name string `json:"name"`
	// unitUID is the Unit that this entry speaks of. One that was made anew under
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
