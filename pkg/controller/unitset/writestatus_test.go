// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestMayWait(t *testing.T) {
	type status = v1alpha2.UnitSetStatus
	is := func(conditionType string, value metav1.ConditionStatus) func(*status) {
		return func(s *status) {
			meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: conditionType, Status: value, Reason: "R"})
		}
	}
	none := func(*status) {}
	told := func(s *status) { s.ObservedGeneration = 1 }
	for name, tc := range map[string]struct {
		before, after func(*status)
		want          bool
	}{
		"how many units are Ready":   {none, func(s *status) { s.Units, s.ReadyUnits = 3, 1 }, true},
		"that it goes on":            {none, is(v1alpha2.ConditionProgressing, metav1.ConditionTrue), true},
		"Ready":                      {none, is(v1alpha2.ConditionReady, metav1.ConditionTrue), false},
		"Ready no longer":            {is(v1alpha2.ConditionReady, metav1.ConditionTrue), is(v1alpha2.ConditionReady, metav1.ConditionFalse), false},
		"a count of a set at rest":   {is(v1alpha2.ConditionReady, metav1.ConditionTrue), func(s *status) { s.UpdatedUnits = 1 }, false},
		"what is in the way":         {none, is(v1alpha2.ConditionQuotaExceeded, metav1.ConditionTrue), false},
		"what was in the way before": {is(v1alpha2.ConditionQuotaExceeded, metav1.ConditionTrue), func(s *status) { s.Units = 1 }, true},
		"the first of a new set":     {none, func(s *status) { s.ObservedGeneration, s.UpdateRevision = 1, "orders-1" }, true},
		"a notice":                   {none, is(v1alpha2.ConditionNotReplicated, metav1.ConditionTrue), true},
		"a new spec":                 {told, func(s *status) { s.ObservedGeneration = 2 }, false},
		"a revision":                 {told, func(s *status) { s.UpdateRevision = "orders-1" }, false},
		"the one that units have":    {told, func(s *status) { s.CurrentRevision = "orders-1" }, false},
		"a collision of names":       {none, func(s *status) { s.CollisionCount = new(int32(1)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var before status
			tc.before(&before)
			after := *before.DeepCopy()
			tc.after(&after)
			if got := mayWait(&before, &after); got != tc.want {
				t.Errorf("it may wait: %v, want %v", got, tc.want)
			}
		})
	}
}
