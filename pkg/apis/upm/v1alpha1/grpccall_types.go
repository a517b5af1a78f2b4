// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Action is the operation a GrpcCall performs.
// +kubebuilder:validation:Enum=logical-backup;physical-backup;restore;gtid-purge;set-variable;clone
type Action string

const (
	// ActionLogicalBackup dumps databases as SQL (mysql, postgresql).
	ActionLogicalBackup Action = "logical-backup"
	// ActionPhysicalBackup copies the data files (mysql, postgresql).
	ActionPhysicalBackup Action = "physical-backup"
	// ActionRestore brings a backup back (mysql, postgresql).
	ActionRestore Action = "restore"
	// ActionGTIDPurge sets gtid_purged after a restore (mysql).
	ActionGTIDPurge Action = "gtid-purge"
	// ActionSetVariable changes and persists server variables (all types).
	ActionSetVariable Action = "set-variable"
	// ActionClone copies another server's data (mysql, postgresql).
	ActionClone Action = "clone"
)

// Result is the outcome of a finished GrpcCall.
// +kubebuilder:validation:Enum=Success;Failed
type Result string

const (
	// ResultSuccess means that the operation had its whole effect.
	ResultSuccess Result = "Success"
	// ResultFailed means that it had not; the message says why.
	ResultFailed Result = "Failed"
)

// GrpcCallPhase says how far a GrpcCall is.
// +kubebuilder:validation:Enum=Pending;Queued;Running;Cancelling;Finished
type GrpcCallPhase string

const (
	// GrpcCallPending has not been validated or dispatched yet.
	GrpcCallPending GrpcCallPhase = "Pending"
	// GrpcCallQueued waits for another operation on the same unit.
	GrpcCallQueued GrpcCallPhase = "Queued"
	// GrpcCallRunning was handed to the unit's agent.
	GrpcCallRunning GrpcCallPhase = "Running"
	// GrpcCallCancelling is deleted and waits until the agent stopped it.
	GrpcCallCancelling GrpcCallPhase = "Cancelling"
	// GrpcCallFinished has a result; it will not run again.
	GrpcCallFinished GrpcCallPhase = "Finished"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=gc,categories=upm
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Unit",type=string,JSONPath=`.spec.targetUnit`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Result",type=string,JSONPath=`.status.result`
// +kubebuilder:printcolumn:name="Queue",type=integer,JSONPath=`.status.queuePosition`,priority=1
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.startTime) || self.spec == oldSelf.spec",message="spec cannot change once the call has started: create another GrpcCall",fieldPath=".spec"

// GrpcCall runs one operation on the agent of one unit, exactly once.
type GrpcCall struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what to run and where. It cannot change once the call has
	// started.
	// +required
	Spec GrpcCallSpec `json:"spec"`
	// status is written by the operator only.
	// +optional
	Status GrpcCallStatus `json:"status,omitzero"`
}

// GrpcCallSpec is the wanted operation.
// +kubebuilder:validation:XValidation:rule="self.type != 'proxysql' || self.action == 'set-variable'",message="proxysql supports the action set-variable only",fieldPath=".action"
// +kubebuilder:validation:XValidation:rule="self.type == 'mysql' || self.action != 'gtid-purge'",message="the action gtid-purge is for mysql only",fieldPath=".action"
type GrpcCallSpec struct {
	// targetUnit is the name of a Unit in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	TargetUnit string `json:"targetUnit"`
	// type of the target unit: mysql, postgresql or proxysql. A call whose type
	// is not the unit's own fails without touching the unit.
	// +required
	Type UnitType `json:"type"`
	// action to perform: logical-backup, physical-backup, restore and clone for
	// mysql and postgresql, gtid-purge for mysql, set-variable for every type.
	// +required
	Action Action `json:"action"`
	// ttlSecondsAfterFinished is how many seconds after completionTime the
	// GrpcCall is deleted. 0 deletes it as soon as it is finished and its event
	// was emitted.
	// +required
	// +kubebuilder:validation:Minimum=0
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished"`
	// parameters of the action. Unknown and missing keys are refused before
	// anything runs; docs list the keys of each (type, action).
	// +required
	// +kubebuilder:validation:MaxProperties=64
	Parameters map[string]JSON `json:"parameters"`
}

// GrpcCallStatus is what became of the call.
type GrpcCallStatus struct {
	// result is empty until the call is finished, then Success or Failed, for
	// good.
	// +optional
	Result Result `json:"result,omitempty"`
	// message explains the result, or what the call waits for.
	// +optional
	Message string `json:"message,omitempty"`
	// startTime is when the operator recorded its intent to dispatch the call.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// completionTime is when the result was known. The TTL counts from here.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// phase says how far the call is.
	// +optional
	Phase GrpcCallPhase `json:"phase,omitempty"`
	// progress is a short text such as "3.2 GiB of about 10 GiB". It changes at
	// most every 30 seconds.
	// +optional
	Progress string `json:"progress,omitempty"`
	// queuePosition is how many calls of the unit come before this one, itself
	// included: 1 is the next. It is there while the phase is Queued.
	// +optional
	QueuePosition int32 `json:"queuePosition,omitempty"`
	// outputs of a call that succeeded, by name, such as where a backup is.
	// +optional
	Outputs map[string]string `json:"outputs,omitempty"`
	// operation is what was recorded before the call was dispatched. It is there
	// once the call has started.
	// +optional
	Operation *OperationIntent `json:"operation,omitempty"`
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Accepted, Running and Complete.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// OperationIntent names the one place where the operation may run or have run: the
// journal of a unit's volume. The operation's id is the GrpcCall's UID.
type OperationIntent struct {
	// unitUID is the unit that the call was dispatched to.
	// +optional
	UnitUID types.UID `json:"unitUID,omitempty"`
	// podUID is that unit's pod.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`
	// journalID names the journal of the unit's volume. Another one there means
	// that nobody knows what became of the operation.
	// +optional
	JournalID string `json:"journalID,omitempty"`
	// specHash is the hash of the spec that was dispatched.
	// +optional
	SpecHash string `json:"specHash,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// GrpcCallList is a list of GrpcCalls.
type GrpcCallList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []GrpcCall `json:"items"`
}
