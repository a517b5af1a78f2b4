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
	"github.com/upmio/unit-operator/pkg/controller/slim"
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
	v1alpha2.ConditionReady:           true,
	v1alpha2.ConditionManaged:         true,
	v1alpha2.ConditionPaused:          true,
	v1alpha2.ConditionServerStopped:   true,
	v1alpha2.ConditionPodTerminating:  true,
	v1alpha2.ConditionUpdatePending:   true,
	v1alpha2.ConditionResizePending:   true,
	v1alpha2.ConditionRestartRequired: true,
	v1alpha2.ConditionAgentOutdated:   true,
	v1alpha2.ConditionOwnCommand:      true,
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
