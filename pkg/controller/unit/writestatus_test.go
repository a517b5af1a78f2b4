// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestMayWait(t *testing.T) {
	type status = v1alpha2.UnitStatus
	is := func(conditionType string, value metav1.ConditionStatus) func(*status) {
		return func(s *status) {
			meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: conditionType, Status: value, Reason: "R"})
		}
	}
	none := func(*status) {}
	for name, tc := range map[string]struct {
		before, after func(*status)
		asked         bool
		want          bool
	}{
		"the first one":             {none, is(v1alpha2.ConditionReady, metav1.ConditionFalse), false, true},
		"how far its pod is":        {none, func(s *status) { s.Phase, s.NodeName, s.PodUID = v1alpha2.UnitPending, "n1", "1" }, false, true},
		"the first acknowledgement": {none, func(s *status) { s.ConfigSyncStatus.PodUID, s.ConfigSyncStatus.AppliedHash = "1", "h" }, false, true},
		"another one":               {func(s *status) { s.ConfigSyncStatus.PodUID = "1" }, func(s *status) { s.ConfigSyncStatus.AppliedHash = "h" }, false, false},
		"that of another pod":       {func(s *status) { s.ConfigSyncStatus.PodUID = "1" }, func(s *status) { s.ConfigSyncStatus.PodUID = "2" }, false, false},
		"a notice":                  {none, is(v1alpha2.ConditionManaged, metav1.ConditionTrue), false, true},
		"what is in the way":        {none, is(v1alpha2.ConditionSecretMissing, metav1.ConditionTrue), false, false},
		"what was in the way":       {is(v1alpha2.ConditionSecretMissing, metav1.ConditionTrue), none, false, true},
		"Ready":                     {none, is(v1alpha2.ConditionReady, metav1.ConditionTrue), false, false},
		"Ready, and it is asked":    {none, is(v1alpha2.ConditionReady, metav1.ConditionTrue), true, true},
		"its first data":            {none, func(s *status) { s.DataIdentity = &v1alpha2.DataIdentity{SystemID: "x"} }, false, false},
		"a unit that has had data":  {func(s *status) { s.DataIdentity = &v1alpha2.DataIdentity{} }, none, false, false},
		"a member":                  {func(s *status) { s.Replication = &v1alpha2.UnitReplication{UID: "r"} }, none, false, false},
		"a new spec":                {func(s *status) { s.ObservedGeneration = 1 }, func(s *status) { s.ObservedGeneration = 2 }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var before status
			tc.before(&before)
			after := *before.DeepCopy()
			tc.after(&after)
			if got := mayWait(&before, &after, tc.asked); got != tc.want {
				t.Errorf("it may wait: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTheStatusOfANewUnitWaitsForTheNextOne(t *testing.T) {
	w := newWorld(t, newUnit())
	w.controller.cfg.StatusPause = time.Second
	w.settle()
	if phase := w.unit().Status.Phase; phase != "" {
		t.Fatalf("phase %s was written at once", phase)
	}
	t.Run("not for long", func(t *testing.T) {
		w.clock.Step(time.Second)
		w.settle()
		if phase := w.unit().Status.Phase; phase != v1alpha2.UnitPending {
			t.Errorf("phase %q, want Pending", phase)
		}
	})
	t.Run("and every one is written in the end", func(t *testing.T) {
		w.live()
		u := w.unit()
		if u.Status.Phase != v1alpha2.UnitReady || u.Status.DataIdentity == nil {
			t.Errorf("phase %s, data %v", u.Status.Phase, u.Status.DataIdentity)
		}
	})
}

func TestANewUnitThatIsQuicklyReadyCostsOneStatus(t *testing.T) {
	w := newWorld(t, newUnit())
	w.controller.cfg.StatusPause = time.Minute
	for range 20 {
		w.settle()
		if !w.kubelet() {
			break
		}
	}
	w.wantPhase(v1alpha2.UnitReady)
	statuses := 0
	for _, write := range w.Written() {
		if write == "patch units/orders-0/status" {
			statuses++
		}
	}
	applies := 0
	for _, call := range w.agents.Calls() {
		if call.Apply != nil {
			applies++
		}
	}
	if statuses != 1 || applies != 1 {
		t.Errorf("%d writes of its status, want 1; its agent was told %d times, want once", statuses, applies)
	}
	if c := w.unit().Status.ConfigSyncStatus; c.PodUID != w.pod().UID || c.AppliedHash == "" {
		t.Errorf("what the agent has acknowledged is lost: %+v", c)
	}
	if said := w.said(); len(said) > 0 {
		t.Errorf("its first pod is no news: %v", said)
	}
	if _, err := w.sync(); err != nil {
		t.Fatal(err)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("at rest it writes %v", writes)
	}
}

func TestAnOperatorThatEndsBeforeItHasWrittenTheAcknowledgementTellsTheAgentAgain(t *testing.T) {
	w := newWorld(t, newUnit())
	w.controller.cfg.StatusPause = time.Minute
	w.settle()
	w.kubelet()
	w.settle()
	w.restart()
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	if c := w.unit().Status.ConfigSyncStatus; c.PodUID != w.pod().UID || c.AppliedHash == "" {
		t.Errorf("configSyncStatus %+v", c)
	}
}
