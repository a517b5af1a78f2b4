// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PostgresReplicationMode is how a primary's transactions reach its standbys.
// +kubebuilder:validation:Enum=rpl_async;rpl_sync
type PostgresReplicationMode string

const (
	// PostgresReplicationAsync acknowledges a commit before any standby has it.
	PostgresReplicationAsync PostgresReplicationMode = "rpl_async"
	// PostgresReplicationSync acknowledges a commit when a synchronous standby has it.
	PostgresReplicationSync PostgresReplicationMode = "rpl_sync"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pr,categories=upm
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Primary",type=string,JSONPath=`.status.currentPrimary`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Standbys",type=integer,JSONPath=`.status.standbys`
// +kubebuilder:printcolumn:name="Replicating",type=integer,JSONPath=`.status.readyStandbys`
// +kubebuilder:printcolumn:name="Lag",type=string,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name of a PostgresReplication becomes part of Service names: use lower case letters, digits and '-', begin with a letter and do not end with '-'"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 53",message="the name of a PostgresReplication may have at most 53 characters: the name of its Service <name>-readwrite ends at 63"

// PostgresReplication keeps one PostgreSQL primary and its standbys replicating.
type PostgresReplication struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the wanted topology.
	// +required
	Spec PostgresReplicationSpec `json:"spec"`
	// status is the observed topology, written by the operator only.
	// +optional
	Status PostgresReplicationStatus `json:"status,omitzero"`
}

// PostgresReplicationSpec is the wanted topology.
// +kubebuilder:validation:XValidation:rule="self.standby.all(r, r.name != self.primary.name)",message="the primary is also listed in standby: a unit is one member",fieldPath=".standby"
// +kubebuilder:validation:XValidation:rule="self.standby.all(r, r.port != self.primary.port || r.host != self.primary.host)",message="a member of standby has the host and port of the primary: each member has an address of its own",fieldPath=".standby"
// +kubebuilder:validation:XValidation:rule="self.mode != 'rpl_sync' || (has(self.unitSet) && size(self.unitSet) > 0) || !has(self.durability) || !has(self.durability.replicas) || self.durability.replicas <= self.standby.filter(r, !has(r.isolated) || !r.isolated).size()",message="durability.replicas is more than the members of standby that are not isolated: no commit would ever be acknowledged",fieldPath=".durability"
type PostgresReplicationSpec struct {
	// mode is rpl_async or rpl_sync.
	// +required
	Mode PostgresReplicationMode `json:"mode"`
	// secret names the Secret and its keys that hold the accounts.
	// +required
	Secret PostgresReplicationSecret `json:"secret"`
	// primary is the member that is asked to accept writes. status.currentPrimary
	// says which one does.
	// +required
	Primary PostgresReplicationMember `json:"primary"`
	// standby lists the other members; it may be empty.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name == b.name || a.port != b.port || a.host != b.host))",message="two members have the same host and port: each member has an address of its own"
	Standby []PostgresStandbyMember `json:"standby"`
	// unitSet names a UnitSet of the same namespace: each of its units but the
	// primary is a member, at <unit>.<set>-headless-svc.<namespace> and the port of
	// the primary, without being listed in standby. Entries of standby then say what is
	// special about one of them, such as isolated, or add units beside the set.
	// +optional
	// +kubebuilder:validation:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="unitSet must be the name of a UnitSet"
	UnitSet string `json:"unitSet,omitempty"`
	// failover says when another member becomes the primary without being asked to.
	// Default: never.
	// +optional
	Failover *ReplicationFailover `json:"failover,omitempty"`
	// durability says how many members have a transaction when its commit is
	// acknowledged, and what happens while too few can.
	// +optional
	Durability *ReplicationDurability `json:"durability,omitempty"`
	// service says how <name>-readwrite and <name>-readonly are published.
	// +optional
	Service *ReplicationServiceSpec `json:"service,omitempty"`
	// aesSecret is accepted so that objects written for other operators of this
	// API can be applied. Nothing reads it: passwords are plain values of the
	// Secret, and a condition says so.
	// +optional
	AESSecret *JSON `json:"aesSecret,omitempty"`
}

// PostgresReplicationSecret names accounts: each key is a user name and its value
// that user's password. postgres and replication may be the same key.
type PostgresReplicationSecret struct {
	// name of a Secret in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// postgres is the key of the account that manages replication.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Postgres string `json:"postgres"`
	// replication is the key of the account that channels log in with.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Replication string `json:"replication"`
}

// PostgresReplicationMember is a unit and the address the others reach it by.
type PostgresReplicationMember struct {
	// name of a Unit in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// host is the name or address by which other members reach this one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9:]([-A-Za-z0-9_.:]*[A-Za-z0-9.:])?$')",message="host must be a host name or an IP address, without a port"
	Host string `json:"host"`
	// port of the server, 1 to 65535.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// priority of the member where one of several that have the same data becomes
	// the primary without being named: the highest is taken. Default 1; 0: never.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Priority *int32 `json:"priority,omitempty"`
}

// PostgresStandbyMember is a member that replicates.
type PostgresStandbyMember struct {
	PostgresReplicationMember `json:",inline"`
	// isolated keeps the standby out of the read-only Service and out of
	// failover. Default false.
	// +optional
	Isolated bool `json:"isolated,omitempty"`
	// delaySeconds is how long the standby waits before it applies what it has
	// received, as a protection from mistakes; at most 24 days. What it has received
	// it acknowledges at once, and it is the last choice as a primary. Default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2073600
	DelaySeconds int32 `json:"delaySeconds,omitempty"`
}

// PostgresReplicationStatus is the observed topology.
type PostgresReplicationStatus struct {
	// currentPrimary is the unit that accepts writes, empty if none does.
	// +optional
	CurrentPrimary string `json:"currentPrimary,omitempty"`
	// epoch is raised before the first change of each operation. Agents refuse
	// calls of a lower one.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// acceptedGeneration is the newest generation of the spec that was valid;
	// accepted comes from it. observedGeneration is above it while the spec is not.
	// +optional
	AcceptedGeneration int64 `json:"acceptedGeneration,omitempty"`
	// accepted is the last valid topology, by which roles are given and failovers
	// made.
	// +optional
	Accepted *ReplicationAccepted `json:"accepted,omitempty"`
	// data is what the members replicate.
	// +optional
	Data *ReplicationData `json:"data,omitempty"`
	// durability says who may have acknowledged what was committed. While it
	// changes there is more than one entry, and all of them hold.
	// +optional
	// +listType=atomic
	Durability []ReplicationDurabilityEntry `json:"durability,omitempty"`
	// operation that is under way. Absent: none.
	// +optional
	Operation *ReplicationOperation `json:"operation,omitempty"`
	// lastTransition is the last time that a member became the primary. Absent: none has
	// yet.
	// +optional
	LastTransition *ReplicationTransition `json:"lastTransition,omitempty"`
	// endpoints are where clients connect.
	// +optional
	Endpoints *ReplicationEndpoints `json:"endpoints,omitempty"`
	// standbys is how many members are asked to replicate: all but the primary and those
	// that are isolated.
	// +optional
	Standbys int32 `json:"standbys,omitempty"`
	// readyStandbys is how many of them do.
	// +optional
	ReadyStandbys int32 `json:"readyStandbys,omitempty"`
	// lag is that of the standby which is behind most, without those that are delayed on
	// request. Absent: not known.
	// +optional
	Lag ReplicationLag `json:"lag,omitempty"`
	// topology says of each member what was observed.
	// +optional
	// +listType=map
	// +listMapKey=name
	Topology []ReplicationMemberStatus `json:"topology,omitempty"`
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready and what keeps it from being ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// PostgresReplicationList is a list of PostgresReplications.
type PostgresReplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []PostgresReplication `json:"items"`
}
