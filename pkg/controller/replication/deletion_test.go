// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// settled is a Replication whose source is the first unit, as if passes had made it so.
func settled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.controller.run = undecided
	w.settle()
	w.adopt()
	r := w.replication()
	r.Status.CurrentSource, r.Status.Epoch = "mysql-0", 7
	for i := range 3 {
		role := agentclient.RoleReplica
		entry := v1alpha1.ReplicationMemberStatus{Name: unitName(i), UnitUID: w.theUnit(i).UID, Role: v1alpha2.RoleReplica}
		if i == 0 {
			role, entry.Role, entry.PodUID = agentclient.RoleSource, v1alpha2.RoleSource, w.podUID(i)
		}
		r.Status.Topology = append(r.Status.Topology, entry)
		w.agents.With(w.podUID(i), func(a *fake.Agent) {
			a.Status.Record = &agentclient.RoleRecord{ReplicationUID: r.UID, Epoch: 7, Role: role, Open: i == 0}
		})
	}
	w.Given(r)
	w.settle()
	w.agents.ResetCalls()
	return w
}

func (w *world) gone() bool {
	_, there := controllertest.Get[*v1alpha1.MysqlReplication](w.APIServer, "orders")
	return !there
}

func (w *world) released() map[string]bool {
	out := map[string]bool{}
	for _, call := range w.agents.Calls() {
		if call.Method == "Release" {
			out[call.Target.Unit] = true
		}
	}
	return out
}

// passes and syncs without demanding that the Replication is still there.
func (w *world) finish() {
	w.t.Helper()
	w.refresh()
	if _, err := w.controller.pass(w.t.Context(), w.key); err != nil {
		w.t.Fatal(err)
	}
	for range 5 {
		if err := w.sync(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestAReplicationThatIsDeletedReleasesItsMembersAndGoes(t *testing.T) {
	w := settled(t)
	w.Delete(w.replication())
	w.settle()
	if w.gone() {
		t.Fatal("it is gone before its members are released")
	}
	w.finish()
	if !w.gone() {
		t.Fatalf("it stays: %+v", w.replication().Status.Conditions)
	}
	if got := w.released(); len(got) != 3 {
		t.Errorf("released %v", got)
	}
	if roles := w.roles(); len(roles) > 0 {
		t.Errorf("labels %v", roles)
	}
}

// A pass may be due again when the one that has released the members ends, and have the
// Replication when the sync that would let it go comes.
func TestAReplicationThatIsReleasedGoesAlsoIfItsSyncMeetsAPassWithNothingToDo(t *testing.T) {
	w := settled(t)
	w.Delete(w.replication())
	w.settle()
	w.refresh()
	if _, err := w.controller.pass(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	if got := w.released(); len(got) != 3 {
		t.Fatalf("released %v", got)
	}
	syncs := func() {
		for w.controller.loop.Len() > 0 {
			w.controller.loop.ProcessNext(t.Context())
			w.refresh()
		}
	}
	if !w.controller.begin(w.key) {
		t.Fatal("the pass has ended and still has it")
	}
	syncs()
	w.controller.end(w.key)
	if w.gone() {
		t.Fatal("a sync had it beside the pass")
	}
	if _, err := w.controller.pass(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
	syncs()
	if !w.gone() {
		t.Error("nobody comes to let it go")
	}
}

func TestASourceThatIsOutOfReachKeepsItsReplication(t *testing.T) {
	silent := func(w *world, unit string) {
		w.agents.Fail(func(_ string, target agentclient.Target) error {
			if target.Unit == unit {
				return fake.Unavailable(target)
			}
			return nil
		})
	}
	t.Run("until it answers", func(t *testing.T) {
		w := settled(t)
		silent(w, "mysql-0")
		w.Delete(w.replication())
		w.settle()
		w.finish()
		if w.gone() {
			t.Fatal("it is gone while the source has not heard of it")
		}
		w.wantCondition(v1alpha1.ReplicationReleasePending, v1alpha1.ReplicationReleasePending, "mysql-0", v1alpha2.AnnotationForceRelease)
		w.agents.Fail(nil)
		w.finish()
		if !w.gone() {
			t.Error("it stays")
		}
	})
	t.Run("until its end is proven", func(t *testing.T) {
		w := settled(t)
		silent(w, "mysql-0")
		w.Delete(w.replication())
		w.settle()
		w.finish()
		unit := w.theUnit(0)
		unit.Status.LastPod = &v1alpha2.UnitLastPod{UID: w.podUID(0), Ended: v1alpha2.PodEndKubelet}
		w.Erase(w.pod(0))
		w.Given(unit)
		w.finish()
		if !w.gone() {
			t.Error("it stays")
		}
	})
	t.Run("until a person lets it go", func(t *testing.T) {
		w := settled(t)
		silent(w, "mysql-0")
		w.Delete(w.replication())
		w.settle()
		w.finish()
		w.edit(func(r *v1alpha1.MysqlReplication) {
			metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha2.AnnotationForceRelease, "true")
		})
		w.finish()
		if !w.gone() {
			t.Error("it stays")
		}
	})
	t.Run("and a replica does not", func(t *testing.T) {
		w := settled(t)
		silent(w, "mysql-2")
		w.Delete(w.replication())
		w.settle()
		w.finish()
		if !w.gone() {
			t.Error("it stays")
		}
	})
	t.Run("nor a former source that has not heard of its successor, which does", func(t *testing.T) {
		w := settled(t)
		r := w.replication()
		r.Status.LastTransition = &v1alpha1.ReplicationTransition{From: "mysql-1", To: "mysql-0"}
		w.Given(r)
		silent(w, "mysql-1")
		w.Delete(w.replication())
		w.settle()
		w.finish()
		if w.gone() {
			t.Error("it is gone")
		}
	})
}

// Whoever applies a backup of the object has its epoch of then.
func TestMembersWhoseAgentsKnowALaterEpochAreReleased(t *testing.T) {
	w := settled(t)
	for i := range 3 {
		w.agents.With(w.podUID(i), func(a *fake.Agent) { a.Status.Epoch = 9 + int64(i) })
	}
	w.Delete(w.replication())
	w.settle()
	for range 3 {
		w.finish()
	}
	if !w.gone() {
		t.Fatalf("it stays at epoch %d: %+v", w.replication().Status.Epoch, w.replication().Status.Conditions)
	}
	if got := w.released(); len(got) != 3 {
		t.Errorf("released %v", got)
	}
}

// A source may be closed for an operation: released then, nobody would open it again.
func TestAnOperationIsEndedBeforeMembersAreReleased(t *testing.T) {
	w := settled(t)
	r := w.replication()
	r.Status.Operation = &v1alpha1.ReplicationOperation{ID: "1", Type: v1alpha1.OperationSwitchover, From: "mysql-0", To: "mysql-1", Epoch: 8}
	w.Given(r)
	w.Delete(w.replication())
	w.settle()
	driven := 0
	w.controller.run = func(context.Context, *Controller, *journal, worker.Agents, *topology.Memory) (worker.Outcome, error) {
		driven++
		return worker.Outcome{}, nil
	}
	w.finish()
	if w.gone() || len(w.released()) > 0 || driven != 1 {
		t.Fatalf("gone: %t, released %v, driven %d times", w.gone(), w.released(), driven)
	}
	w.wantCondition(v1alpha1.ReplicationReleasePending, v1alpha1.ReplicationReleasePending, "Switchover from mysql-0 to mysql-1")
	r = w.replication()
	r.Status.Operation = nil
	w.Given(r)
	w.finish()
	if !w.gone() || len(w.released()) != 3 {
		t.Errorf("gone: %t, released %v", w.gone(), w.released())
	}
}

func TestTheDeletionOfAPausedReplicationWaits(t *testing.T) {
	w := settled(t)
	w.edit(func(r *v1alpha1.MysqlReplication) {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha2.AnnotationPaused, "true")
	})
	w.Delete(w.replication())
	w.settle()
	w.finish()
	if w.gone() || len(w.released()) > 0 {
		t.Errorf("gone: %t, released %v", w.gone(), w.released())
	}
	w.wantCondition(v1alpha1.ReplicationPaused, v1alpha1.ReplicationPaused, "the deletion waits")
}

// As when its namespace is deleted: nothing is left that a person could want to keep as it
// is.
func TestAPausedReplicationWhoseMembersAreGoneIsDeleted(t *testing.T) {
	w := settled(t)
	w.edit(func(r *v1alpha1.MysqlReplication) {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha2.AnnotationPaused, "true")
	})
	for i := range 3 {
		w.Erase(w.pod(i))
		w.Erase(w.theUnit(i))
	}
	w.Delete(w.replication())
	w.settle()
	if !w.gone() {
		t.Errorf("it stays: %+v", w.replication().Status.Conditions)
	}
}

func TestOneThatNeverGaveARoleGoesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.controller.run = undecided
	w.settle()
	w.adopt()
	w.Delete(w.replication())
	w.finish()
	if !w.gone() || len(w.released()) > 0 {
		t.Errorf("gone: %t, released %v", w.gone(), w.released())
	}
}

// decided is a pass that finds these roles.
func (w *world) decided(state topology.State, labels map[string]topology.Role) {
	w.controller.run = func(ctx context.Context, _ *Controller, j *journal, agents worker.Agents, _ *topology.Memory) (worker.Outcome, error) {
		loaded, err := j.Load(ctx)
		if err != nil {
			return worker.Outcome{}, err
		}
		for _, m := range loaded.Members {
			if target, ok := loaded.Targets[m.Name]; ok {
				_, _ = agents.Observe(ctx, target)
			}
		}
		return worker.Outcome{Plan: topology.Plan{State: state, Labels: labels, Members: loaded.Recorded.Members}}, nil
	}
}

func TestLabelsFollowWhatWasObserved(t *testing.T) {
	w := settled(t)
	w.decided("Healthy", map[string]topology.Role{"mysql-0": topology.RoleSource, "mysql-1": topology.RoleReplica, "mysql-2": topology.RoleReplica})
	w.pass()
	want := map[string]string{"mysql-0": "source", "mysql-1": "replica", "mysql-2": "replica"}
	check := func(what string) {
		t.Helper()
		got := w.roles()
		for name, role := range want {
			if got[name] != role {
				t.Errorf("%s: %s is labelled %q, want %q", what, name, got[name], role)
			}
		}
	}
	check("at first")
	if epoch := w.pod(0).Annotations[v1alpha2.AnnotationRoleEpoch]; epoch != "7" {
		t.Errorf("epoch %q", epoch)
	}
	// An agent that is not asked, or does not answer, changes nothing.
	w.restart()
	w.controller.run = undecided
	w.settle()
	check("after a restart of the operator")
	w.agents.Fail(func(_ string, target agentclient.Target) error { return fake.Unavailable(target) })
	w.decided("Blind", nil)
	w.pass()
	check("while no agent answers")
	w.agents.Fail(nil)
	// The record alone takes the label off a source that was replaced.
	r := w.replication()
	r.Status.CurrentSource, r.Status.Epoch = "mysql-1", 8
	w.Given(r)
	w.controller.run = undecided
	w.settle()
	want = map[string]string{"mysql-0": "", "mysql-2": "replica"}
	check("after the record says that another one is the source")
}

func TestNothingIsWrittenAndLittleIsAskedAtRest(t *testing.T) {
	w := settled(t)
	w.decided("Healthy", map[string]topology.Role{"mysql-0": topology.RoleSource, "mysql-1": topology.RoleReplica, "mysql-2": topology.RoleReplica})
	w.pass()
	w.pass()
	w.Written()
	w.agents.ResetCalls()
	for range 60 {
		w.clock.Step(restInterval)
		w.pass()
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written at rest: %v", writes)
	}
	asked := map[string]int{}
	for _, call := range w.agents.Calls() {
		asked[call.Target.Unit]++
	}
	// Ten minutes: the source every 10 seconds, a replica every minute.
	if asked["mysql-0"] > 75 || asked["mysql-1"] > 12 || asked["mysql-2"] > 12 || asked["mysql-1"] < 8 {
		t.Errorf("asked in ten minutes: %v", asked)
	}
}
