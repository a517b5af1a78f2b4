// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SyncStatus says how far the units follow the spec.
// +kubebuilder:validation:Enum=Synced;NotSynced;Syncing
type SyncStatus string

const (
	// Synced means that every unit equals the spec.
	Synced SyncStatus = "Synced"
	// NotSynced means that some unit differs and nothing is being done about it
	// now (held by partition, window or an error); a condition says why.
	NotSynced SyncStatus = "NotSynced"
	// Syncing means that a step is under way.
	Syncing SyncStatus = "Syncing"
)

// UnitSetStatus is what was observed of the set.
type UnitSetStatus struct {
	// units is how many Units exist.
	// +optional
	Units int32 `json:"units"`
	// readyUnits is how many of them are in phase Ready.
	// +optional
	ReadyUnits int32 `json:"readyUnits"`
	// selector of the set's pods, as a string, for the scale subresource.
	// +optional
	Selector string `json:"selector,omitempty"`
	// inUpdate is "true" while units are being brought to the current revision,
	// else "false".
	// +optional
	InUpdate string `json:"inUpdate,omitempty"`
	// unitPVCSynced says whether every claim has the wanted size.
	// +optional
	UnitPVCSynced SyncStatus `json:"unitPVCSynced,omitempty"`
	// unitImageSynced says whether every unit runs the wanted revision.
	// +optional
	UnitImageSynced SyncStatus `json:"unitImageSynced,omitempty"`
	// unitResourceSynced says whether every unit has the wanted cpu and memory.
	// +optional
	UnitResourceSynced SyncStatus `json:"unitResourceSynced,omitempty"`
	// currentRevision names the ControllerRevision all units came from, before
	// an update that is under way.
	// +optional
	CurrentRevision string `json:"currentRevision,omitempty"`
	// updateRevision names the ControllerRevision that units are brought to.
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`
	// updatedUnits is how many units carry updateRevision.
	// +optional
	UpdatedUnits int32 `json:"updatedUnits,omitempty"`
	// availableRevision is the hash of what a newer renderer or an edited
	// package would give. It is taken up with the next change of the spec or by
	// the annotation unit-operator.io/adopt-revision.
	// +optional
	AvailableRevision string `json:"availableRevision,omitempty"`
	// plan lists the steps by which the units are brought to the spec, in their
	// order. While updateStrategy.paused is true none of them is begun.
	// +optional
	// +listType=atomic
	Plan []PlannedStep `json:"plan,omitempty"`
	// package is the package in use.
	// +optional
	Package *PackageReference `json:"package,omitempty"`
	// collisionCount makes revision names unique after a hash collision.
	// +optional
	CollisionCount *int32 `json:"collisionCount,omitempty"`
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Progressing, and one for whatever is missing or
	// waited for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// UnitStep is a kind of step by which a unit is brought to the spec.
// +kubebuilder:validation:Enum=Create;Remove;Switchover;Restart;Resize;Expand;Configure;Rebuild
type UnitStep string

const (
	// StepCreate makes the unit.
	StepCreate UnitStep = "Create"
	// StepRemove removes the unit.
	StepRemove UnitStep = "Remove"
	// StepSwitchover gives the source's role to another unit first.
	StepSwitchover UnitStep = "Switchover"
	// StepRestart replaces the unit's pod.
	StepRestart UnitStep = "Restart"
	// StepResize changes cpu and memory of the pod that runs.
	StepResize UnitStep = "Resize"
	// StepExpand grows the unit's claims.
	StepExpand UnitStep = "Expand"
	// StepConfigure lets the server take up its configuration.
	StepConfigure UnitStep = "Configure"
	// StepRebuild makes the unit's data again from the other members.
	StepRebuild UnitStep = "Rebuild"
)

// PlannedStep is a step that has not been begun.
type PlannedStep struct {
	// unit by name.
	// +required
	Unit string `json:"unit"`
	// step is Create, Remove, Switchover, Restart, Resize, Expand, Configure or
	// Rebuild.
	// +required
	Step UnitStep `json:"step"`
	// reason is why, for people: what differs.
	// +optional
	Reason string `json:"reason,omitempty"`
}

// PackageReference is a package as it was read.
type PackageReference struct {
	// name of the package's PodTemplate in the operator's namespace.
	// +required
	Name string `json:"name"`
	// revision is the hash of the package's content.
	// +required
	Revision string `json:"revision"`
}
