// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

func deletions(writes []string) []string {
	return slices.DeleteFunc(slices.Clone(writes), func(s string) bool { return !strings.HasPrefix(s, "delete ") })
}

// replaced runs the world until the pod is another one, and gives its agent the
// data that the volume held.
func (w *world) replaced(old *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	data := w.unit().Status.DataIdentity.SystemID
	for range 10 {
		w.settle()
		if p, ok := controllertest.Get[*corev1.Pod](w.APIServer, w.key.Name); ok && p.UID != old.UID {
			w.keepData(data)
			w.live()
			return w.pod()
		}
		w.kubelet()
		w.clock.Step(leastPodAge)
	}
	w.t.Fatal("the pod is not replaced")
	return nil
}

func TestANewTemplateReplacesThePodGracefully(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.Written()
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.7" })
	w.settle()
	if p := w.pod(); p.UID != old.UID || p.DeletionTimestamp == nil {
		t.Fatalf("the pod is not being stopped: %+v", p.ObjectMeta)
	}
	w.wantCondition(v1alpha2.ConditionPodTerminating, v1alpha2.ConditionPodTerminating, "n1")
	w.wantPhase(v1alpha2.UnitRunning)
	if p := w.replaced(old); p.Spec.Containers[0].Image != "mysql:8.4.7" {
		t.Errorf("the new pod runs %s", p.Spec.Containers[0].Image)
	}
	w.wantPhase(v1alpha2.UnitReady)
	if got := deletions(w.Written()); len(got) != 1 {
		t.Errorf("it does %v", got)
	}
}

func TestOnDeleteLeavesThePodToTheUserAndItsConfigurationAlone(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.UpdatePolicy = v1alpha2.UpdatePolicyOnDelete }))
	w.live()
	old := w.pod()
	w.agents.ResetCalls()
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort = 3307 })
	w.live()
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ConditionUpdatePending, "OnDelete")
	w.wantPhase(v1alpha2.UnitReady)
	for _, call := range w.agents.Calls() {
		if call.Apply == nil || string(call.Apply.Files["my.cnf"]) != "port = 3306\n" {
			t.Errorf("the running server is given the new template's configuration: %+v", call.Apply)
		}
	}
	if c := w.unit().Status.ConfigSyncStatus; c.Status != v1alpha2.NotSynced {
		t.Errorf("configSyncStatus %+v", c)
	}
	w.agents.ResetCalls()
	// What is not configuration reaches it all the same, once.
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
	w.live()
	calls := w.agents.Calls()
	if len(calls) != 1 || calls[0].Apply == nil || !calls[0].Apply.StartupHold || string(calls[0].Apply.Files["my.cnf"]) != "port = 3306\n" {
		t.Errorf("calls %+v", calls)
	}
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(true) })
	w.live()
	w.Erase(old)
	w.replaced(old)
	w.wantNoCondition(v1alpha2.ConditionUpdatePending)
	w.wantPhase(v1alpha2.UnitReady)
}

func TestANewTemplateThatCannotRunTakesNothingDown(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.edit(func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Volumes[1].Secret.SecretName = "absent"
	})
	w.live()
	if p := w.pod(); p.UID != old.UID || p.DeletionTimestamp != nil {
		t.Error("the pod is taken down for one that cannot start")
	}
	w.wantPhase(v1alpha2.UnitReady)
	w.wantCondition(v1alpha2.ConditionUpdatePending, v1alpha2.ConditionUpdatePending, "absent")
	w.wantCondition(v1alpha2.ConditionSecretMissing, v1alpha2.ConditionSecretMissing, "absent")
}

func TestAPodThatEndedIsReplacedButNotInALoop(t *testing.T) {
	for _, phase := range []corev1.PodPhase{corev1.PodFailed, corev1.PodSucceeded} {
		t.Run(string(phase), func(t *testing.T) {
			w := newWorld(t, newUnit())
			w.live()
			old := w.pod()
			end := func(p *corev1.Pod) {
				p.Status.Phase, p.Status.Reason, p.Status.Message = phase, "Evicted", "low on memory"
				w.Given(p)
			}
			end(old)
			next := w.replaced(old)
			w.wantPhase(v1alpha2.UnitReady)

			// One that ends as soon as it is made is left for a moment.
			w.Erase(next)
			w.settle()
			young := w.pod()
			end(young)
			w.refresh()
			after, err := w.controller.sync(t.Context(), w.key)
			if err != nil {
				t.Fatal(err)
			}
			if w.pod().UID != young.UID || after <= 0 || after > leastPodAge {
				t.Errorf("pod %s, again after %v", w.pod().UID, after)
			}
		})
	}
}

func TestANewerAgentImageRestartsNothing(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	old := w.pod()
	w.agentImage = "unit-agent:2"
	w.restart()
	w.live()
	if w.pod().UID != old.UID {
		t.Fatal("the pod is replaced")
	}
	w.wantPhase(v1alpha2.UnitReady)
	w.wantCondition(v1alpha2.ConditionAgentOutdated, v1alpha2.ConditionAgentOutdated, "unit-agent:1", "unit-agent:2")
	w.Erase(old)
	w.replaced(old)
	w.wantNoCondition(v1alpha2.ConditionAgentOutdated)
}

func TestAnOperatorThatHasLearntTheClusterTellsTheNextPodAndRestartsNone(t *testing.T) {
	w := newWorld(t, newUnit())
	w.clusterUID = ""
	w.restart()
	w.live()
	old := w.pod()
	w.clusterUID = "the-cluster"
	w.restart()
	w.Written()
	w.live()
	if writes := w.Written(); w.pod().UID != old.UID || len(writes) > 0 {
		t.Fatalf("the pod is %s, was %s; writes %v", w.pod().UID, old.UID, writes)
	}
	w.Erase(old)
	next := w.replaced(old)
	for _, c := range []corev1.Container{next.Spec.InitContainers[1], next.Spec.Containers[0]} {
		if !slices.Contains(c.Env, corev1.EnvVar{Name: "UNIT_CLUSTER_UID", Value: "the-cluster"}) {
			t.Errorf("container %s has %v", c.Name, c.Env)
		}
	}
}

func TestStartupFalseStopsTheServerAndKeepsThePod(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	pod := w.pod()
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
	w.live()
	w.wantPhase(v1alpha2.UnitRunning)
	w.wantCondition(v1alpha2.ConditionServerStopped, v1alpha2.ConditionServerStopped)
	w.agents.With(pod.UID, func(a *fake.Agent) {
		if a.Status.State != agentclient.StateHeld {
			t.Errorf("the server is %s", a.Status.State)
		}
	})
	if c := w.condition(v1alpha2.ConditionReady); c.Status != metav1.ConditionFalse || c.Reason != v1alpha2.ConditionServerStopped {
		t.Errorf("Ready is %+v", c)
	}
	w.agents.ResetCalls()
	after, err := w.sync()
	if calls := w.agents.Calls(); err != nil || len(calls) > 0 || after < 24*time.Hour {
		t.Errorf("a stopped server is asked after: %v, again in %v, %v", calls, after, err)
	}
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(true) })
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	w.wantNoCondition(v1alpha2.ConditionServerStopped)
	if w.pod().UID != pod.UID {
		t.Error("the pod was replaced")
	}
}

func TestAChangedValueReachesTheAgentAndABrokenOneDoesNot(t *testing.T) {
	unit := newUnit(func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName, u.Spec.ConfigValueName = "templates", "values" })
	w := newWorld(t, unit)
	w.Given(configMap("templates", "mysql", "max_connections = {{ .Values.max }}\n"))
	w.Given(configMap("values", "mysql", "max: 10"))
	w.live()
	w.agents.ResetCalls()
	w.Given(configMap("values", "mysql", "max: 20"))
	w.references.Changed()
	w.live()
	calls := w.agents.Calls()
	if len(calls) != 1 || calls[0].Apply == nil || string(calls[0].Apply.Files["my.cnf"]) != "max_connections = 20\n" {
		t.Fatalf("calls %+v", calls)
	}
	hash := w.unit().Status.ConfigSyncStatus.AppliedHash
	if hash != calls[0].Apply.ConfigHash {
		t.Errorf("status says %s", hash)
	}
	w.agents.ResetCalls()
	w.Given(configMap("values", "mysql", "other: 20"))
	w.references.Changed()
	w.live()
	w.wantCondition(v1alpha2.ConditionConfigInvalid, v1alpha2.ConditionConfigInvalid, "max")
	w.wantPhase(v1alpha2.UnitReady)
	if calls := w.agents.Calls(); len(calls) > 0 {
		t.Errorf("the agent is told of it: %+v", calls)
	}
	if c := w.unit().Status.ConfigSyncStatus; c.Status != v1alpha2.NotSynced || c.AppliedHash != hash {
		t.Errorf("configSyncStatus %+v", c)
	}
	w.edit(func(u *v1alpha2.Unit) { u.Spec.Startup = new(false) })
	w.live()
	if calls := w.agents.Calls(); len(calls) != 1 || !calls[0].Apply.StartupHold || calls[0].Apply.ConfigHash != hash {
		t.Errorf("calls %+v", calls)
	}
}

func TestAMemberOfAReplicationIsManagedAndTheAgentHearsOfEachChangeOnce(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	w.agents.ResetCalls()
	replication := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: controllertest.Namespace}}
	replication.Spec.Source.Name = "orders-0"
	if err := w.mysqls.Set(replication); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.live()
	if calls := w.agents.Calls(); len(calls) != 1 || calls[0].Apply == nil || !calls[0].Apply.Managed {
		t.Fatalf("calls %+v", calls)
	}
	w.wantCondition(v1alpha2.ConditionManaged, v1alpha2.ReasonReplicationListsUnit, "MysqlReplication orders")
	w.agents.ResetCalls()
	w.restart()
	w.live()
	if calls := w.agents.Calls(); len(calls) > 0 {
		t.Errorf("told again: %+v", calls)
	}
	if err := w.mysqls.Unset(replication); err != nil {
		t.Fatal(err)
	}
	w.live()
	if calls := w.agents.Calls(); len(calls) != 1 || calls[0].Apply.Managed {
		t.Errorf("calls %+v", calls)
	}
	w.wantNoCondition(v1alpha2.ConditionManaged)
}

func TestAnAgentThatDoesNotAnswerIsTriedAgainWithoutAnError(t *testing.T) {
	w := newWorld(t, newUnit())
	w.agents.Fail(func(_ string, target agentclient.Target) error {
		return &agentclient.Error{Class: agentclient.Unavailable, Target: target, Err: controllertest.ErrInjected}
	})
	w.settle()
	w.kubelet()
	w.clock.Step(time.Second)
	after, err := w.sync()
	if err != nil || after != agentRetry {
		t.Errorf("while it starts: again after %v, %v", after, err)
	}
	w.wantNoCondition(v1alpha2.ConditionAgentUnreachable)
	w.clock.Step(time.Minute)
	after, err = w.sync()
	if err != nil || after != agentRest {
		t.Errorf("again after %v, %v", after, err)
	}
	w.wantCondition(v1alpha2.ConditionAgentUnreachable, v1alpha2.ConditionAgentUnreachable, "10.0.0.1")
	w.Written()
	for range 3 {
		w.clock.Step(time.Minute)
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if writes := w.Written(); len(writes) > 0 {
		t.Errorf("each try writes: %v", writes)
	}
	w.agents.Fail(nil)
	w.live()
	w.wantNoCondition(v1alpha2.ConditionAgentUnreachable)
	w.wantPhase(v1alpha2.UnitReady)
}

func TestAClaimGrowsOnline(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	pod := w.pod()
	w.edit(func(u *v1alpha2.Unit) {
		u.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage] = resource.MustParse("20Gi")
	})
	w.live()
	claim := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	if got := claim.Spec.Resources.Requests.Storage().String(); got != "20Gi" {
		t.Errorf("it asks for %s", got)
	}
	w.wantCondition(v1alpha2.ConditionExpansionPending, v1alpha2.ConditionExpansionPending, "10Gi", "20Gi")
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("20Gi")}
	w.Given(claim)
	w.live()
	w.wantNoCondition(v1alpha2.ConditionExpansionPending)
	if w.pod().UID != pod.UID {
		t.Error("the pod was replaced for it")
	}
}

func TestASilentNodeMakesTheUnitUnknown(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	pod := w.pod()
	w.node("n1", corev1.ConditionUnknown)
	w.live()
	w.wantPhase(v1alpha2.UnitUnknown)
	w.wantCondition(v1alpha2.ConditionNodeNotReporting, v1alpha2.ConditionNodeNotReporting, "n1")
	w.node("n1", corev1.ConditionTrue)
	w.live()
	w.wantPhase(v1alpha2.UnitReady)
	if w.pod().UID != pod.UID {
		t.Error("the pod was replaced")
	}
}

func TestAContainerWithItsOwnCommandIsLeftAlone(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) {
		c := &u.Spec.Template.Spec.Containers[0]
		c.Command, c.Image = []string{"mysqld"}, "registry.example/mysql"
	}))
	w.live()
	if calls := w.agents.Calls(); len(calls) > 0 {
		t.Errorf("its agent is called: %+v", calls)
	}
	if got := w.pod().Spec.Containers[0].Command; len(got) != 1 || got[0] != "mysqld" {
		t.Errorf("it runs %v", got)
	}
	w.wantCondition(v1alpha2.ConditionOwnCommand, v1alpha2.ConditionOwnCommand)
	w.wantPhase(v1alpha2.UnitRunning)
}

func TestOtherCpuAndMemoryWaitForThePodAndSoDoesTheirConfiguration(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName = "templates" }))
	w.Given(configMap("templates", "mysql", "buffer = {{ .Memory }}\n"))
	w.live()
	old := w.pod()
	w.agents.ResetCalls()
	w.edit(func(u *v1alpha2.Unit) {
		u.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("4Gi")}
	})
	w.live()
	w.wantCondition(v1alpha2.ConditionResizePending, v1alpha2.ConditionResizePending)
	w.wantPhase(v1alpha2.UnitReady)
	for _, call := range w.agents.Calls() {
		if call.Apply == nil || string(call.Apply.Files["my.cnf"]) != "buffer = 0\n" {
			t.Errorf("the agent is told %+v", call.Apply)
		}
	}
	if w.pod().UID != old.UID {
		t.Error("the pod is replaced")
	}
	w.agents.ResetCalls()
	w.Erase(old)
	w.replaced(old)
	w.wantNoCondition(v1alpha2.ConditionResizePending)
	if got := string(w.agents.Calls()[0].Apply.Files["my.cnf"]); got != "buffer = 4294967296\n" {
		t.Errorf("the new pod's configuration is %q", got)
	}
}

func TestALabelTakenOffTheUnitIsTakenOffItsChildrenAndNoOther(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	pod := w.pod()
	pod.Labels["mine"] = "yes"
	w.Given(pod)
	w.edit(func(u *v1alpha2.Unit) { delete(u.Labels, "team") })
	w.live()
	claim := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
	for name, labels := range map[string]map[string]string{"pod": w.pod().Labels, "claim": claim.Labels} {
		if _, there := labels["team"]; there || labels[v1alpha2.LabelUnit] != "orders-0" {
			t.Errorf("the %s has labels %v", name, labels)
		}
	}
	if w.pod().Labels["mine"] != "yes" || w.pod().UID != pod.UID {
		t.Errorf("the pod has labels %v", w.pod().Labels)
	}
}

// Such as for want of space: "does not answer" would send people to the network.
func TestAnAgentThatAnswersThatItCannotIsQuoted(t *testing.T) {
	w := newWorld(t, newUnit())
	w.agents.Fail(func(_ string, target agentclient.Target) error {
		return &agentclient.Error{Class: agentclient.Unavailable, Answered: true, Target: target, Err: errors.New("storing the configuration: no space left on device")}
	})
	w.settle()
	w.kubelet()
	w.clock.Step(time.Second)
	if after, err := w.sync(); err != nil || after != agentRest {
		t.Errorf("again after %v, %v", after, err)
	}
	w.wantCondition(v1alpha2.ConditionAgentRefused, v1alpha2.ConditionAgentRefused, "no space left on device")
	w.wantNoCondition(v1alpha2.ConditionAgentUnreachable)
}
