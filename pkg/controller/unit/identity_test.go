// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func (w *world) annotate(key, value string) {
	w.t.Helper()
	w.edit(func(u *v1alpha2.Unit) {
		if value == "" {
			delete(u.Annotations, key)
			return
		}
		metav1.SetMetaDataAnnotation(&u.ObjectMeta, key, value)
	})
}

// consent that the agent of the unit's pod has now.
func (w *world) consent() (givenUp string) {
	w.t.Helper()
	w.agents.With(w.pod().UID, func(a *fake.Agent) { givenUp = a.Applied.GivenUpSystemID })
	return givenUp
}

// The annotation is put on a unit whose database is there. If it stayed, that database
// could be lost months later and an empty one would take its place in silence.
func TestThePermissionToGiveADatabaseUpEndsWhenThatIsSeenToRun(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	id := w.recorded().SystemID
	w.said()
	w.annotate(v1alpha2.AnnotationReinit, id)
	w.live()
	if got, there := w.unit().Annotations[v1alpha2.AnnotationReinit]; there {
		t.Errorf("the annotation stays: %s", got)
	}
	if got := w.consent(); got != "" {
		t.Errorf("the agent still gives up %s", got)
	}
	w.wantNoCondition(v1alpha2.ConditionReinitAccepted)
	if said := w.said(); !slices.ContainsFunc(said, func(e string) bool {
		return strings.Contains(e, v1alpha2.ReasonReinitDone) && strings.Contains(e, "is there and runs")
	}) {
		t.Errorf("said %v", said)
	}
	// The volume is lost later.
	w.Erase(controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"))
	w.Erase(w.pod())
	w.live()
	w.wantCondition(v1alpha2.ConditionDataMissing, v1alpha2.ConditionDataMissing, id)
	if got := w.recorded(); got.SystemID != id {
		t.Errorf("the record says %+v", got)
	}
}

// A unit that is stopped can be given the permission, and it can be taken back by an
// operator that was restarted.
func TestThePermissionIsSaidAndCanBeTakenBack(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	id := w.recorded().SystemID
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
	w.live()
	w.agents.Fail(func(method string, _ agentclient.Target) error {
		if c := w.condition(v1alpha2.ConditionReinitAccepted); method == "Apply" && c == nil {
			t.Error("the agent hears of the permission before the status says so")
		}
		return nil
	})
	w.annotate(v1alpha2.AnnotationReinit, id)
	w.live()
	w.agents.Fail(nil)
	w.wantCondition(v1alpha2.ConditionReinitAccepted, v1alpha2.ConditionReinitAccepted, id)
	if got := w.consent(); got != id {
		t.Fatalf("the agent gives up %q", got)
	}
	w.restart()
	w.annotate(v1alpha2.AnnotationReinit, "")
	w.live()
	w.wantNoCondition(v1alpha2.ConditionReinitAccepted)
	if got := w.consent(); got != "" {
		t.Errorf("the agent still gives up %s", got)
	}
}

// replaceData does to the agent and the pod what a restore does: the server stops and
// comes back with another database.
func (w *world) replaceData(data agentclient.DataIdentity) {
	w.t.Helper()
	pod := w.pod()
	w.agents.With(pod.UID, func(a *fake.Agent) { a.Status.State, a.Status.Data = agentclient.StateHeld, &data })
	w.live()
	w.agents.With(pod.UID, func(a *fake.Agent) { a.Status.State = agentclient.StateRunning })
	w.live()
}

func TestTheRecordOfTheDataFollowsTheServer(t *testing.T) {
	t.Run("when it answers again", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		if d := w.recorded(); d.Pristine == nil || !*d.Pristine || !d.Virgin {
			t.Errorf("a new database is recorded as %+v", d)
		}
		before := w.recorded().SystemID
		w.replaceData(agentclient.DataIdentity{SystemID: "restored", DataGeneration: 1, Pristine: new(false), HighestVersion: "8.4.6"})
		d := w.recorded()
		if d.SystemID != "restored" || d.DataGeneration != 1 || d.Pristine == nil || *d.Pristine || d.Virgin || d.HighestVersion != "8.4.6" {
			t.Errorf("recorded is %+v", d)
		}
		last := w.applies()[len(w.applies())-1]
		if last.Expected == nil || last.Expected.SystemID != "restored" {
			t.Errorf("the agent expects %+v", last.Expected)
		}
		if said := w.said(); !slices.ContainsFunc(said, func(e string) bool {
			return strings.Contains(e, v1alpha2.ReasonDataReplaced) && strings.Contains(e, before)
		}) {
			t.Errorf("said %v", said)
		}
		w.agents.ResetCalls()
		w.restart()
		w.live()
		if calls := w.agents.Calls(); len(calls) > 0 {
			t.Errorf("at rest the agent is asked: %+v", calls)
		}
	})
	t.Run("when clients have written", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		id := w.recorded().SystemID
		w.replaceData(agentclient.DataIdentity{SystemID: id, Pristine: new(false)})
		if d := w.recorded(); d.Pristine == nil || *d.Pristine || d.Virgin {
			t.Errorf("recorded is %+v", d)
		}
	})
	t.Run("not while it does not answer", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		w.agents.With(w.pod().UID, func(a *fake.Agent) { a.Status.State = agentclient.StateStarting })
		w.live()
		if d := w.recorded(); d.Pristine != nil || d.Virgin || d.SystemID == "" {
			t.Errorf("recorded is %+v", d)
		}
	})
	t.Run("after an operation that the probes did not notice", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		call := &v1alpha1.GrpcCall{ObjectMeta: metav1.ObjectMeta{Name: "restore", Namespace: controllertest.Namespace}}
		call.Spec.TargetUnit, call.Spec.Action = "orders-0", v1alpha1.ActionRestore
		call.Status.Operation = &v1alpha1.OperationIntent{}
		w.Given(call)
		w.live()
		if d := w.recorded(); d.Pristine != nil {
			t.Errorf("during the restore the record says %+v", d)
		}
		w.agents.ResetCalls()
		w.clock.Step(time.Hour)
		w.settle()
		if calls := w.agents.Calls(); len(calls) > 0 {
			t.Errorf("the agent is asked during the restore: %+v", calls)
		}
		w.agents.With(w.pod().UID, func(a *fake.Agent) {
			a.Status.Data = &agentclient.DataIdentity{SystemID: "restored", DataGeneration: 1, Pristine: new(false)}
		})
		call.Status.Result = v1alpha1.ResultSuccess
		w.Given(call)
		w.live()
		if d := w.recorded(); d.SystemID != "restored" || d.Pristine == nil {
			t.Errorf("the record says %+v", d)
		}
	})
	t.Run("and an agent that does not answer is asked until it does", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		pod := w.pod()
		w.agents.With(pod.UID, func(a *fake.Agent) { a.Status.State = agentclient.StateStarting })
		w.live()
		w.agents.With(pod.UID, func(a *fake.Agent) { a.Status.State = agentclient.StateRunning })
		w.agents.Fail(func(_ string, target agentclient.Target) error { return fake.Unavailable(target) })
		w.live()
		w.wantPhase(v1alpha2.UnitReady)
		w.wantCondition(v1alpha2.ConditionAgentUnreachable, v1alpha2.ConditionAgentUnreachable, "nothing is known of its data")
		w.agents.Fail(nil)
		if again, err := w.sync(); err != nil || w.recorded() == nil {
			t.Errorf("%v, %v", again, err)
		}
		w.live()
		if d := w.recorded(); d.Pristine == nil {
			t.Errorf("the record says %+v", d)
		}
	})
}
