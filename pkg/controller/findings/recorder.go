// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package findings

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// ActionReconcile is the action of events that follow from a condition.
const ActionReconcile = "Reconcile"

// Recorder writes the events of one controller, which are about objects of one kind.
// Nothing else does.
type Recorder struct {
	events     events.EventRecorder
	about      schema.GroupVersionKind
	conditions Kind
}

// NewRecorder of events about a kind.
func NewRecorder(recorder events.EventRecorder, about schema.GroupVersionKind, conditions Kind) Recorder {
	return Recorder{recorder, about, conditions}
}

// Reference of an object for events.
func Reference(obj metav1.Object, kind schema.GroupVersionKind) runtime.Object {
	ref := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: obj.GetNamespace(), Name: obj.GetName(), UID: obj.GetUID()}}
	ref.SetGroupVersionKind(kind)
	return ref
}

// Normal event about an object.
func (r Recorder) Normal(about metav1.Object, reason, action, format string, args ...any) {
	r.Event(about, nil, corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...))
}

// Warning about an object.
func (r Recorder) Warning(about metav1.Object, reason, action, format string, args ...any) {
	r.Event(about, nil, corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...))
}

// Event about an object, and one that it has to do with, if any. However long the note
// is, it is cut to what the API takes.
func (r Recorder) Event(about metav1.Object, related runtime.Object, eventType, reason, action, note string) {
	r.events.Eventf(Reference(about, r.about), related, eventType, reason, action, "%s", conditions.Cut(note, conditions.MaxNote))
}

// Transitions reports what has changed in the conditions of an object: an event for
// each that has become True, or True for another reason; a log line for that, too, and
// for each that is over, at level 0 for what blocks the object and somebody may have to
// act upon.
func (r Recorder) Transitions(ctx context.Context, about metav1.Object, before, after []metav1.Condition, now time.Time) {
	logger := klog.FromContext(ctx)
	for i := range after {
		c := &after[i]
		old := meta.FindStatusCondition(before, c.Type)
		if old != nil && old.Status == c.Status && old.Reason == c.Reason {
			continue
		}
		logger.V(r.level(c.Type)).Info("Condition changed", "condition", c.Type, "status", c.Status, "reason", c.Reason, "message", conditions.Cut(c.Message, conditions.MaxNote))
		if c.Status != metav1.ConditionTrue || slices.Contains(r.conditions.Quiet, c.Type) {
			continue
		}
		eventType := corev1.EventTypeWarning
		if slices.Contains(r.conditions.Calm, c.Type) {
			eventType = corev1.EventTypeNormal
		}
		r.Event(about, nil, eventType, c.Reason, ActionReconcile, c.Message)
	}
	for i := range before {
		if c := &before[i]; meta.FindStatusCondition(after, c.Type) == nil {
			logger.V(r.level(c.Type)).Info("Condition is over", "condition", c.Type, "reason", c.Reason, "lasted", now.Sub(c.LastTransitionTime.Time).Round(time.Second))
		}
	}
}

// level at which is logged that a condition begins or ends.
func (r Recorder) level(condition string) int {
	if slices.Contains(r.conditions.Blockers, condition) && !slices.Contains(r.conditions.Calm, condition) {
		return 0
	}
	return 2
}
