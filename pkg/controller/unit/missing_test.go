// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func configMap(name, key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: controllertest.Namespace}, Data: map[string]string{key: text}}
}

func TestWhatIsMissingIsNamedOnceAndEndsTheWaitWhenItAppears(t *testing.T) {
	for name, tc := range map[string]struct {
		unit func(*v1alpha2.Unit)
		// without is done before the first sync, heal after the wait was seen.
		without, heal func(*world)
		condition     string
		reason        string
		mentions      []string
	}{
		"a Secret": {
			without: func(w *world) { w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "users")) },
			heal: func(w *world) {
				w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "users", Namespace: controllertest.Namespace}})
			},
			condition: v1alpha2.ConditionSecretMissing, mentions: []string{"users"},
		},
		"the shared ConfigMap": {
			unit:      func(u *v1alpha2.Unit) { u.Spec.SharedConfigName = "shared" },
			heal:      func(w *world) { w.Given(configMap("shared", "service_group_uid", "x")) },
			condition: v1alpha2.ConditionSharedConfigMissing, mentions: []string{"shared", "spec.sharedConfigName"},
		},
		"the ConfigMap of values": {
			unit:      func(u *v1alpha2.Unit) { u.Spec.ConfigValueName = "values" },
			heal:      func(w *world) { w.Given(configMap("values", "mysql", "a: 1")) },
			condition: v1alpha2.ConditionConfigMissing, mentions: []string{"values", "spec.configValueName"},
		},
		"the ConfigMap of templates": {
			unit:      func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName = "templates" },
			heal:      func(w *world) { w.Given(configMap("templates", "mysql", "port = {{ .Port }}\n")) },
			condition: v1alpha2.ConditionConfigMissing, mentions: []string{"templates"},
		},
		"the package": {
			without: func(w *world) {
				w.packages.Uninstall("mysql-8.4")
				w.packages.Install("mysql-9.7", "mysql", "mysql:$(VERSION)")
			},
			heal:      func(w *world) { w.packages.Install("mysql-8.4", "mysql", "mysql:$(VERSION)") },
			condition: v1alpha2.ConditionPackageNotFound, mentions: []string{"8.4.6", "installed are mysql-9.7"},
		},
		"a tag that tells the version": {
			unit: func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:latest" },
			heal: func(w *world) {
				w.edit(func(u *v1alpha2.Unit) { u.Spec.Template.Spec.Containers[0].Image = "mysql:8.4.6" })
			},
			condition: v1alpha2.ConditionPackageNotFound, mentions: []string{"mysql:latest"},
		},
		"a template that renders": {
			unit:      func(u *v1alpha2.Unit) { u.Spec.ConfigTemplateName = "templates" },
			without:   func(w *world) { w.Given(configMap("templates", "mysql", "port = {{ .Port\n")) },
			heal:      func(w *world) { w.Given(configMap("templates", "mysql", "port = {{ .Port }}\n")) },
			condition: v1alpha2.ConditionConfigInvalid, mentions: []string{"ConfigMap templates"},
		},
		"values that are YAML": {
			unit:      func(u *v1alpha2.Unit) { u.Spec.ConfigValueName = "values" },
			without:   func(w *world) { w.Given(configMap("values", "mysql", "a: [")) },
			heal:      func(w *world) { w.Given(configMap("values", "mysql", "a: 1")) },
			condition: v1alpha2.ConditionConfigInvalid, mentions: []string{"ConfigMap values", "key mysql"},
		},
		"a pod's name": {
			without: func(w *world) {
				w.Given(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orders-0", Namespace: controllertest.Namespace}})
			},
			heal:      func(w *world) { w.Erase(w.pod()) },
			condition: v1alpha2.ConditionNameConflict, mentions: []string{"Pod orders-0", "neither used nor changed"},
		},
		"a claim's name": {
			without: func(w *world) {
				w.Given(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "orders-0-data", Namespace: controllertest.Namespace}})
			},
			heal: func(w *world) {
				// As the message says.
				w.Given(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
					Name: "orders-0-data", Namespace: controllertest.Namespace,
					Labels: map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnit: "orders-0"},
				}})
			},
			condition: v1alpha2.ConditionNameConflict, mentions: []string{"PersistentVolumeClaim orders-0-data", v1alpha2.LabelUnit},
		},
		"a Secret's name": {
			without: func(w *world) {
				w.Given(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "orders-0-agent-tls", Namespace: controllertest.Namespace}})
			},
			heal:      func(w *world) { w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")) },
			condition: v1alpha2.ConditionNameConflict, mentions: []string{"Secret orders-0-agent-tls"},
		},
		"quota": {
			without: func(w *world) {
				w.Refuse = func(write string) error {
					if write != "create pods/orders-0" {
						return nil
					}
					return apierrors.NewForbidden(corev1.Resource("pods"), "orders-0", errQuota)
				}
			},
			heal:      func(w *world) { w.Refuse = nil },
			condition: v1alpha2.ConditionQuotaExceeded, mentions: []string{"exceeded quota"},
		},
		"admission": {
			without: func(w *world) {
				w.Refuse = func(write string) error {
					if write != "create pods/orders-0" {
						return nil
					}
					return apierrors.NewForbidden(corev1.Resource("pods"), "orders-0", errPolicy)
				}
			},
			heal:      func(w *world) { w.Refuse = nil },
			condition: v1alpha2.ConditionRefused, mentions: []string{"violates PodSecurity"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			unit := newUnit()
			if tc.unit != nil {
				tc.unit(unit)
			}
			w := newWorld(t, unit)
			if tc.without != nil {
				tc.without(w)
			}
			for range 6 {
				if _, err := w.sync(); err != nil {
					t.Fatal(err)
				}
			}
			reason := tc.reason
			if reason == "" {
				reason = tc.condition
			}
			w.wantCondition(tc.condition, reason, tc.mentions...)
			w.wantPhase(v1alpha2.UnitPending)
			if pods := controllertest.All[*corev1.Pod](w.APIServer); len(pods) > 0 && pods[0].Labels[v1alpha2.LabelManaged] != "" {
				t.Error("a pod is made")
			}
			if c := w.condition(v1alpha2.ConditionReady); c == nil || c.Status != metav1.ConditionFalse || c.Reason != reason {
				t.Errorf("Ready is %+v", c)
			}
			said := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.Contains(e, reason) })
			if len(said) != 1 {
				t.Errorf("it is said %d times: %v", len(said), said)
			}
			tc.heal(w)
			w.references.Changed()
			w.live()
			w.wantNoCondition(tc.condition)
			w.wantPhase(v1alpha2.UnitReady)
		})
	}
}

func TestWhatIsTakenAwayIsMadeAgain(t *testing.T) {
	for name, take := range map[string]func(*world){
		"the pod":    func(w *world) { w.Erase(w.pod()) },
		"the Secret": func(w *world) { w.Erase(controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")) },
		"the Secret's key": func(w *world) {
			s := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")
			delete(s.Data, "tls.key")
			w.Given(s)
		},
		"the pod's label": func(w *world) {
			p := w.pod()
			delete(p.Labels, v1alpha2.LabelManaged)
			w.Given(p)
		},
		"the claim's label": func(w *world) {
			c := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data")
			c.Labels["team"] = "other"
			w.Given(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newUnit())
			w.live()
			want := w.objects()
			data := w.unit().Status.DataIdentity.SystemID
			take(w)
			// The volume stays, so the next agent finds the data on it.
			w.settle()
			w.keepData(data)
			w.live()
			w.wantPhase(v1alpha2.UnitReady)
			got := w.objects()
			for key := range want {
				if got[key] == nil {
					t.Errorf("%s is gone", key)
				}
			}
			if s := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls"); len(s.Data) != 3 {
				t.Errorf("the Secret has %d keys", len(s.Data))
			}
			if l := w.pod().Labels; l[v1alpha2.LabelManaged] != "true" {
				t.Errorf("the pod has labels %v", l)
			}
			if c := controllertest.Must[*corev1.PersistentVolumeClaim](w.APIServer, "orders-0-data"); c.Labels["team"] != "shop" {
				t.Errorf("the claim has labels %v", c.Labels)
			}
		})
	}
}

// Whoever may patch Secrets in the namespace would else be the operator for the agent.
func TestACAThatIsAddedToAnAgentsSecretIsTakenOut(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	other, err := agenttls.NewCA(w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	secret := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")
	secret.Data["ca.crt"] = append(secret.Data["ca.crt"], other["ca.crt"]...)
	l, ok := parseLeaf(secret.Annotations[annotationLeaf])
	if !ok {
		t.Fatal("the Secret has no record of what it holds")
	}
	// The record is made to fit.
	l.content = slim.ContentHash(secret.Data)
	secret.Annotations[annotationLeaf] = l.String()
	w.Given(secret)
	w.settle()
	healed := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")
	if why, _ := w.ca.CheckLeaf(healed.Data, identityOf(w.unit()), w.clock.Now()); why != "" {
		t.Error(why)
	}
}

func TestTheCertificateIsRenewedInTimeAndWithTheCA(t *testing.T) {
	w := newWorld(t, newUnit())
	w.live()
	first := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")
	pod := w.pod()
	after, err := w.sync()
	if err != nil {
		t.Fatal(err)
	}
	if after <= 0 {
		t.Fatal("nobody looks at it again")
	}
	w.clock.Step(after)
	w.settle()
	second := controllertest.Must[*corev1.Secret](w.APIServer, "orders-0-agent-tls")
	if string(first.Data["tls.crt"]) == string(second.Data["tls.crt"]) {
		t.Error("it was not renewed when it was due")
	}
	if why, _ := w.ca.CheckLeaf(second.Data, identityOf(w.unit()), w.clock.Now()); why != "" {
		t.Error(why)
	}
	if w.pod().UID != pod.UID {
		t.Error("the pod was replaced for it")
	}
}
