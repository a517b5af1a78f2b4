// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
)

// WantCondition that is True, for that reason, and says so.
func WantCondition(t testing.TB, conditions []metav1.Condition, conditionType, reason string, mentions ...string) {
	t.Helper()
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason != reason {
		t.Fatalf("condition %s is %+v, want True for %s", conditionType, c, reason)
	}
	for _, m := range mentions {
		if !strings.Contains(c.Message, m) {
			t.Errorf("condition %s does not mention %q: %s", conditionType, m, c.Message)
		}
	}
}

// WantNoCondition of the type.
func WantNoCondition(t testing.TB, conditions []metav1.Condition, conditionType string) {
	t.Helper()
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		t.Errorf("condition %s is there: %+v", conditionType, c)
	}
}

// Said are the events since the last call.
func Said(recorder *events.FakeRecorder) []string {
	var out []string
	for {
		select {
		case e := <-recorder.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}
