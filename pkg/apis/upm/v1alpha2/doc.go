// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha2 is the version of the upm.syntropycloud.io API that holds
// UnitSet and Unit.
//
// +k8s:deepcopy-gen=package
// +kubebuilder:object:generate=false
// +groupName=upm.syntropycloud.io
package v1alpha2
