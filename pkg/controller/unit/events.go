// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Reasons of conditions and events. The type of a condition is its reason too
// where there is only one.
const (
	// ReasonServerReady: Ready is True.
	ReasonServerReady = "ServerReady"
	// ReasonDeleting: the unit is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonPodMissing, ReasonPodPending and ReasonServerStarting: how far the unit
	// has come.
	ReasonPodMissing     = interlock.ReasonPodMissing
	ReasonPodPending     = interlock.ReasonPodPending
	ReasonServerStarting = interlock.ReasonServerStarting
	// ReasonServerHeld: something else than spec.startup keeps the server down, such as
	// an operation or a fence.
	ReasonServerHeld = interlock.ReasonServerHeld
	// ReasonPodEnded: the pod ended and the next one is made.
	ReasonPodEnded = "PodEnded"

	// ReasonPackageBroken: the package is there and cannot be used.
	ReasonPackageBroken = "PackageBroken"
	// ReasonReplicationListsUnit and ReasonMadeForReplication: why a unit is
	// managed.
	ReasonReplicationListsUnit = "ReplicationListsUnit"
	ReasonMadeForReplication   = "MadeForReplication"

	// ReasonRestarting and ReasonOperationRunning of UpdatePending: the pod is being
	// replaced, or will be when a call has ended.
	ReasonRestarting       = interlock.ReasonRestarting
	ReasonOperationRunning = interlock.ReasonOperationRunning

	// ReasonSuccessfulCreate and ReasonSuccessfulDelete: a pod was made or is being
	// deleted.
	ReasonSuccessfulCreate = "SuccessfulCreate"
	ReasonSuccessfulDelete = "SuccessfulDelete"
	// ReasonBound and ReasonUnbound: the unit was bound to a node, or is no longer.
	ReasonBound   = "BoundToNode"
	ReasonUnbound = "ReleasedFromNode"
	// ReasonAdopted and ReasonReleased: a Replication owns the unit, or owns it no
	// longer.
	ReasonAdopted  = "Adopted"
	ReasonReleased = "Released"
	// ReasonPodEndProven: something else than its kubelet proves that a member's pod has
	// ended.
	ReasonPodEndProven = "PodEndProven"
	// ReasonDataGivenUp: the record of the unit's database was given up; an empty
	// volume is initialised.
	ReasonDataGivenUp = "DataGivenUp"
	// ReasonDataReplaced: an operation has put another database in the place of the
	// unit's.
	ReasonDataReplaced = "DataReplaced"
	// ReasonReinitDone: the annotation unit-operator.io/reinit has done its work, or
	// named other data.
	ReasonReinitDone = "ReinitDone"
	// ReasonCertificateIssued: the agent has a new certificate.
	ReasonCertificateIssued = "CertificateIssued"
)

// Actions of events.
const (
	actionReconcile = "Reconcile"
	actionCreate    = "Create"
	actionDelete    = "Delete"
	actionBind      = "Bind"
)

// informational conditions are no reason to worry when they appear.
var informational = map[string]bool{
	ConditionReady:           true,
	ConditionManaged:         true,
	ConditionPaused:          true,
	ConditionServerStopped:   true,
	ConditionPodTerminating:  true,
	ConditionUpdatePending:   true,
	ConditionResizePending:   true,
	ConditionRestartRequired: true,
	ConditionAgentOutdated:   true,
	ConditionOwnCommand:      true,
}

// recorder writes the controller's events. Nothing else does.
type recorder struct {
	events.EventRecorder
}

// reference of a Unit for events.
func reference(unit *slim.Unit) *v1alpha2.Unit {
	return &v1alpha2.Unit{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha2.SchemeGroupVersion.String(), Kind: "Unit"},
		ObjectMeta: metav1.ObjectMeta{Name: unit.Name, Namespace: unit.Namespace, UID: unit.UID},
	}
}

func (r recorder) normal(unit *slim.Unit, reason, action, format string, args ...any) {
	r.write(unit, corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...))
}

func (r recorder) warning(unit *slim.Unit, reason, action, format string, args ...any) {
	r.write(unit, corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...))
}

// write an event that the API takes, however long what it says is.
func (r recorder) write(unit *slim.Unit, eventType, reason, action, note string) {
	r.Eventf(reference(unit), nil, eventType, reason, action, "%s", conditions.Cut(note, conditions.MaxNote))
}

// transitions writes one event for each condition that has become True, or is
// True for another reason, since before.
func (r recorder) transitions(unit *slim.Unit, before, after []metav1.Condition) {
	for _, condition := range after {
		if condition.Status != metav1.ConditionTrue {
			continue
		}
		old := conditions.Find(before, condition.Type)
		if old != nil && old.Status == condition.Status && old.Reason == condition.Reason {
			continue
		}
		if informational[condition.Type] {
			r.normal(unit, condition.Reason, actionReconcile, "%s", condition.Message)
		} else {
			r.warning(unit, condition.Reason, actionReconcile, "%s", condition.Message)
		}
	}
}
