// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// Actions of events.
const (
	actionRun    = "Run"
	actionCancel = "Cancel"
	actionCreate = "Create"
)

// recorder writes the controller's events. Nothing else does.
type recorder struct {
	events.EventRecorder
}

// maxNote is what a message is cut to in an event, which holds 1024 bytes.
const maxNote = 640

func (r recorder) normal(call *v1alpha1.GrpcCall, reason, action, format string, args ...any) {
	r.write(call, corev1.EventTypeNormal, reason, action, fmt.Sprintf(format, args...))
}

func (r recorder) warning(call *v1alpha1.GrpcCall, reason, action, format string, args ...any) {
	r.write(call, corev1.EventTypeWarning, reason, action, fmt.Sprintf(format, args...))
}

// write an event that the API takes, however long what it says is.
func (r recorder) write(call *v1alpha1.GrpcCall, eventType, reason, action, note string) {
	r.Eventf(reference(call), nil, eventType, reason, action, "%s", conditions.Cut(note, conditions.MaxNote))
}

// reference of a call for events: without its spec, which may hold a password.
func reference(call *v1alpha1.GrpcCall) *v1alpha1.GrpcCall {
	return &v1alpha1.GrpcCall{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "GrpcCall"},
		ObjectMeta: metav1.ObjectMeta{Name: call.Name, Namespace: call.Namespace, UID: call.UID},
	}
}
