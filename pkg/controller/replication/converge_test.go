// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func TestTheDocumentsExampleConverges(t *testing.T) {
	w := newWorld(t)
	w.live()
	r := w.replication()
	if r.Status.CurrentSource != "mysql-0" {
		t.Fatalf("source %q, conditions %+v", r.Status.CurrentSource, r.Status.Conditions)
	}
	if d := cmp.Diff(map[string]string{"mysql-0": "source", "mysql-1": "replica", "mysql-2": "replica"}, w.roles()); d != "" {
		t.Errorf("labels: -want +got:\n%s", d)
	}
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionTrue {
		t.Errorf("Ready %+v", c)
	}
	if d := r.Status.Durability; len(d) != 1 || d[0].W != 1 || len(d[0].Members) != 2 {
		t.Errorf("durability %+v", d)
	}
	for _, m := range r.Status.Topology {
		t.Logf("%s: role %s, %s, lag %s", m.Name, m.Role, m.State, m.Lag)
	}
	for _, e := range w.said() {
		t.Log(e)
	}
	w.Written()
	for range 20 {
		w.pass()
		w.clock.Step(restInterval)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written at rest: %v", writes)
	}
}

func TestSpecSourceIsSwitchedTo(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.said()
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
	})
	w.live()
	r := w.replication()
	for _, e := range w.said() {
		t.Log(e)
	}
	if r.Status.CurrentSource != "mysql-1" || r.Status.Operation != nil {
		t.Fatalf("source %q, operation %+v, conditions %+v", r.Status.CurrentSource, r.Status.Operation, r.Status.Conditions)
	}
	if d := cmp.Diff(map[string]string{"mysql-0": "replica", "mysql-1": "source", "mysql-2": "replica"}, w.roles()); d != "" {
		t.Errorf("labels: -want +got:\n%s", d)
	}
	if c := w.condition(v1alpha1.ReplicationReady); c.Status != metav1.ConditionTrue {
		t.Errorf("Ready %+v", c)
	}
}

// Deleted and made again, maybe with another source in its spec: the source that was
// released continues, and the one that is asked for is switched to afterwards.
func TestOneThatIsMadeAgainTakesTheSourceThatWasReleased(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.Delete(w.replication())
	w.settleDeletion()
	if !w.gone() {
		t.Fatalf("it stays: %+v", w.replication().Status.Conditions)
	}
	again := newReplication("orders")
	again.Spec.Source, again.Spec.Replica[0].MysqlReplicationMember = again.Spec.Replica[0].MysqlReplicationMember, again.Spec.Source
	// What the garbage collector does.
	w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel"))
	for _, name := range []string{"orders-readwrite", "orders-readonly"} {
		w.Erase(controllertest.Must[*corev1.Service](w.APIServer, name))
	}
	w.Given(again)
	for i := range 3 {
		unit := w.theUnit(i)
		unit.Status.Replication = nil
		w.Given(unit)
	}
	w.agents.ResetCalls()
	w.live()
	first := ""
	for _, call := range w.agents.Calls() {
		if call.Method == "Promote" && first == "" {
			first = call.Target.Unit
		}
	}
	if first != "mysql-0" {
		t.Errorf("%q is promoted first", first)
	}
	if got := w.replication().Status.CurrentSource; got != "mysql-1" {
		t.Errorf("source %q in the end: %+v", got, w.replication().Status.Conditions)
	}
}

// settleDeletion lets passes and syncs end the object.
func (w *world) settleDeletion() {
	w.t.Helper()
	for range 5 {
		w.refresh()
		if _, err := w.controller.sync(w.t.Context(), w.key); err != nil {
			w.t.Fatal(err)
		}
		w.refresh()
		if _, err := w.controller.pass(w.t.Context(), w.key); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Its own source failed, and a person, or the spec, lets another one take its place.
func TestASourceThatHasEndedIsReplaced(t *testing.T) {
	for name, allow := range map[string]func(*v1alpha1.MysqlReplication){
		"by itself": func(r *v1alpha1.MysqlReplication) {
			r.Spec.Failover = &v1alpha1.ReplicationFailover{Enabled: true, DelaySeconds: new(int32(5))}
		},
		"by spec.source": func(r *v1alpha1.MysqlReplication) {
			r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.live()
			unit := w.theUnit(0)
			unit.Status.LastPod = &v1alpha2.UnitLastPod{UID: w.podUID(0), Ended: v1alpha2.PodEndKubelet}
			unit.Status.PodUID = ""
			w.servers.stop(w.podUID(0))
			w.Erase(w.pod(0))
			w.Given(unit)
			w.edit(allow)
			for range 10 {
				w.settle()
				w.pass()
				w.clock.Step(restInterval)
			}
			r := w.replication()
			if r.Status.CurrentSource == "mysql-0" || r.Status.CurrentSource == "" || r.Status.Operation != nil {
				t.Fatalf("source %q, operation %+v, conditions %+v", r.Status.CurrentSource, r.Status.Operation, r.Status.Conditions)
			}
			if got := w.roles()[r.Status.CurrentSource]; got != v1alpha2.RoleSource {
				t.Errorf("labels %v", w.roles())
			}
		})
	}
}

// A crash of the operator at any write of a switchover ends with one source, and no
// operation that nobody ends.
func TestASwitchoverIsEndedByWhoeverComesNext(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t)
		w.live()
		w.edit(func(r *v1alpha1.MysqlReplication) {
			r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
		})
		w.FailAt, w.FailAfter = w.Attempts+at, at%2 == 0
		failed := w.FailAt
		for range 3 {
			w.refresh()
			_, _ = w.controller.sync(w.t.Context(), w.key)
			w.refresh()
			_, _ = w.controller.pass(w.t.Context(), w.key)
		}
		if w.Attempts < failed {
			return
		}
		w.restart()
		w.live()
		r := w.replication()
		if r.Status.CurrentSource != "mysql-1" || r.Status.Operation != nil {
			t.Fatalf("a failure at write %d: source %q, operation %+v, conditions %+v", at, r.Status.CurrentSource, r.Status.Operation, r.Status.Conditions)
		}
		if d := cmp.Diff(map[string]string{"mysql-0": "replica", "mysql-1": "source", "mysql-2": "replica"}, w.roles()); d != "" {
			t.Errorf("a failure at write %d: labels: -want +got:\n%s", at, d)
		}
	}
}

// A state that lasts is no reason for one pass after the other.
func TestAReplicaThatIsAwayIsNoReasonToHurry(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.servers.stop(w.podUID(2))
	w.agents.Fail(func(_ string, target agentclient.Target) error {
		if target.Unit == "mysql-2" {
			return fake.Unavailable(target)
		}
		return nil
	})
	for range 12 {
		w.settle()
		w.pass()
		w.clock.Step(restInterval)
	}
	w.wantCondition(v1alpha1.ReplicationDegraded, "Unreachable", "mysql-2")
	w.settle()
	w.pass()
	if s := w.controller.observe(viewMysql(w.replication())); w.controller.memory(s.replication).passed != w.controller.fingerprint(s) {
		t.Error("the next pass is due at once")
	}
	w.Written()
	for range 12 {
		w.pass()
		w.clock.Step(restInterval)
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("written while nothing changes: %v", writes)
	}
}

// Whoever deletes the Secret of the channels, or puts another password there, is given no
// set whose replicas find out when they connect the next time, and are refused.
func TestAnotherPasswordOfTheChannelsIsGivenToTheSourceAndThenToTheReplicas(t *testing.T) {
	for name, change := range map[string]func(*world){
		"deleted": func(w *world) { w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel")) },
		"edited": func(w *world) {
			controllertest.Edit(w.APIServer, "orders-channel", func(s *corev1.Secret) { s.Data[keyPassword] = []byte("by-hand") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.live()
			before := controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel").Data[keyPassword]
			w.agents.ResetCalls()
			change(w)
			w.settle()
			if s := w.controller.observe(viewMysql(w.replication())); w.controller.memory(s.replication).passed == w.controller.fingerprint(s) {
				t.Error("no pass is due after the change")
			}
			w.live()
			account := channelAccount(controllertest.Must[*corev1.Secret](w.APIServer, "orders-channel"))
			if string(account.Password) == string(before) {
				t.Fatal("the password is the same")
			}
			var order []string
			for _, call := range w.agents.Calls() {
				if call.Method == "Promote" || call.Method == "Follow" {
					order = append(order, call.Method+" "+call.Target.Unit)
				}
			}
			if len(order) > 0 {
				slices.Sort(order[1:])
			}
			if d := cmp.Diff([]string{"Promote mysql-0", "Follow mysql-1", "Follow mysql-2"}, order); d != "" {
				t.Errorf("calls that change a role: -want +got:\n%s", d)
			}
			for i := range 3 {
				w.agents.With(w.podUID(i), func(a *fake.Agent) {
					if got := a.Status.Record.ChannelID; got != account.ID {
						t.Errorf("%s has the account %q, want %q", unitName(i), got, account.ID)
					}
				})
			}
		})
	}
}
