// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// UnitPhase is the lifecycle state of a unit.
// +kubebuilder:validation:Enum=Pending;Running;Ready;Succeeded;Failed;Unknown
type UnitPhase string

const (
	// UnitPending: accepted, its server has not been started yet.
	UnitPending UnitPhase = "Pending"
	// UnitRunning: its pod runs; the server does not answer SQL (yet), or is
	// stopped on request (condition ServerStopped).
	UnitRunning UnitPhase = "Running"
	// UnitReady: the server answers SQL.
	UnitReady UnitPhase = "Ready"
	// UnitSucceeded: its pod ended with success.
	UnitSucceeded UnitPhase = "Succeeded"
	// UnitFailed: it could not start or crashed; a condition says why.
	UnitFailed UnitPhase = "Failed"
	// UnitUnknown: its node does not report.
	UnitUnknown UnitPhase = "Unknown"
)

// UpdatePolicy says who replaces the pod after a new template.
// +kubebuilder:validation:Enum=Recreate;OnDelete
type UpdatePolicy string

const (
	// UpdatePolicyRecreate: the operator replaces the pod.
	UpdatePolicyRecreate UpdatePolicy = "Recreate"
	// UpdatePolicyOnDelete: the user deletes the pod when it suits.
	UpdatePolicyOnDelete UpdatePolicy = "OnDelete"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=un,categories=upm
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.status.nodeName`
// +kubebuilder:printcolumn:name="IP",type=string,JSONPath=`.status.podIPs[0].ip`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name of a Unit becomes a host name: use lower case letters, digits and '-', begin with a letter and do not end with '-'"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 59",message="the name of a Unit may have at most 59 characters: the name of its Service, <name>-svc, ends at 63"

// Unit is one database instance: a pod, its claims, its configuration.
type Unit struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the unit shall be.
	// +required
	Spec UnitSpec `json:"spec"`
	// status is written by the operator only.
	// +optional
	Status UnitStatus `json:"status,omitzero"`
}

// UnitSpec is one wanted instance.
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.volumeClaimTemplates) || oldSelf.volumeClaimTemplates.all(o, has(self.volumeClaimTemplates) && self.volumeClaimTemplates.exists(n, n.metadata.name == o.metadata.name))",message="a volumeClaimTemplate cannot be removed or renamed: its claim holds data",fieldPath=".volumeClaimTemplates"
type UnitSpec struct {
	// unbindNode says whether every choice of a node is the scheduler's (true);
	// false (default) binds the unit to the node its pod was first scheduled on.
	// +optional
	// +kubebuilder:default=false
	UnbindNode *bool `json:"unbindNode,omitempty"`
	// startup says whether the server runs (true, the default); false keeps it
	// stopped while the pod stays.
	// +optional
	// +kubebuilder:default=true
	Startup *bool `json:"startup,omitempty"`
	// sharedConfigName names the ConfigMap a service group shares.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SharedConfigName string `json:"sharedConfigName,omitempty"`
	// configTemplateName names the ConfigMap that holds the template of the
	// server's configuration, in the key named like the unit's type. Empty: the
	// package's own.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ConfigTemplateName string `json:"configTemplateName,omitempty"`
	// configValueName names the ConfigMap that holds this unit's values for the
	// template, as YAML in the key named like the unit's type.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ConfigValueName string `json:"configValueName,omitempty"`
	// nodeName is the node the unit is bound to. The operator writes it when
	// unbindNode is false, and clears it when the node is gone.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	NodeName string `json:"nodeName,omitempty"`
	// updatePolicy says who replaces the pod after a new template: Recreate
	// (default), the operator; OnDelete, the user.
	// +optional
	// +kubebuilder:default=Recreate
	UpdatePolicy UpdatePolicy `json:"updatePolicy,omitempty"`
	// template of the pod. One container is named mysql, postgresql or
	// proxysql: the database. Which of them cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.spec) && self.spec.containers.filter(c, c.name in ['mysql', 'postgresql', 'proxysql']).size() == 1",message="template must have exactly one container named mysql, postgresql or proxysql: the database"
	// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec) || !has(self.spec) || oldSelf.spec.containers.all(o, !(o.name in ['mysql', 'postgresql', 'proxysql']) || self.spec.containers.exists(c, c.name == o.name))",message="the engine of a Unit cannot change: create another Unit"
	Template corev1.PodTemplateSpec `json:"template"`
	// volumeClaimTemplates become the claims <unit>-<template name>. The storage
	// they ask for may grow and never shrink; templates may be added, none can be
	// removed or renamed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(c, has(c.metadata) && has(c.metadata.name) && c.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",message="each volumeClaimTemplate needs a metadata.name that is a DNS label: the claim is named <unit>-<name>"
	// +kubebuilder:validation:XValidation:rule="self.all(c, !has(c.metadata) || !has(c.metadata.name) || self.filter(d, has(d.metadata) && has(d.metadata.name) && d.metadata.name == c.metadata.name).size() == 1)",message="the names of volumeClaimTemplates must differ"
	// +kubebuilder:validation:XValidation:rule="self.all(c, has(c.spec) && has(c.spec.resources) && has(c.spec.resources.requests) && 'storage' in c.spec.resources.requests && quantity(string(c.spec.resources.requests['storage'])).compareTo(quantity('1Mi')) >= 0)",message="each volumeClaimTemplate must request storage of at least 1Mi, such as 100Gi"
	// +kubebuilder:validation:XValidation:rule="oldSelf.all(o, self.all(n, n.metadata.name != o.metadata.name || quantity(string(n.spec.resources.requests['storage'])).compareTo(quantity(string(o.spec.resources.requests['storage']))) >= 0))",message="the storage of a volumeClaimTemplate cannot shrink: volumes only grow"
	// +kubebuilder:validation:XValidation:rule="oldSelf.all(o, self.all(n, n.metadata.name != o.metadata.name || (has(n.spec.storageClassName) ? n.spec.storageClassName : \"\") == (has(o.spec.storageClassName) ? o.spec.storageClassName : \"\")))",message="the storageClassName of a volumeClaimTemplate cannot change: the claim that exists keeps its class"
	VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates,omitempty"`
	// persistentVolumeClaimRetentionPolicy says in whenDeleted what becomes of
	// the claims when the unit is deleted. Default Retain.
	// +optional
	PersistentVolumeClaimRetentionPolicy *PersistentVolumeClaimRetentionPolicy `json:"persistentVolumeClaimRetentionPolicy,omitempty"`
}

// UnitStatus is what was observed of the unit.
type UnitStatus struct {
	// phase is the lifecycle state of the unit.
	// +optional
	Phase UnitPhase `json:"phase,omitempty"`
	// nodeName is the node its pod runs on.
	// +optional
	NodeName string `json:"nodeName,omitempty"`
	// hostIP is that node's address.
	// +optional
	HostIP string `json:"hostIP,omitempty"`
	// podIPs are its pod's addresses.
	// +optional
	// +listType=atomic
	PodIPs []corev1.PodIP `json:"podIPs,omitempty"`
	// configSyncStatus says which configuration the unit has.
	// +optional
	ConfigSyncStatus ConfigSyncStatus `json:"configSyncStatus,omitzero"`
	// persistentVolumeClaim says of each claim what was observed.
	// +optional
	// +listType=map
	// +listMapKey=name
	PersistentVolumeClaim []PvcInfo `json:"persistentVolumeClaim,omitempty"`
	// dataIdentity is what database the unit's volume holds. A unit that has one
	// is never initialised as an empty database again.
	// +optional
	DataIdentity *DataIdentity `json:"dataIdentity,omitempty"`
	// replication is the one that manages the unit: the oldest that lists it.
	// Another one that lists it, too, touches nothing. None: nobody manages it.
	// +optional
	Replication *UnitReplication `json:"replication,omitempty"`
	// released says in which role the unit's last Replication left it, until
	// another one manages the unit. Its next pod starts in that role.
	// +optional
	Released *UnitReleased `json:"released,omitempty"`
	// lastPod is the last pod of the unit that was held for the proof of its end,
	// and what that proof was. No other pod is made before there is one.
	// +optional
	LastPod *UnitLastPod `json:"lastPod,omitempty"`
	// podUID is the pod this status speaks of.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`
	// agent is the agent beside the server.
	// +optional
	Agent *AgentInfo `json:"agent,omitempty"`
	// revision of the template its pod was made from.
	// +optional
	Revision string `json:"revision,omitempty"`
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and one for whatever is missing or waited for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConfigSyncStatus says which configuration a unit has.
type ConfigSyncStatus struct {
	// status is Synced, NotSynced or Syncing.
	// +optional
	Status SyncStatus `json:"status,omitempty"`
	// lastTransitionTime is when status or appliedHash last changed.
	// +optional
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
	// wantedHash is the hash of the configuration rendered last.
	// +optional
	WantedHash string `json:"wantedHash,omitempty"`
	// appliedHash is the hash of the configuration the agent has acknowledged.
	// +optional
	AppliedHash string `json:"appliedHash,omitempty"`
	// appliedGeneration is the Unit's generation that the agent has
	// acknowledged.
	// +optional
	AppliedGeneration int64 `json:"appliedGeneration,omitempty"`
	// podUID is the pod whose agent acknowledged.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`
}

// DataIdentity is what database a unit's volume holds.
type DataIdentity struct {
	// systemID is the server's own identity: server_uuid (MySQL), the system
	// identifier (PostgreSQL), a random id (ProxySQL).
	// +optional
	SystemID string `json:"systemID,omitempty"`
	// claimUIDs are the claims the data lies on, by storage name.
	// +optional
	ClaimUIDs map[string]types.UID `json:"claimUIDs,omitempty"`
	// dataGeneration rises when the data is replaced on request.
	// +optional
	DataGeneration int64 `json:"dataGeneration,omitempty"`
	// virgin is the former name of pristine and means the same; false and absent
	// are one. Deprecated: it is still served, read pristine.
	// +optional
	Virgin bool `json:"virgin,omitempty"`
	// pristine is true while nothing but initialisation has written to the
	// database, as its server said when it was last asked. Absent: it has not been
	// asked, so it is not known.
	// +optional
	Pristine *bool `json:"pristine,omitempty"`
	// highestVersion is the highest version of a server that has opened the data,
	// such as 8.4.6. An older one may not be able to.
	// +optional
	HighestVersion string `json:"highestVersion,omitempty"`
}

// ReplicationKind is a kind of Replication.
// +kubebuilder:validation:Enum=MysqlReplication;PostgresReplication
type ReplicationKind string

const (
	// KindMysqlReplication is the kind MysqlReplication.
	KindMysqlReplication ReplicationKind = "MysqlReplication"
	// KindPostgresReplication is the kind PostgresReplication.
	KindPostgresReplication ReplicationKind = "PostgresReplication"
)

// UnitReplication is the Replication that manages a unit.
type UnitReplication struct {
	// kind is MysqlReplication or PostgresReplication.
	// +required
	Kind ReplicationKind `json:"kind"`
	// name of the object, in the Unit's namespace.
	// +required
	Name string `json:"name"`
	// uid of the object. One that was created again under the same name is another.
	// +required
	UID types.UID `json:"uid"`
	// epoch is the highest one under which it changed the unit's role. One that
	// takes the unit over begins above it. 0: it has not changed it yet.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
}

// ReleasedRole is the role in which a Replication left a unit.
// +kubebuilder:validation:Enum=source;replica
type ReleasedRole string

const (
	// ReleasedSource starts writable.
	ReleasedSource ReleasedRole = "source"
	// ReleasedReplica starts read-only and follows where it followed.
	ReleasedReplica ReleasedRole = "replica"
)

// UnitReleased is how a unit's last Replication left it.
type UnitReleased struct {
	// replicationUID is the UID of that Replication.
	// +required
	ReplicationUID types.UID `json:"replicationUID"`
	// role is source (also of a PostgreSQL primary): the server starts writable; or
	// replica (also of a standby): it starts read-only and follows on.
	// +required
	Role ReleasedRole `json:"role"`
	// upstreamHost is the name or address that a replica follows; empty for a
	// source, and for a replica that followed nobody.
	// +optional
	UpstreamHost string `json:"upstreamHost,omitempty"`
	// upstreamPort is the port there; 0 if there is no upstreamHost.
	// +optional
	UpstreamPort int32 `json:"upstreamPort,omitempty"`
	// epoch of that Replication at the time: the next owner's is above it, in a pod that
	// has heard of none, too. 0 where it is not known.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
}

// PodEnd is what proves that no process of a pod runs any more.
// +kubebuilder:validation:Enum=Kubelet;NodeGone;OutOfService;Confirmed
type PodEnd string

const (
	// PodEndKubelet: the kubelet reported all its containers ended.
	PodEndKubelet PodEnd = "Kubelet"
	// PodEndNodeGone: the object of its node was deleted.
	PodEndNodeGone PodEnd = "NodeGone"
	// PodEndOutOfService: its node has the taint node.kubernetes.io/out-of-service.
	PodEndOutOfService PodEnd = "OutOfService"
	// PodEndConfirmed: a person said so by the annotation confirm-ended.
	PodEndConfirmed PodEnd = "Confirmed"
)

// UnitLastPod is the last pod of a unit and what is known of its end.
type UnitLastPod struct {
	// uid of the pod.
	// +required
	UID types.UID `json:"uid"`
	// nodeName is the node it ran on; empty if it was never bound to one.
	// +optional
	NodeName string `json:"nodeName,omitempty"`
	// ended is what proves that none of its processes runs any more: Kubelet,
	// NodeGone, OutOfService or Confirmed. Absent: nothing does so far.
	// +optional
	Ended PodEnd `json:"ended,omitempty"`
	// time at which the proof was seen. Absent without one.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// AgentInfo is the agent beside the server.
type AgentInfo struct {
	// image the pod's agent came from.
	// +optional
	Image string `json:"image,omitempty"`
	// version the agent reports.
	// +optional
	Version string `json:"version,omitempty"`
}

// PvcInfo is what was observed of a claim.
type PvcInfo struct {
	// name of the claim.
	// +required
	Name string `json:"name"`
	// volumeName is the bound volume.
	// +optional
	VolumeName string `json:"volumeName,omitempty"`
	// accessModes of the volume.
	// +optional
	// +listType=atomic
	AccessModes []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`
	// capacity of the volume.
	// +optional
	Capacity PvcCapacity `json:"capacity,omitzero"`
	// phase of the claim.
	// +optional
	Phase corev1.PersistentVolumeClaimPhase `json:"phase,omitempty"`
}

// PvcCapacity is the capacity of a volume.
type PvcCapacity struct {
	// storage amount.
	// +optional
	Storage resource.Quantity `json:"storage,omitzero"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// UnitList is a list of Units.
type UnitList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []Unit `json:"items"`
}
