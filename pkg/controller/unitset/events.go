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
	v1alpha2.ConditionReady:             true,
	v1alpha2.ConditionRevisionAvailable: true,
	v1alpha2.ConditionScalingDown:       true,
	v1alpha2.ConditionPaused:            true,
}

// recorder writes the controller's events. Nothing else does.
type recorder struct {
	events.EventRecorder
}

func (r recorder) created(set *v1alpha2.UnitSet, unit *v1alpha2.Unit) {
	r.Eventf(set, unit, corev1.EventTypeNormal, v1alpha2.ReasonSuccessfulCreate, actionCreate, "Created Unit %s", unit.Name)
}

// failedCreate says that a child was refused. What only has to be tried again is no
// event.
func (r recorder) failedCreate(set *v1alpha2.UnitSet, kind, name string, err error) {
	if isRefusal(err) {
		r.Eventf(set, nil, corev1.EventTypeWarning, v1alpha2.ReasonFailedCreate, actionCreate, "%s",
			conditions.Cut(fmt.Sprintf("Error creating %s %s: %v", kind, name, err), conditions.MaxNote))
	}
}

func (r recorder) adopted(set *v1alpha2.UnitSet, o orphan) {
	unit := &observedUnit{child: o.child}
	r.Eventf(set, unit.reference(set), corev1.EventTypeNormal, v1alpha2.ReasonAdopted, actionAdopt,
		"Adopted Unit %s, which an earlier UnitSet of this name left", o.Name)
}

func (r recorder) deleted(set *v1alpha2.UnitSet, unit runtime.Object, name, why string) {
	r.Eventf(set, unit, corev1.EventTypeNormal, v1alpha2.ReasonSuccessfulDelete, actionDelete, "Deleting Unit %s: %s", name, why)
}

// transitions writes one event for each condition that has become True, or is
// True for another reason, since before.
func (r recorder) transitions(set *v1alpha2.UnitSet, before, after []metav1.Condition) {
	for _, condition := range after {
		if condition.Type == v1alpha2.ConditionProgressing || condition.Status != metav1.ConditionTrue {
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
