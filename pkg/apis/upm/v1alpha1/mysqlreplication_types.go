// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MysqlReplicationMode is how a source's transactions reach its replicas.
// +kubebuilder:validation:Enum=rpl_async;rpl_semi_sync;group_replication
type MysqlReplicationMode string

const (
	// MysqlReplicationAsync acknowledges a commit before any replica has it.
	MysqlReplicationAsync MysqlReplicationMode = "rpl_async"
	// MysqlReplicationSemiSync acknowledges a commit when a replica has it.
	MysqlReplicationSemiSync MysqlReplicationMode = "rpl_semi_sync"
	// MysqlReplicationGroup is a single-primary group.
	MysqlReplicationGroup MysqlReplicationMode = "group_replication"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mr,categories=upm
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.status.currentSource`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="Replicating",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Lag",type=string,JSONPath=`.status.lag`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name of a MysqlReplication becomes part of Service names: use lower case letters, digits and '-', begin with a letter and do not end with '-'"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 53",message="the name of a MysqlReplication may have at most 53 characters: the name of its Service <name>-readwrite ends at 63"

// MysqlReplication keeps one MySQL source and its replicas replicating.
type MysqlReplication struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the wanted topology.
	// +required
	Spec MysqlReplicationSpec `json:"spec"`
	// status is the observed topology, written by the operator only.
	// +optional
	Status MysqlReplicationStatus `json:"status,omitzero"`
}

// MysqlReplicationSpec is the wanted topology.
// +kubebuilder:validation:XValidation:rule="(self.mode == 'group_replication') == (oldSelf.mode == 'group_replication')",message="mode cannot change to or from group_replication: delete this object and create another",fieldPath=".mode"
// +kubebuilder:validation:XValidation:rule="self.mode != 'group_replication' || size(self.replica) <= 8",message="a group has at most 9 members: the source and 8 replicas",fieldPath=".replica"
// +kubebuilder:validation:XValidation:rule="self.replica.all(r, r.name != self.source.name)",message="the source is also listed in replica: a unit is one member",fieldPath=".replica"
// +kubebuilder:validation:XValidation:rule="self.replica.all(r, r.port != self.source.port || r.host != self.source.host)",message="a member of replica has the host and port of the source: each member has an address of its own",fieldPath=".replica"
// +kubebuilder:validation:XValidation:rule="self.mode != 'rpl_semi_sync' || (has(self.unitSet) && size(self.unitSet) > 0) || !has(self.durability) || !has(self.durability.replicas) || self.durability.replicas <= self.replica.filter(r, !has(r.isolated) || !r.isolated).size()",message="durability.replicas is more than the members of replica that are not isolated: no commit would ever be acknowledged",fieldPath=".durability"
// +kubebuilder:validation:XValidation:rule="self.mode != 'group_replication' || !has(self.durability)",message="durability is for rpl_semi_sync: in a group the majority acknowledges",fieldPath=".durability"
// +kubebuilder:validation:XValidation:rule="self.mode != 'group_replication' || !has(self.failover)",message="failover is for rpl_async and rpl_semi_sync: in a group the members elect their primary",fieldPath=".failover"
// +kubebuilder:validation:XValidation:rule="self.mode != 'group_replication' || self.replica.all(r, !has(r.delaySeconds) || r.delaySeconds == 0)",message="a member of a group cannot be delayed: delaySeconds is for rpl_async and rpl_semi_sync",fieldPath=".replica"
type MysqlReplicationSpec struct {
	// mode is rpl_async, rpl_semi_sync or group_replication.
	// +required
	Mode MysqlReplicationMode `json:"mode"`
	// secret names the Secret and its keys that hold the accounts.
	// +required
	Secret MysqlReplicationSecret `json:"secret"`
	// source is the member that is asked to accept writes. status.currentSource
	// says which one does.
	// +required
	Source MysqlReplicationMember `json:"source"`
	// replica lists the other members; it may be empty.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name == b.name || a.port != b.port || a.host != b.host))",message="two members have the same host and port: each member has an address of its own"
	Replica []MysqlReplicaMember `json:"replica"`
	// unitSet names a UnitSet of the same namespace: each of its units but the
	// source is a member, at <unit>.<set>-headless-svc.<namespace> and the port of
	// the source, without being listed in replica. Entries of replica then say what is
	// special about one of them, such as isolated, or add units beside the set.
	// +optional
	// +kubebuilder:validation:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="unitSet must be the name of a UnitSet"
	UnitSet string `json:"unitSet,omitempty"`
	// failover says when another member becomes the source without being asked to.
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

// MysqlReplicationSecret names accounts: each key is a user name and its value
// that user's password. mysql and replication may be the same key.
type MysqlReplicationSecret struct {
	// name of a Secret in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// mysql is the key of the account that manages replication.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Mysql string `json:"mysql"`
	// replication is the key of the account that channels log in with.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Replication string `json:"replication"`
}

// MysqlReplicationMember is a unit and the address the others reach it by.
type MysqlReplicationMember struct {
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
	// the source without being named: the highest is taken. Default 1; 0: never.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Priority *int32 `json:"priority,omitempty"`
}

// MysqlReplicaMember is a member that replicates.
type MysqlReplicaMember struct {
	MysqlReplicationMember `json:",inline"`
	// isolated keeps the replica out of the read-only Service and out of
	// failover. Default false.
	// +optional
	Isolated bool `json:"isolated,omitempty"`
	// delaySeconds is how long the replica waits before it applies what it has
	// received, as a protection from mistakes; at most 24 days. What it has received
	// it acknowledges at once, and it is the last choice as a source. Default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2073600
	DelaySeconds int32 `json:"delaySeconds,omitempty"`
}

// MysqlReplicationStatus is the observed topology.
type MysqlReplicationStatus struct {
	// currentSource is the unit that accepts writes, empty if none does.
	// +optional
	CurrentSource string `json:"currentSource,omitempty"`
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
	// lastTransition is the last time that a member became the source. Absent: none has
	// yet.
	// +optional
	LastTransition *ReplicationTransition `json:"lastTransition,omitempty"`
	// endpoints are where clients connect.
	// +optional
	Endpoints *ReplicationEndpoints `json:"endpoints,omitempty"`
	// replicas is how many members are asked to replicate: all but the source and those
	// that are isolated.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// readyReplicas is how many of them do.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
	// lag is that of the replica which is behind most, without those that are delayed on
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

// MysqlReplicationList is a list of MysqlReplications.
type MysqlReplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []MysqlReplication `json:"items"`
}
