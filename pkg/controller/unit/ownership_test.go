// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// newReplication that lists orders-0 as a replica of orders-1.
func newReplication(name string, uid types.UID, created time.Time) *v1alpha1.MysqlReplication {
	r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: controllertest.Namespace, UID: uid, CreationTimestamp: metav1.NewTime(created),
	}}
	r.Spec.Source = v1alpha1.MysqlReplicationMember{Name: "orders-1", Host: "orders-1.host", Port: 3306}
	r.Spec.Replica = []v1alpha1.MysqlReplicaMember{{MysqlReplicationMember: v1alpha1.MysqlReplicationMember{Name: "orders-0", Host: "orders-0.host", Port: 3306}}}
	return r
}

// replicate shows informers a Replication.
func (w *world) replicate(r *v1alpha1.MysqlReplication) {
	w.t.Helper()
	if err := w.mysqls.Set(r); err != nil {
		w.t.Fatal(err)
	}
}

// unreplicate takes it away.
func (w *world) unreplicate(r *v1alpha1.MysqlReplication) {
	w.t.Helper()
	if err := w.mysqls.Unset(r); err != nil {
		w.t.Fatal(err)
	}
}

// applies are the Apply calls since the last ResetCalls.
func (w *world) applies() []agentclient.ApplyRequest {
	var out []agentclient.ApplyRequest
	for _, call := range w.agents.Calls() {
		if call.Apply != nil {
			out = append(out, *call.Apply)
		}
	}
	return out
}

func (w *world) serverState() (state agentclient.ServerState) {
	w.t.Helper()
	w.agents.With(w.pod().UID, func(a *fake.Agent) { state = a.Status.State })
	return state
}

// What this process has never told the agent does not keep it from stopping and
// starting the server.
func TestAUnitThatIsBehindIsStoppedAndStartedByAnOperatorThatWasRestarted(t *testing.T) {
	moreMemory := func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("4Gi")}
	}
	t.Run("stopped after its memory was raised", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		pod := w.pod()
		w.restart()
		w.edit(moreMemory)
		w.live()
		w.agents.ResetCalls()
		w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
		w.live()
		if got := w.serverState(); got != agentclient.StateHeld {
			t.Fatalf("the server is %s", got)
		}
		if a := w.applies(); len(a) != 1 || !a[0].StartupHold || a[0].ConfigHash != "" || a[0].Files != nil {
			t.Errorf("the agent is told %+v, want one Apply without a configuration", a)
		}
		w.wantCondition(v1alpha2.ConditionServerStopped, v1alpha2.ConditionServerStopped, "is kept down")
		w.wantCondition(v1alpha2.ConditionResizePending, v1alpha2.ConditionResizePending)
		w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(true) })
		w.live()
		w.wantPhase(v1alpha2.UnitReady)
		if w.pod().UID != pod.UID {
			t.Error("the pod was replaced")
		}
	})
	t.Run("started with its memory raised while it was stopped", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
		w.live()
		w.restart()
		w.edit(func(u *v1alpha2.Unit) {
			moreMemory(u)
			u.Spec.Startup = new(true)
		})
		w.live()
		w.wantPhase(v1alpha2.UnitReady)
	})
	t.Run("stopped while its value does not render", func(t *testing.T) {
		w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName, u.Spec.ConfigValueName = "templates", "values" }))
		w.Given(configMap("templates", "mysql", "max_connections = {{ .Values.max }}\n"))
		w.Given(configMap("values", "mysql", "max: 10"))
		w.live()
		hash := w.unit().Status.ConfigSyncStatus.AppliedHash
		w.restart()
		w.Given(configMap("values", "mysql", "other: 20"))
		w.live()
		w.wantCondition(v1alpha2.ConditionConfigInvalid, v1alpha2.ConditionConfigInvalid, "max")
		w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
		w.live()
		if got := w.serverState(); got != agentclient.StateHeld {
			t.Fatalf("the server is %s", got)
		}
		if c := w.unit().Status.ConfigSyncStatus; c.AppliedHash != hash || c.Status != v1alpha2.NotSynced {
			t.Errorf("configSyncStatus %+v", c)
		}
	})
	t.Run("adopted while its value does not render", func(t *testing.T) {
		w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName, u.Spec.ConfigValueName = "templates", "values" }))
		w.Given(configMap("templates", "mysql", "max_connections = {{ .Values.max }}\n"))
		w.Given(configMap("values", "mysql", "max: 10"))
		w.live()
		w.restart()
		w.Given(configMap("values", "mysql", "other: 20"))
		w.replicate(newReplication("orders", "r1", w.clock.Now()))
		w.agents.ResetCalls()
		w.live()
		if a := w.applies(); len(a) != 1 || a[0].Owner != "r1" || !a[0].Managed {
			t.Errorf("the agent is told %+v", a)
		}
	})
}

func TestAServerThatIsHeldBySomethingElseSaysSo(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.agents.With(w.pod().UID, func(a *fake.Agent) {
		a.Status.State, a.Status.Holds, a.Status.Message = agentclient.StateHeld, []string{"fence"}, "held by fence"
	})
	w.live()
	if c := w.condition(v1alpha2.ConditionReady); c.Status != metav1.ConditionFalse || c.Reason != v1alpha2.ReasonServerHeld || !strings.Contains(c.Message, "fence") {
		t.Errorf("Ready is %+v", c)
	}
}

func TestPlanOwnership(t *testing.T) {
	recorded := func(uid types.UID, epoch int64) *v1alpha2.UnitReplication {
		return &v1alpha2.UnitReplication{Kind: v1alpha2.KindMysqlReplication, Name: "r", UID: uid, Epoch: epoch}
	}
	seen := func(uid types.UID, source string, edits ...func(*membership.Replication)) *membership.Replication {
		r := &membership.Replication{Kind: membership.KindMysql, Name: "r", UID: uid, Source: source}
		if source != "" {
			r.SourceHost, r.SourcePort = source+".host", 3306
		}
		for _, edit := range edits {
			edit(r)
		}
		return r
	}
	counted := func(r *membership.Replication) { r.Member = &v1alpha1.ReplicationMemberStatus{Name: "u0"} }
	atEpoch := func(n int64) func(*membership.Replication) { return func(r *membership.Replication) { r.Epoch = n } }
	source := &v1alpha2.UnitReleased{ReplicationUID: "1", Role: v1alpha2.ReleasedSource, Epoch: 3}
	replica := &v1alpha2.UnitReleased{ReplicationUID: "1", Role: v1alpha2.ReleasedReplica, UpstreamHost: "u1.host", UpstreamPort: 3306, Epoch: 3}
	readOnly := &v1alpha2.UnitReleased{ReplicationUID: "1", Role: v1alpha2.ReleasedReplica, Epoch: 3}
	for name, tc := range map[string]struct {
		in   ownershipInput
		want ownership
	}{
		"nobody lists it":                     {ownershipInput{}, ownership{}},
		"one begins to list it":               {ownershipInput{owner: seen("1", "")}, ownership{recorded: recorded("1", 0)}},
		"its epoch is recorded":               {ownershipInput{recorded: recorded("1", 3), owner: seen("1", "", atEpoch(4))}, ownership{recorded: recorded("1", 4)}},
		"and never falls":                     {ownershipInput{recorded: recorded("1", 3), owner: seen("1", "", atEpoch(2))}, ownership{recorded: recorded("1", 3)}},
		"one that never gave a role lets go":  {ownershipInput{recorded: recorded("1", 0), last: seen("1", "")}, ownership{}},
		"its source is released":              {ownershipInput{recorded: recorded("1", 3), last: seen("1", "u0")}, ownership{released: source}},
		"a replica is":                        {ownershipInput{recorded: recorded("1", 3), last: seen("1", "u1")}, ownership{released: replica}},
		"a source by the word of its agent":   {ownershipInput{recorded: recorded("1", 3), record: &agentclient.RoleRecord{Role: agentclient.RoleSource, Epoch: 3}}, ownership{released: source}},
		"not of one that was replaced since":  {ownershipInput{recorded: recorded("1", 3), record: &agentclient.RoleRecord{Role: agentclient.RoleSource, Epoch: 2}}, ownership{released: readOnly}},
		"nor against the Replication's":       {ownershipInput{recorded: recorded("1", 3), last: seen("1", "u1"), record: &agentclient.RoleRecord{Role: agentclient.RoleSource, Epoch: 3}}, ownership{released: replica}},
		"a replica by the word of its agent":  {ownershipInput{recorded: recorded("1", 3), record: &agentclient.RoleRecord{Role: agentclient.RoleReplica, Upstream: &agentclient.Upstream{Host: "u1.host", Port: 3306}}}, ownership{released: replica}},
		"read-only where nobody can tell":     {ownershipInput{recorded: recorded("1", 3)}, ownership{released: readOnly}},
		"what was released stays":             {ownershipInput{released: source}, ownership{released: source}},
		"while the next one has no source":    {ownershipInput{recorded: recorded("2", 0), released: source, owner: seen("2", "", counted)}, ownership{recorded: recorded("2", 3), released: source}},
		"and while it does not count it in":   {ownershipInput{recorded: recorded("2", 0), released: source, owner: seen("2", "u0")}, ownership{recorded: recorded("2", 3), released: source}},
		"until it does":                       {ownershipInput{recorded: recorded("2", 0), released: source, owner: seen("2", "u0", counted)}, ownership{recorded: recorded("2", 3)}},
		"another one takes over in one step":  {ownershipInput{recorded: recorded("1", 3), last: seen("1", "u0"), owner: seen("2", "", atEpoch(1))}, ownership{recorded: recorded("2", 3), released: source}},
		"a unit that no Replication ever had": {ownershipInput{owner: nil, released: nil}, ownership{}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.in.unit = "u0"
			if d := cmp.Diff(tc.want, planOwnership(tc.in), cmp.AllowUnexported(ownership{})); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestTheOwnerIsRecordedBeforeTheAgentHearsOfIt(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	r := newReplication("orders", "r1", w.clock.Now())
	w.replicate(r)
	told := 0
	w.agents.Fail(func(method string, _ agentclient.Target) error {
		if o := w.unit().Status.Replication; method == "Apply" && (o == nil || o.UID != "r1") {
			t.Errorf("the agent is told while the status says %+v", o)
		}
		told++
		return nil
	})
	w.live()
	if told != 1 {
		t.Errorf("%d calls", told)
	}
	want := &v1alpha2.UnitReplication{Kind: v1alpha2.KindMysqlReplication, Name: "orders", UID: "r1"}
	if d := cmp.Diff(want, w.unit().Status.Replication); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestEachApplyHasItsPlaceAmongAllCalls(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
	w.live()
	applies := w.applies()
	if len(applies) < 2 {
		t.Fatalf("%d calls", len(applies))
	}
	for i, a := range applies {
		if a.Term != 7 || i > 0 && a.Seq <= applies[i-1].Seq {
			t.Errorf("call %d has term %d and seq %d", i, a.Term, a.Seq)
		}
	}
}

func TestAUnitThatTwoReplicationsListBelongsToTheOlderAndNothingIsDoneToIt(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	pod := w.pod()
	younger, older := newReplication("a", "r2", w.clock.Now()), newReplication("b", "r1", w.clock.Now().Add(-time.Minute))
	w.replicate(younger)
	w.replicate(older)
	w.live()
	w.wantCondition(v1alpha2.ConditionMemberTaken, v1alpha2.ConditionMemberTaken, "MysqlReplication a", "MysqlReplication b")
	w.wantCondition(v1alpha2.ConditionManaged, v1alpha2.ReasonReplicationListsUnit, "MysqlReplication b")
	if got := w.unit().Status.Replication; got == nil || got.UID != "r1" {
		t.Errorf("owner %+v", got)
	}
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7" })
	w.live()
	if p := w.pod(); p.UID != pod.UID || p.DeletionTimestamp != nil {
		t.Error("the pod is restarted")
	}
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ConditionUpdatePending, "several Replications")
	w.Written()
	for range 50 {
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("the status is written again and again: %v", writes)
	}
	w.unreplicate(younger)
	w.settle()
	w.wantNoCondition(v1alpha2.ConditionMemberTaken)
	if p := w.pod(); p.DeletionTimestamp == nil {
		t.Error("the restart still waits")
	}
}

func TestAUnitWhoseReplicationIsMadeAnewKeepsItsRole(t *testing.T) {
	for name, tc := range map[string]struct {
		source string
		want   v1alpha2.UnitReleased
		role   agentclient.Role
	}{
		"the source":  {"orders-0", v1alpha2.UnitReleased{ReplicationUID: "r1", Role: v1alpha2.ReleasedSource, Epoch: 7}, agentclient.RoleSource},
		"one replica": {"orders-1", v1alpha2.UnitReleased{ReplicationUID: "r1", Role: v1alpha2.ReleasedReplica, UpstreamHost: "orders-1.host", UpstreamPort: 3306, Epoch: 7}, agentclient.RoleReplica},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newUnit())
			w.live()
			first := newReplication("orders", "r1", w.clock.Now())
			first.Status = v1alpha1.MysqlReplicationStatus{CurrentSource: tc.source, Epoch: 7, Topology: []v1alpha1.ReplicationMemberStatus{{Name: "orders-0"}}}
			w.replicate(first)
			w.live()
			w.agents.ResetCalls()
			w.unreplicate(first)
			w.live()
			if d := cmp.Diff(&tc.want, w.unit().Status.Released); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if got := w.unit().Status.Replication; got != nil {
				t.Errorf("owner %+v", got)
			}
			if a := w.applies(); len(a) != 1 || a[0].Managed || a[0].Owner != "" || a[0].Released == nil || a[0].Released.Role != tc.role {
				t.Fatalf("the agent is told %+v", a)
			}
			// A new pod, told by an operator that knows the status only.
			w.restart()
			old := w.pod()
			w.agents.ResetCalls()
			w.Erase(old) // no Replication's member any more
			w.replaced(old)
			if a := w.applies(); len(a) == 0 || a[0].Released == nil || a[0].Released.Role != tc.role {
				t.Errorf("the new pod's agent is told %+v", a)
			}

			second := newReplication("orders", "r2", w.clock.Now())
			w.agents.ResetCalls()
			w.replicate(second)
			w.live()
			if got := w.unit().Status.Replication; got == nil || got.UID != "r2" {
				t.Errorf("owner %+v", got)
			}
			if d := cmp.Diff(&tc.want, w.unit().Status.Released); d != "" {
				t.Errorf("the role is forgotten before the new one has a source: -want +got:\n%s", d)
			}
			// That another is the source stands until the new one gives a role.
			left := tc.role == agentclient.RoleReplica
			if a := w.applies(); len(a) != 1 || a[0].Owner != "r2" || !a[0].Managed || (a[0].Released != nil) != left {
				t.Errorf("the agent is told %+v", a)
			}
		})
	}
}

// Another member took the place of a source that could not be reached. Its Replication
// is deleted and made anew before the agent hears of either.
func TestASourceWhosePlaceWasTakenHearsThatFromTheNextOwner(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	first := newReplication("orders", "r1", w.clock.Now())
	first.Status = v1alpha1.MysqlReplicationStatus{CurrentSource: "orders-0", Epoch: 7, Topology: []v1alpha1.ReplicationMemberStatus{{Name: "orders-0"}}}
	w.replicate(first)
	w.live()
	w.agents.With(w.pod().UID, func(a *fake.Agent) {
		a.Status.Record = &agentclient.RoleRecord{ReplicationUID: "r1", Epoch: 7, Role: agentclient.RoleSource, Open: true}
	})
	failedOver := first.DeepCopy()
	failedOver.Status.CurrentSource, failedOver.Status.Epoch = "orders-1", 8
	w.replicate(failedOver)
	w.agents.Fail(func(string, agentclient.Target) error { return fake.Unavailable(agentclient.Target{}) })
	w.live()
	w.unreplicate(failedOver)
	second := newReplication("orders", "r2", w.clock.Now())
	w.replicate(second)
	w.live()
	w.agents.Fail(nil)
	w.agents.ResetCalls()
	w.live()
	a := w.applies()
	if len(a) != 1 || a[0].Owner != "r2" || a[0].Released == nil || a[0].Released.Role != agentclient.RoleReplica || a[0].Released.ReplicationUID != "r1" {
		t.Fatalf("the agent is told %+v", a)
	}
	w.agents.With(w.pod().UID, func(a *fake.Agent) {
		if a.Status.Writable || a.Status.Record.Role != agentclient.RoleReplica {
			t.Errorf("the server is writable: %t, its role %+v", a.Status.Writable, a.Status.Record)
		}
	})
}

// Nobody but the agent knows in which role a unit is left whose Replication goes while
// the operator is away.
func TestAnOperatorThatWasRestartedAsksTheAgentInWhichRoleAUnitIsLeft(t *testing.T) {
	given := func(t *testing.T) *world {
		t.Helper()
		w := newWorld(t, newUnit())
		r := newReplication("orders", "r1", w.clock.Now())
		r.Status = v1alpha1.MysqlReplicationStatus{CurrentSource: "orders-0", Epoch: 7, Topology: []v1alpha1.ReplicationMemberStatus{{Name: "orders-0"}}}
		w.replicate(r)
		w.live()
		w.agents.With(w.pod().UID, func(a *fake.Agent) {
			a.Status.Record = &agentclient.RoleRecord{ReplicationUID: "r1", Epoch: 7, Role: agentclient.RoleSource, Open: true}
		})
		w.restart()
		w.unreplicate(r)
		return w
	}
	source := &v1alpha2.UnitReleased{ReplicationUID: "r1", Role: v1alpha2.ReleasedSource, Epoch: 7}
	t.Run("and has its word", func(t *testing.T) {
		w := given(t)
		w.live()
		if d := cmp.Diff(source, w.unit().Status.Released); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
	t.Run("and waits for it", func(t *testing.T) {
		w := given(t)
		w.agents.Fail(func(string, agentclient.Target) error { return fake.Unavailable(agentclient.Target{}) })
		w.live()
		if u := w.unit(); u.Status.Released != nil || u.Status.Replication == nil {
			t.Errorf("released %+v of %+v", u.Status.Released, u.Status.Replication)
		}
		w.agents.Fail(nil)
		w.live()
		if d := cmp.Diff(source, w.unit().Status.Released); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// A server that waits for a role must have somebody who gives it one.
func TestAnOwnerWhoseControllerDoesNotRunIsNotTold(t *testing.T) {
	w := newWorld(t, newUnit())
	w.givesRoles = []v1alpha2.ReplicationKind{v1alpha2.KindPostgresReplication}
	w.restart()
	w.live()
	w.agents.ResetCalls()
	w.replicate(newReplication("orders", "r1", w.clock.Now()))
	w.live()
	if a := w.applies(); len(a) != 1 || a[0].Owner != "" || !a[0].Managed {
		t.Errorf("the agent is told %+v", a)
	}
}

// A member that was taken out of the spec is its Replication's until that has taken it
// out of its topology.
func TestAMemberIsOwnedUntilItsReplicationHasTakenItOut(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	r := newReplication("orders", "r1", w.clock.Now())
	r.Status = v1alpha1.MysqlReplicationStatus{CurrentSource: "orders-1", Topology: []v1alpha1.ReplicationMemberStatus{{Name: "orders-0"}}}
	w.replicate(r)
	w.live()
	w.agents.ResetCalls()
	unlisted := r.DeepCopy()
	unlisted.Spec.Replica = nil
	w.replicate(unlisted)
	w.live()
	if got := w.unit().Status.Replication; got == nil || got.UID != "r1" || len(w.applies()) > 0 {
		t.Errorf("owner %+v, told %+v", got, w.applies())
	}
	out := unlisted.DeepCopy()
	out.Status.Topology = nil
	w.replicate(out)
	w.restart()
	w.live()
	want := &v1alpha2.UnitReleased{ReplicationUID: "r1", Role: v1alpha2.ReleasedReplica, UpstreamHost: "orders-1.host", UpstreamPort: 3306}
	if d := cmp.Diff(want, w.unit().Status.Released); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
