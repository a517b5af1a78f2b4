// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
)

// given are the configuration files that the agent of the unit's pod has been given.
func (w *world) given() (files map[string][]byte) {
	w.t.Helper()
	w.agents.With(w.pod().UID, func(a *fake.Agent) {
		if a.Applied != nil {
			files = a.Applied.Files
		}
	})
	return files
}

func TestAValueThatDoesNotRender(t *testing.T) {
	broken := map[string]struct {
		breaks    func(w *world)
		condition string
	}{
		"for a typo":                   {func(w *world) { w.Given(configMap("values", "mysql", "max: [")) }, v1alpha2.ConditionConfigInvalid},
		"for a value that is missing":  {func(w *world) { w.Given(configMap("values", "mysql", "other: 1")) }, v1alpha2.ConditionConfigInvalid},
		"for a ConfigMap that is gone": {func(w *world) { w.Erase(configMap("values", "mysql", "")) }, v1alpha2.ConditionConfigMissing},
		"for templates that are gone":  {func(w *world) { w.Erase(configMap("templates", "mysql", "")) }, v1alpha2.ConditionConfigMissing},
	}
	start := func(t *testing.T) *world {
		w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName, u.Spec.ConfigValueName = "templates", "values" }))
		w.Given(configMap("templates", "mysql", "max_connections = {{ .Values.max }}\n"))
		w.Given(configMap("values", "mysql", "max: 10"))
		w.live()
		w.wantPhase(v1alpha2.UnitReady)
		return w
	}
	for name, tc := range broken {
		t.Run("keeps no pod from starting, "+name, func(t *testing.T) {
			w := start(t)
			hash := w.unit().Status.ConfigSyncStatus.AppliedHash
			tc.breaks(w)
			w.restart()
			w.live()
			old := w.pod()
			w.Erase(old)
			w.replaced(old)
			w.wantPhase(v1alpha2.UnitReady)
			w.wantCondition(tc.condition, tc.condition)
			if got := string(w.given()["my.cnf"]); got != "max_connections = 10\n" {
				t.Errorf("the agent of the next pod has %q", got)
			}
			if c := w.unit().Status.ConfigSyncStatus; c.Status != v1alpha2.NotSynced || c.AppliedHash != hash {
				t.Errorf("configSyncStatus %+v", c)
			}
			w.Given(configMap("templates", "mysql", "max_connections = {{ .Values.max }}\n"))
			w.Given(configMap("values", "mysql", "max: 20"))
			w.references.Changed()
			w.live()
			w.wantNoCondition(tc.condition)
			if got := string(w.given()["my.cnf"]); got != "max_connections = 20\n" {
				t.Errorf("the mended value does not reach the agent: %q", got)
			}
		})
	}
	t.Run("keeps a pod of another template from starting", func(t *testing.T) {
		w := start(t)
		broken["for a typo"].breaks(w)
		w.edit(func(u *v1alpha2.Unit) {
			u.Spec.UpdatePolicy = v1alpha2.UpdatePolicyOnDelete
			u.Spec.Template.Spec.Containers[0].Env = append(u.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "NEW", Value: "1"})
		})
		w.restart()
		w.live()
		w.Erase(w.pod())
		w.live()
		if _, there := controllertest.Get[*corev1.Pod](w.APIServer, "orders-0"); there {
			t.Error("a pod was made of the new template with the old one's configuration")
		}
		w.wantCondition(v1alpha2.ConditionConfigInvalid, v1alpha2.ConditionConfigInvalid)
	})
	t.Run("is not replaced by what somebody wrote into the ConfigMap of the kept one", func(t *testing.T) {
		w := start(t)
		broken["for a typo"].breaks(w)
		w.references.Changed()
		w.live()
		controllertest.Edit(w.APIServer, "orders-0-config-applied", func(cm *corev1.ConfigMap) {
			cm.Data[keptFiles] = `{"my.cnf": "ZXZpbA=="}`
		})
		w.restart()
		w.Erase(w.pod())
		w.live()
		if _, there := controllertest.Get[*corev1.Pod](w.APIServer, "orders-0"); there {
			t.Error("a pod was made with a configuration that nobody rendered")
		}
	})
}

func TestTheKeptConfiguration(t *testing.T) {
	kept := func(w *world) *corev1.ConfigMap {
		return controllertest.Must[*corev1.ConfigMap](w.APIServer, "orders-0-config-applied")
	}
	t.Run("goes with its Unit and is healed", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.live()
		before := kept(w)
		if !metav1.IsControlledBy(before, w.unit()) {
			t.Errorf("owners %+v", before.OwnerReferences)
		}
		controllertest.Edit(w.APIServer, before.Name, func(cm *corev1.ConfigMap) { cm.Data = nil })
		w.live()
		if kept(w).Data[keptFiles] != before.Data[keptFiles] {
			t.Error("it is not healed")
		}
		w.Erase(kept(w))
		w.live()
		kept(w)
	})
	t.Run("is not written before the unit is Ready with it, and not at rest", func(t *testing.T) {
		w := newWorld(t, newUnit())
		w.settle()
		if _, there := controllertest.Get[*corev1.ConfigMap](w.APIServer, "orders-0-config-applied"); there {
			t.Error("a configuration is kept with which no server has run")
		}
		w.live()
		w.Written()
		w.restart()
		w.live()
		if writes := w.Written(); len(writes) > 0 {
			t.Errorf("writes at rest: %v", writes)
		}
	})
}

func TestAUnitOfASetIsRenderedFromItsOwnRevision(t *testing.T) {
	w := newWorld(t, newUnit(ofOrders, func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName = "orders-config-template" }))
	w.givenRevision("orders-1", "port = {{ .Port }}\n# own\n")
	// What the set shows is that of another one, as in a rollout.
	w.Given(configMap("orders-config-template", "mysql", "port = {{ .Port }}\n# set\n"))
	w.live()
	if got := string(w.given()["my.cnf"]); got != "port = 3306\n# own\n" {
		t.Errorf("the agent has %q", got)
	}
	t.Run("and says so where that is lost", func(t *testing.T) {
		w.Erase(&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "orders-1", Namespace: controllertest.Namespace}})
		w.restart()
		old := w.pod()
		w.Erase(old)
		w.replaced(old)
		w.wantCondition(v1alpha2.ConditionRevisionLost, v1alpha2.ConditionRevisionLost, "orders-1")
		w.wantPhase(v1alpha2.UnitReady)
		if got := string(w.given()["my.cnf"]); got != "port = 3306\n# own\n" {
			t.Errorf("the agent has %q", got)
		}
		w.givenRevision("orders-1", "port = {{ .Port }}\n# own\n")
		w.live()
		w.clock.Step(lostRecheck)
		w.live()
		w.wantNoCondition(v1alpha2.ConditionRevisionLost)
	})
}

func TestTheFilesOfAUnitAtRestAreNotKeptInMemory(t *testing.T) {
	files := func(w *world) map[string][]byte { return w.controller.memory(w.key).config.Files }
	start := func(t *testing.T) *world {
		w := newWorld(t, newUnit())
		w.live()
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
		if n := len(files(w)); n > 0 {
			t.Fatalf("%d files are kept", n)
		}
		return w
	}
	next := func(w *world) {
		old := w.pod()
		w.Erase(old)
		w.replaced(old)
		w.wantPhase(v1alpha2.UnitReady)
		if got := string(w.given()["my.cnf"]); got != "port = 3306\n" {
			w.t.Errorf("the agent of the next pod has %q", got)
		}
	}
	t.Run("and its next pod gets them all the same", func(t *testing.T) {
		w := start(t)
		next(w)
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
		if n := len(files(w)); n > 0 {
			t.Errorf("%d files are kept", n)
		}
	})
	t.Run("also if what the API keeps is gone", func(t *testing.T) {
		w := start(t)
		w.Erase(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "orders-0-config-applied", Namespace: controllertest.Namespace}})
		next(w)
	})
	t.Run("also if somebody has edited that", func(t *testing.T) {
		w := start(t)
		controllertest.Edit(w.APIServer, "orders-0-config-applied", func(cm *corev1.ConfigMap) { cm.Data[keptFiles] = `{"my.cnf": "ZXZpbA=="}` })
		next(w)
	})
}
