// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"maps"
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// foresee what the steps of a sync would find, without a write: which revision the
// spec asks for, and that it waits.
func (s *state) foresee() {
	s.found[v1alpha2.ConditionPaused] = child.PausedWhile("nothing of the set is changed")
	if s.found.Has(v1alpha2.ConditionInvalidSpec) {
		return
	}
	decision := s.decide()
	s.waiting = true
	if decision.update != nil && !decision.bump {
		s.useRevision(decision.update)
	}
	if decision.cut || decision.bump {
		s.pending = true
	}
}

// notActedOn are the fields and annotations that a set uses and that this version of
// the operator accepts and does nothing about.
func notActedOn(set *v1alpha2.UnitSet) []string {
	var fields []string
	if len(set.Spec.Configuration) > 0 {
		fields = append(fields, "spec.configuration")
	}
	if set.Spec.UpdateStrategy.Paused {
		fields = append(fields, "spec.updateStrategy.paused")
	}
	for _, key := range slices.Sorted(maps.Keys(set.Annotations)) {
		switch key {
		case v1alpha2.AnnotationRestart, v1alpha2.AnnotationAgentLogLevel,
			v1alpha2.AnnotationMaintenanceWindow, v1alpha2.AnnotationMaintenanceNow:
			fields = append(fields, fmt.Sprintf("annotation %s", key))
		}
	}
	return fields
}
