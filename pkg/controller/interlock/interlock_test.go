// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package interlock

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newCall(name, unit string, edits ...func(*v1alpha1.GrpcCall)) *v1alpha1.GrpcCall {
	call := &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, CreationTimestamp: metav1.NewTime(testNow)},
		Spec:       v1alpha1.GrpcCallSpec{TargetUnit: unit, Action: v1alpha1.ActionRestore},
	}
	for _, edit := range edits {
		edit(call)
	}
	return call
}

func started(c *v1alpha1.GrpcCall) { c.Status.Operation = &v1alpha1.OperationIntent{} }
func done(c *v1alpha1.GrpcCall)    { started(c); c.Status.Result = v1alpha1.ResultFailed }
func deleted(c *v1alpha1.GrpcCall) { c.DeletionTimestamp = new(metav1.NewTime(testNow)) }
func older(c *v1alpha1.GrpcCall)   { c.CreationTimestamp = metav1.NewTime(testNow.Add(-time.Hour)) }

type listed []*v1alpha1.GrpcCall

func (l listed) List(context.Context, metav1.ListOptions) (*v1alpha1.GrpcCallList, error) {
	list := &v1alpha1.GrpcCallList{}
	for _, call := range l {
		list.Items = append(list.Items, *call)
	}
	return list, nil
}

func TestTheHolderIsTheOldestCallThatMayRunOnTheUnit(t *testing.T) {
	for name, tc := range map[string]struct {
		calls []*v1alpha1.GrpcCall
		want  string
	}{
		"none":                              {nil, ""},
		"one that is queued":                {listed{newCall("a", "u")}, ""},
		"one that has its result":           {listed{newCall("a", "u", done)}, ""},
		"one that runs":                     {listed{newCall("a", "u", started)}, "a"},
		"one that is being cancelled":       {listed{newCall("a", "u", started, deleted)}, "a"},
		"one of another unit":               {listed{newCall("a", "v", started)}, ""},
		"the older of two":                  {listed{newCall("a", "u", started), newCall("b", "u", started, older)}, "b"},
		"the first by name of the same age": {listed{newCall("b", "u", started), newCall("a", "u", started)}, "a"},
	} {
		holder, err := ReadHolder(t.Context(), listed(tc.calls), "u")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if holder != nil {
			got = holder.Name
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestACallIsDescribedByNameActionAndStart(t *testing.T) {
	call := newCall("a", "u", started)
	call.Status.StartTime = new(metav1.NewTime(testNow.In(time.FixedZone("", 3600))))
	if d := cmp.Diff("GrpcCall a (restore), running since 2026-01-02T03:04:05Z", Describe(call)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestOnlyARestartThatIsToComeConcernsCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		conditions      []metav1.Condition
		restarting, due bool
	}{
		"nothing is pending":           {nil, false, false},
		"the user replaces the pod":    {[]metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionTrue, Reason: "UpdatePending"}}, false, false},
		"the pod is being replaced":    {[]metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionTrue, Reason: v1alpha2.ReasonRestarting}}, true, true},
		"the restart waits for a call": {[]metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionTrue, Reason: v1alpha2.ReasonOperationRunning}}, false, true},
		"it is over":                   {[]metav1.Condition{{Type: v1alpha2.ConditionUpdatePending, Status: metav1.ConditionFalse, Reason: v1alpha2.ReasonRestarting}}, false, false},
	} {
		if got := Restarting(tc.conditions); got != tc.restarting {
			t.Errorf("%s: Restarting is %t", name, got)
		}
		if got := RestartDue(tc.conditions); got != tc.due {
			t.Errorf("%s: RestartDue is %t", name, got)
		}
	}
}

func TestAUnitThatIsOnItsWayIsToldFromOneThatIsNot(t *testing.T) {
	for reason, want := range map[string]bool{
		v1alpha2.ReasonPodTerminating: true, v1alpha2.ReasonPodMissing: true, v1alpha2.ReasonPodPending: true, v1alpha2.ReasonServerStarting: true, v1alpha2.ReasonServerHeld: true,
		"ServerStopped": false, "ContainerFailing": false, "DataMissing": false,
	} {
		if got := Starting([]metav1.Condition{{Type: v1alpha2.ConditionReady, Status: metav1.ConditionFalse, Reason: reason}}); got != want {
			t.Errorf("%s: Starting is %t", reason, got)
		}
	}
	if Starting(nil) || Starting([]metav1.Condition{{Type: v1alpha2.ConditionReady, Status: metav1.ConditionTrue, Reason: "ServerReady"}}) {
		t.Error("a unit that serves, or says nothing, is taken for one on its way")
	}
}

func TestAUnitIsWokenWhenACallBeginsOrCeasesToHoldIt(t *testing.T) {
	var woken []string
	h := Handler(func(units []string) { woken = append(woken, units...) })
	progress := newCall("a", "u", started)
	progress.Status.Progress = "1 of 2"
	for name, tc := range map[string]struct {
		happens func()
		want    []string
	}{
		"it has its result": {func() { h.OnUpdate(newCall("a", "u", started), newCall("a", "u", done)) }, []string{"ns/u"}},
		"it has an intent":  {func() { h.OnUpdate(newCall("a", "u"), newCall("a", "u", started)) }, []string{"ns/u"}},
		"it makes progress": {func() { h.OnUpdate(newCall("a", "u", started), progress) }, nil},
		"it is gone":        {func() { h.OnDelete(cache.DeletedObject[*v1alpha1.GrpcCall]{OptionalObj: newCall("a", "u", started)}) }, []string{"ns/u"}},
		"it is gone unseen": {func() {
			h.OnDelete(cache.DeletedObject[*v1alpha1.GrpcCall]{FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "ns/a"}})
		}, nil},
	} {
		woken = nil
		tc.happens()
		if d := cmp.Diff(tc.want, woken); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}
