// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// GivenBackup of a unit, as a user creates it.
func (s *APIServer) GivenBackup(name, unit string) *v1alpha1.GrpcCall {
	s.t.Helper()
	call := &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace},
		Spec:       v1alpha1.GrpcCallSpec{TargetUnit: unit, Type: "mysql", Action: v1alpha1.ActionPhysicalBackup},
	}
	s.Given(call)
	return call
}

// StartCall records the intent of a call, as the GrpcCall controller does.
func (s *APIServer) StartCall(call *v1alpha1.GrpcCall) {
	s.t.Helper()
	call.Status.Operation = &v1alpha1.OperationIntent{}
	call.Status.StartTime = new(metav1.NewTime(s.clock.Now().Truncate(time.Second)))
	s.Given(call)
}

// EndCall with success.
func (s *APIServer) EndCall(call *v1alpha1.GrpcCall) {
	s.t.Helper()
	call.Status.Result = v1alpha1.ResultSuccess
	s.Given(call)
}
