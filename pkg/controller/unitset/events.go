// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

// Reasons of conditions and events. The type of a condition is its reason too
// where there is only one.
const (
	// ReasonAllUnitsReady: Ready is True.
	ReasonAllUnitsReady = "AllUnitsReady"
	// ReasonUnitsNotReady: units exist that are not Ready, or do not exist yet.
	ReasonUnitsNotReady = "UnitsNotReady"
	// ReasonNoUnitsWanted: spec.units is 0 and none exists.
	ReasonNoUnitsWanted = "NoUnitsWanted"
	// ReasonDeleting: the set is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonSettled: there is nothing to do or to wait for.
	ReasonSettled = "Settled"
	// ReasonBlocked: what is missing must come first.
	ReasonBlocked = "Blocked"
	// ReasonScalingUp, ReasonScalingDown and ReasonWaitingForUnits: what is being
	// done.
	ReasonScalingUp       = "ScalingUp"
	ReasonScalingDown     = "ScalingDown"
	ReasonWaitingForUnits = "WaitingForUnits"

	// ReasonRefused: the API server refuses what the spec asks for.
	ReasonRefused = "Refused"
	// ReasonPackageBroken: the package is there and cannot be used.
	ReasonPackageBroken = "PackageBroken"
	// ReasonNotRolledOut: the change reaches units that are made from now on.
	ReasonNotRolledOut = "NotRolledOut"
	// ReasonNewRevision: the revision that the spec asks for is being made.
	ReasonNewRevision = "NewRevision"
	// ReasonNotYetSupported: a later version of the operator does.
	ReasonNotYetSupported = "NotYetSupported"
	// ReasonEvacuating: a unit's Replication has been asked to evacuate it.
	ReasonEvacuating = "Evacuating"
	// ReasonEvacuationRefused: it refuses to, and somebody has to decide.
	ReasonEvacuationRefused = "EvacuationRefused"
	// ReasonMemberOfSeveral: more than one Replication lists the unit.
	ReasonMemberOfSeveral = "MemberOfSeveral"
	// ReasonOperationRunning: a call runs on the unit that will be removed.
	ReasonOperationRunning = interlock.ReasonOperationRunning
	// ReasonHibernating: the set is scaled to zero; its units stop and their claims
	// stay.
	ReasonHibernating = "Hibernating"
	// ReasonNotReplicated: no Replication lists the unit that is being removed.
	ReasonNotReplicated = "NotReplicated"

	// ReasonSuccessfulCreate and ReasonSuccessfulDelete: a Unit was made, or is
	// being deleted because it is one too many.
	ReasonSuccessfulCreate = "SuccessfulCreate"
	ReasonSuccessfulDelete = "SuccessfulDelete"
	// ReasonFailedCreate: a child was refused.
	ReasonFailedCreate = "FailedCreate"
	// ReasonAdopted: a Unit of an earlier set of the same name is this set's now.
	ReasonAdopted = "Adopted"
)

// Actions of events.
const (
	actionReconcile = "Reconcile"
	actionCreate    = "Create"
	actionDelete    = "Delete"
	actionAdopt     = "Adopt"
)

// informational conditions are no reason to worry when they appear.
var informational = map[string]bool{
	ConditionReady:             true,
	ConditionRevisionAvailable: true,
	ConditionScalingDown:       true,
	ConditionPaused:            true,
}

// recorder writes the controller's events. Nothing else does.
type recorder struct {
	events.EventRecorder
}

func (r recorder) created(set *v1alpha2.UnitSet, unit *v1alpha2.Unit) {
	r.Eventf(set, unit, corev1.EventTypeNormal, ReasonSuccessfulCreate, actionCreate, "Created Unit %s", unit.Name)
}

// failedCreate says that a child was refused. What only has to be tried again is no
// event.
func (r recorder) failedCreate(set *v1alpha2.UnitSet, kind, name string, err error) {
	if isRefusal(err) {
		r.Eventf(set, nil, corev1.EventTypeWarning, ReasonFailedCreate, actionCreate, "%s",
			conditions.Cut(fmt.Sprintf("Error creating %s %s: %v", kind, name, err), conditions.MaxNote))
	}
}

func (r recorder) adopted(set *v1alpha2.UnitSet, o orphan) {
	unit := &observedUnit{child: o.child}
	r.Eventf(set, unit.reference(set), corev1.EventTypeNormal, ReasonAdopted, actionAdopt,
		"Adopted Unit %s, which an earlier UnitSet of this name left", o.Name)
}

func (r recorder) deleted(set *v1alpha2.UnitSet, unit runtime.Object, name, why string) {
	r.Eventf(set, unit, corev1.EventTypeNormal, ReasonSuccessfulDelete, actionDelete, "Deleting Unit %s: %s", name, why)
}

// transitions writes one event for each condition that has become True, or is
// True for another reason, since before.
func (r recorder) transitions(set *v1alpha2.UnitSet, before, after []metav1.Condition) {
	for _, condition := range after {
		if condition.Type == ConditionProgressing || condition.Status != metav1.ConditionTrue {
			continue
		}
		old := meta.FindStatusCondition(before, condition.Type)
		if old != nil && old.Status == condition.Status && old.Reason == condition.Reason {
			continue
		}
		eventType := corev1.EventTypeWarning
		if informational[condition.Type] {
			eventType = corev1.EventTypeNormal
		}
		r.Eventf(set, nil, eventType, condition.Reason, actionReconcile, "%s", conditions.Cut(condition.Message, conditions.MaxNote))
	}
}
