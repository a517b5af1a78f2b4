// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func action(a v1alpha1.Action, text string) func(*v1alpha1.GrpcCall) {
	return func(c *v1alpha1.GrpcCall) { c.Spec.Action, c.Spec.Parameters = a, parameters(text) }
}

func TestWhatIsNotForTheUnitFailsAndReachesNoAgent(t *testing.T) {
	for _, tc := range []struct {
		name     string
		call     func(*v1alpha1.GrpcCall)
		unit     func(*slim.Unit)
		reason   string
		mentions []string
	}{
		{"a missing key", func(c *v1alpha1.GrpcCall) { c.Spec.Parameters = nil }, nil, v1alpha1.ReasonInvalidParameters, []string{"destination", "accepted are"}},
		{"an unknown key", action(v1alpha1.ActionLogicalBackup, `{"destination":"s3://backups/","compressoin":"gzip"}`), nil, v1alpha1.ReasonInvalidParameters, []string{"compressoin"}},
		{"an action that the type has not", func(c *v1alpha1.GrpcCall) { c.Spec.Type = "proxysql" }, nil, v1alpha1.ReasonInvalidParameters, []string{"logical-backup", "set-variable"}},
		{"another type", func(c *v1alpha1.GrpcCall) { c.Spec.Type = "postgresql" }, nil, v1alpha1.ReasonTypeMismatch, []string{"postgresql", "mysql"}},
		{"a container with its own command", nil, func(u *slim.Unit) { u.OwnCommand = true }, v1alpha1.ReasonOwnCommand, []string{"orders-0"}},
		{"backups that are refused", nil, func(u *slim.Unit) { u.Annotations = map[string]string{v1alpha2.AnnotationBackupEnabled: "false"} }, v1alpha1.ReasonBackupDisabled, []string{v1alpha2.AnnotationBackupEnabled}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.unit != nil {
				w.unit("orders-0", tc.unit)
			}
			call := newCall("backup")
			if tc.call != nil {
				tc.call(call)
			}
			w.Given(call)
			w.settle()
			w.wantFailed("backup", tc.reason, tc.mentions...)
			if calls := w.methods(); len(calls) > 0 {
				t.Errorf("the agent was asked: %v", calls)
			}
			if f := w.call("backup").Finalizers; len(f) > 0 {
				t.Errorf("finalizers %v", f)
			}
		})
	}
}

func TestABackupDisabledUnitStillRestores(t *testing.T) {
	w := newWorld(t)
	w.unit("orders-0", func(u *slim.Unit) { u.Annotations = map[string]string{v1alpha2.AnnotationBackupEnabled: "false"} })
	w.Given(newCall("restore", action(v1alpha1.ActionRestore, `{"source":"s3://backups/"}`)))
	w.settle()
	w.wantPhase("restore", v1alpha1.GrpcCallRunning)
}

func serverStarting(u *slim.Unit) {
	u.Status.Conditions = []metav1.Condition{{Type: v1alpha2.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha2.ReasonServerStarting}}
}

func TestAServerThatDoesNotComeUpCanBeRestored(t *testing.T) {
	w := newWorld(t)
	w.unit("orders-0", serverStarting)
	w.Given(newCall("restore", action(v1alpha1.ActionRestore, `{"source":"s3://backups/","overwrite":"true"}`)))
	w.settle()
	w.wantPhase("restore", v1alpha1.GrpcCallRunning)
}

func TestWhatIsMissingIsWaitedForAndNotForEver(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		limit        time.Duration
		take, bring  func(*world)
	}{
		{"the unit", v1alpha1.ReasonUnitNotFound, unitWait,
			func(w *world) { unset(w, w.units, "orders-0") }, func(w *world) { w.unit("orders-0") }},
		{"the unit is being deleted", v1alpha1.ReasonUnitNotFound, unitWait,
			func(w *world) { w.unit("orders-0", func(u *slim.Unit) { u.DeletionTimestamp = new(metav1.Now()) }) }, func(w *world) { w.unit("orders-0") }},
		{"the pod", v1alpha1.ReasonPodNotRunning, unitWait,
			func(w *world) { unset(w, w.pods, "orders-0") }, func(w *world) { w.pod("orders-0", "pod-1") }},
		{"a pod of somebody else", v1alpha1.ReasonPodNotRunning, unitWait,
			func(w *world) { w.pod("orders-0", "pod-x", func(p *slim.Pod) { p.OwnerReferences = nil }) }, func(w *world) { w.pod("orders-0", "pod-1") }},
		{"the agent's container", v1alpha1.ReasonPodNotRunning, unitWait,
			func(w *world) { w.pod("orders-0", "pod-1", func(p *slim.Pod) { p.InitContainers = nil }) }, func(w *world) { w.pod("orders-0", "pod-1") }},
		{"the server", v1alpha1.ReasonServerStarting, unitWait,
			func(w *world) { w.unit("orders-0", serverStarting) }, func(w *world) { w.unit("orders-0") }},
		{"the agent", v1alpha1.ReasonAgentUnavailable, unitWait,
			func(w *world) {
				w.agents.Fail(func(_ string, t agentclient.Target) error { return fake.Unavailable(t) })
			}, func(w *world) { w.agents.Fail(nil) }},
		{"the database", v1alpha1.ReasonNoJournal, unitWait,
			func(w *world) { w.agents.With("pod-1", func(a *fake.Agent) { a.Status.JournalID = "" }) },
			func(w *world) { w.agents.With("pod-1", func(a *fake.Agent) { a.Status.JournalID = "j" }) }},
		{"the Secret of the store", v1alpha1.ReasonSecretMissing, secretWait,
			func(w *world) { w.dropSecret("backup-storage") }, func(w *world) { w.secret("orders-backup", map[string]string{"accessKey": "a", "secretKey": "b"}) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, comes := range []bool{true, false} {
				w := newWorld(t)
				tc.take(w)
				call := newCall("backup")
				w.Given(call)
				if again := w.settle(); again <= 0 || again > tc.limit {
					t.Errorf("looked at again after %v", again)
				}
				w.wantPhase("backup", v1alpha1.GrpcCallPending)
				s := w.call("backup").Status
				if s.Message == "" || len(s.Conditions) == 0 || s.Conditions[0].Reason != tc.reason || s.Operation != nil {
					t.Errorf("status %+v, want to wait for %s", s, tc.reason)
				}
				w.restart()
				w.clock.Step(tc.limit - time.Second)
				w.settle()
				w.wantPhase("backup", v1alpha1.GrpcCallPending)
				if comes {
					tc.bring(w)
					w.settle()
					w.wantPhase("backup", v1alpha1.GrpcCallRunning)
					continue
				}
				w.clock.Step(time.Second)
				w.settle()
				w.wantFailed("backup", tc.reason, "waited")
			}
		})
	}
}

func TestEachThingThatIsWaitedForHasItsOwnTimeAndAllOfThemHaveALimit(t *testing.T) {
	w := newWorld(t)
	unset(w, w.units, "orders-0")
	w.dropSecret("backup-storage")
	w.Given(newCall("backup"))
	w.settle()
	w.clock.Step(3 * time.Minute)
	w.unit("orders-0")
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallPending)
	if s := w.call("backup").Status; s.Conditions[0].Reason != v1alpha1.ReasonSecretMissing {
		t.Errorf("status %+v", s)
	}
	w.clock.Step(secretWait - time.Second)
	w.settle()
	w.wantPhase("backup", v1alpha1.GrpcCallPending)
	w.clock.Step(time.Second)
	w.settle()
	w.wantFailed("backup", v1alpha1.ReasonSecretMissing, "has waited for it for 1m0s")

	w.Given(newCall("other"))
	for waited := time.Duration(0); waited < totalWait; waited += unitWait / 2 {
		unset(w, w.units, "orders-0")
		if waited%unitWait == 0 {
			w.unit("orders-0", serverStarting)
		}
		w.settle()
		w.wantPhase("other", v1alpha1.GrpcCallPending)
		w.clock.Step(unitWait / 2)
	}
	w.settle()
	w.wantFailed("other", w.call("other").Status.Conditions[0].Reason, "30m0s")
}

// The index of Replications has no order.
func TestTheDataOfAUnitThatTwoReplicationsListIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("r%d", i), Namespace: controllertest.Namespace, UID: types.UID(fmt.Sprintf("r%d", i)),
			CreationTimestamp: metav1.NewTime(w.clock.Now().Add(-time.Duration(i) * time.Minute)),
		}}
		r.Spec.Source.Name, r.Status.CurrentSource = "orders-0", "orders-0"
		set(w, w.mysqls, r)
	}
	w.Given(newCall("restore", action(v1alpha1.ActionRestore, `{"source":"s3://backups/","overwrite":"true"}`)))
	w.settle()
	w.wantPhase("restore", v1alpha1.GrpcCallPending)
	s := w.call("restore").Status
	if s.Conditions[0].Reason != v1alpha1.ReasonMemberTaken || !strings.Contains(s.Message, "listed by MysqlReplication r7 and by MysqlReplication r6, ") || len(w.methods()) > 0 {
		t.Errorf("status %+v, calls %v", s, w.methods())
	}
	w.Written()
	for range 50 {
		if _, err := w.sync("restore"); err != nil {
			t.Fatal(err)
		}
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("the status is written again and again: %v", writes)
	}
}

func TestAnAgentThatCannotDoTheActionFailsTheCall(t *testing.T) {
	for name, f := range map[string]func(*world){
		"not this action": func(w *world) { w.agents.With("pod-1", func(a *fake.Agent) { a.Actions = []string{"clone"} }) },
		"no operations at all": func(w *world) {
			w.agents.Fail(func(_ string, t agentclient.Target) error {
				return &agentclient.Error{Class: agentclient.Final, Target: t, Err: fmt.Errorf("unknown service")}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f(w)
			w.Given(newCall("backup"))
			w.settle()
			w.wantFailed("backup", v1alpha1.ReasonUnsupported)
		})
	}
}

func TestARefusedStartFails(t *testing.T) {
	w := newWorld(t)
	w.Given(newCall("clone", clone(`"sourcePassword":"hunter2secret"`)))
	w.agents.Fail(func(m string, t agentclient.Target) error {
		if m == "StartOperation" {
			return &agentclient.Error{Class: agentclient.Final, Target: t, Err: fmt.Errorf("access denied with password hunter2secret")}
		}
		return nil
	})
	w.settle()
	w.wantFailed("clone", v1alpha1.ReasonRefused, "access denied with password ***")
	w.wantNoSecret("hunter2secret")
}

func TestASpecThatChangedAfterTheIntentIsNotStarted(t *testing.T) {
	w := newWorld(t)
	call := newCall("backup")
	w.Given(call)
	w.agents.Fail(func(m string, target agentclient.Target) error {
		if m == "StartOperation" {
			return fake.Unavailable(target)
		}
		return nil
	})
	w.settle()
	w.agents.Fail(nil)
	changed := w.call("backup")
	changed.Spec.Parameters = parameters(`{"destination":"s3://elsewhere/"}`)
	w.Given(changed)
	w.settle()
	w.wantFailed("backup", v1alpha1.ReasonSpecChanged)
	if op := w.operation("pod-1", call.UID); op != nil {
		t.Errorf("it was started: %+v", op)
	}
}

func TestASourcesDataIsReplacedOnceTheOtherMembersAreIsolated(t *testing.T) {
	w := newWorld(t)
	r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
	r.Spec.Source.Name = "orders-0"
	r.Status.CurrentSource = "orders-0"
	set(w, w.mysqls, r)
	call := newCall("call")
	action(v1alpha1.ActionRestore, `{"source":"s3://backups/","overwrite":"true"}`)(call)
	w.Given(call)
	w.settle()
	if c := w.call("call"); c.Status.Phase != v1alpha1.GrpcCallPending || len(w.methods()) > 0 {
		t.Errorf("phase %s, calls %v", c.Status.Phase, w.methods())
	}
	if c := meta.FindStatusCondition(w.call("call").Status.Conditions, v1alpha1.ConditionAccepted); c == nil || c.Reason != v1alpha1.ReasonReplicationPreparing {
		t.Errorf("Accepted is %+v", c)
	}
	before := r.DeepCopy()
	before.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ReplicationSourceReplaceable, Status: metav1.ConditionTrue}}
	before.Status.Data = &v1alpha1.ReplicationData{Replacement: &v1alpha1.ReplicationReplacement{ServerID: "s", By: "another-call"}}
	set(w, w.mysqls, before)
	w.settle()
	if len(w.methods()) > 0 {
		t.Errorf("it begins by the permission of another call: %v", w.methods())
	}
	isolated := before.DeepCopy()
	isolated.Status.Data.Replacement.By = call.UID
	set(w, w.mysqls, isolated)
	w.settle()
	w.wantPhase("call", v1alpha1.GrpcCallRunning)
}

func TestAMembersDataIsReplacedOnTheSourceOnlyAndOnlyOnRequest(t *testing.T) {
	restore := func(overwrite string) func(*v1alpha1.GrpcCall) {
		return action(v1alpha1.ActionRestore, `{"source":"s3://backups/","overwrite":"`+overwrite+`"}`)
	}
	for _, tc := range []struct {
		name, source string
		call         func(*v1alpha1.GrpcCall)
		reason       string
		runs         bool
	}{
		{"on a replica", "orders-1", restore("true"), v1alpha1.ReasonNotTheSource, false},
		{"on the source without overwrite, if the backup is a logical one", "orders-0", restore("false"), "", true},
		{"without overwrite on a replica", "orders-1", restore("false"), v1alpha1.ReasonNotTheSource, false},
		{"clone of the whole server without overwrite", "orders-0", clone(`"sourcePassword":"p"`), v1alpha1.ReasonOverwriteRequired, false},
		{"clone of databases without overwrite", "orders-0", clone(`"sourcePassword":"p","databases":["d"]`), "", true},
		{"on the source with overwrite", "orders-0", restore("true"), "", true},
		{"clone on a replica", "orders-1", clone(`"sourcePassword":"p","overwrite":true`), v1alpha1.ReasonNotTheSource, false},
		{"gtid-purge even on the source", "orders-0", action(v1alpha1.ActionGTIDPurge, `{}`), v1alpha1.ReasonMemberOfReplication, false},
		{"a backup of a replica", "orders-1", nil, "", true},
		{"set-variable on a replica", "orders-1", action(v1alpha1.ActionSetVariable, `{"variables":{"max_connections":1}}`), "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
			r.Spec.Source.Name = "orders-0"
			r.Status.CurrentSource = tc.source
			call := newCall("call")
			if tc.call != nil {
				tc.call(call)
			}
			w.Given(call)
			r.Status.Data = &v1alpha1.ReplicationData{Replacement: &v1alpha1.ReplicationReplacement{ServerID: "s", By: call.UID}}
			set(w, w.mysqls, r)
			w.settle()
			if tc.runs {
				w.wantPhase("call", v1alpha1.GrpcCallRunning)
				return
			}
			w.wantFailed("call", tc.reason, "MysqlReplication orders")
			if len(w.methods()) > 0 {
				t.Errorf("the agent was asked: %v", w.methods())
			}
		})
	}
	t.Run("a Replication without a source is waited for", func(t *testing.T) {
		w := newWorld(t)
		r := &v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
		r.Spec.Primary.Name = "orders-0"
		set(w, w.postgreses, r)
		call := newCall("call", restore("true"))
		w.Given(call)
		w.settle()
		w.wantPhase("call", v1alpha1.GrpcCallPending)
		r = r.DeepCopy()
		r.Status.CurrentPrimary = "orders-0"
		set(w, w.postgreses, r)
		w.settle()
		// Its standbys still follow.
		w.wantPhase("call", v1alpha1.GrpcCallPending)
		r = r.DeepCopy()
		r.Status.Data = &v1alpha1.ReplicationData{Replacement: &v1alpha1.ReplicationReplacement{ServerID: "s", By: call.UID}}
		set(w, w.postgreses, r)
		w.settle()
		w.wantPhase("call", v1alpha1.GrpcCallRunning)
	})
}

func TestTheMalformedReachNoAgentAndFailWithTheKey(t *testing.T) {
	for i, text := range []string{
		`{}`, `{"destination":""}`, `{"destination":null}`, `{"destination":7}`, `{"destination":"s3://backups/","retention":"7"}`,
		`{"destination":"s3://backups/","databases":[]}`, `{"destination":"s3://backups/","encryption":"DES"}`,
	} {
		w := newWorld(t)
		w.Given(newCall("call", action(v1alpha1.ActionLogicalBackup, text)))
		w.settle()
		w.wantFailed("call", v1alpha1.ReasonInvalidParameters, "parameter ")
		if len(w.methods()) > 0 || !strings.Contains(strings.Join(w.said(), ""), "Warning "+v1alpha1.ReasonInvalidParameters) {
			t.Errorf("%d: the agent was asked %v, or there is no event", i, w.methods())
		}
	}
}
