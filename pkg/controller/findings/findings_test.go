// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package findings

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

var (
	now  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	kind = Kind{Blockers: []string{"Broken", "Stopping"}, Notices: []string{"Odd", "Chatty"}, Calm: []string{"Stopping", "Odd"}, Quiet: []string{"Chatty"}}
)

func TestAConditionIsThereWhileItIsFound(t *testing.T) {
	types := func(conds []metav1.Condition) (out []string) {
		for _, c := range conds {
			out = append(out, c.Type+"="+c.Reason)
		}
		return out
	}
	var conds []metav1.Condition
	New("Fine", "all is well").Write(&conds, "Ready", metav1.ConditionTrue, 1, now)
	found := Set{}
	found.Because("Odd", "it is %s", "odd")
	found.Add("Broken", "Burst", "first")
	found.Add("Broken", "Other", "second")
	kind.Write(&conds, found, 1, now)
	if d := cmp.Diff([]string{"Ready=Fine", "Broken=Burst", "Odd=Odd"}, types(conds)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if condition, f, ok := found.First(kind.Blockers); !ok || condition != "Broken" || f.Message != "first" {
		t.Error(condition, f, ok)
	}
	kind.Write(&conds, Set{}, 2, now.Add(time.Hour))
	if d := cmp.Diff([]string{"Ready=Fine"}, types(conds)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTransitions(t *testing.T) {
	yes := func(condition, reason string) metav1.Condition {
		return metav1.Condition{Type: condition, Status: metav1.ConditionTrue, Reason: reason, Message: "it says", LastTransitionTime: metav1.NewTime(now.Add(-time.Minute))}
	}
	no := yes("Ready", "Not")
	no.Status = metav1.ConditionFalse
	type conds []metav1.Condition
	for name, tc := range map[string]struct {
		before, after conds
		events        []string
		// log at level 0, and at level 2.
		log, log2 []string
	}{
		"what blocks":                    {nil, conds{yes("Broken", "Burst")}, []string{"Warning Burst it says"}, []string{"Condition changed Broken"}, nil},
		"what blocks for another reason": {conds{yes("Broken", "Burst")}, conds{yes("Broken", "Lost")}, []string{"Warning Lost it says"}, []string{"Condition changed Broken"}, nil},
		"what blocks no longer":          {conds{yes("Broken", "Burst")}, nil, nil, []string{"Condition is over Broken"}, nil},
		"what blocks still":              {conds{yes("Broken", "Burst")}, conds{yes("Broken", "Burst")}, nil, nil, nil},
		"what blocks on request":         {nil, conds{yes("Stopping", "Stopping")}, []string{"Normal Stopping it says"}, nil, []string{"Condition changed Stopping"}},
		"what is only to be known":       {nil, conds{yes("Odd", "Odd")}, []string{"Normal Odd it says"}, nil, []string{"Condition changed Odd"}},
		"what says too little":           {nil, conds{yes("Chatty", "Chatty")}, nil, nil, []string{"Condition changed Chatty"}},
		"what is not so":                 {conds{yes("Ready", "Fine")}, conds{no}, nil, nil, []string{"Condition changed Ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			for level, lines := range map[int][]string{0: tc.log, 2: append(append([]string(nil), tc.log...), tc.log2...)} {
				logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.Verbosity(level), ktesting.BufferLogs(true)))
				recorder := events.NewFakeRecorder(10)
				r := NewRecorder(recorder, schema.GroupVersionKind{Kind: "Unit"}, kind)
				r.Transitions(klog.NewContext(t.Context(), logger), &metav1.ObjectMeta{Name: "orders-0"}, tc.before, tc.after, now)
				var got []string
				for _, entry := range logger.GetSink().(ktesting.Underlier).GetBuffer().Data() {
					got = append(got, fmt.Sprintf("%s %v", entry.Message, entry.ParameterKVList[1]))
				}
				if d := cmp.Diff(lines, got); d != "" {
					t.Errorf("log at -v %d: -want +got:\n%s", level, d)
				}
				close(recorder.Events)
				var said []string
				for e := range recorder.Events {
					said = append(said, e)
				}
				if d := cmp.Diff(tc.events, said); d != "" {
					t.Errorf("events: -want +got:\n%s", d)
				}
			}
		})
	}
}

func TestANoteIsCutToWhatTheAPITakes(t *testing.T) {
	recorder := events.NewFakeRecorder(1)
	NewRecorder(recorder, schema.GroupVersionKind{Kind: "Unit"}, kind).Warning(&metav1.ObjectMeta{}, "Long", "Act", "%s", strings.Repeat("ü", 1000))
	note := strings.TrimPrefix(<-recorder.Events, "Warning Long ")
	if len(note) > conditions.MaxNote || !strings.HasSuffix(note, "ü...") {
		t.Errorf("%d bytes: %s", len(note), note)
	}
}

func TestAReferenceHasNoSpec(t *testing.T) {
	ref := Reference(&metav1.ObjectMeta{Namespace: "ns", Name: "a", UID: "1", Annotations: map[string]string{"password": "x"}}, schema.GroupVersionKind{Group: "g", Version: "v", Kind: "K"})
	want := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "g/v", Kind: "K"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", UID: "1"},
	}
	if d := cmp.Diff(want, ref); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
