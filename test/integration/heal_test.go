// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestAnObjectDeletedByHandComesBackAsItWas(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "heal")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	want := e.snapshot(t, ns)
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	for what, del := range map[string]func(context.Context) error{
		"pod": func(ctx context.Context) error { return e.kube.CoreV1().Pods(ns).Delete(ctx, "orders-1", now) },
		"headless service": func(ctx context.Context) error {
			return e.kube.CoreV1().Services(ns).Delete(ctx, "orders-headless-svc", now)
		},
		"external service": func(ctx context.Context) error { return e.kube.CoreV1().Services(ns).Delete(ctx, "orders-svc", now) },
		"unit service":     func(ctx context.Context) error { return e.kube.CoreV1().Services(ns).Delete(ctx, "orders-0-svc", now) },
		"config template": func(ctx context.Context) error {
			return e.kube.CoreV1().ConfigMaps(ns).Delete(ctx, "orders-config-template", now)
		},
		"config value": func(ctx context.Context) error {
			return e.kube.CoreV1().ConfigMaps(ns).Delete(ctx, "orders-0-config-value", now)
		},
		"agent's TLS": func(ctx context.Context) error {
			return e.kube.CoreV1().Secrets(ns).Delete(ctx, "orders-0-agent-tls", now)
		},
		"disruption budget": func(ctx context.Context) error {
			return e.kube.PolicyV1().PodDisruptionBudgets(ns).Delete(ctx, "orders", now)
		},
		"revision": func(ctx context.Context) error {
			return e.kube.AppsV1().ControllerRevisions(ns).DeleteCollection(ctx, now, metav1.ListOptions{})
		},
	} {
		t.Run(what, func(t *testing.T) {
			if err := del(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the "+what+" to come back", func(context.Context) error {
				if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
					return fmt.Errorf("-want +got:\n%s", d)
				}
				return nil
			})
		})
	}
}

func TestAServiceEditedByHandIsPutRightAndForeignLabelsSurvive(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "edit")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 1))
	e.settled(t, ns, 1)
	patch := []byte(`{"metadata":{"labels":{"mine":"kept"}},"spec":{"selector":{"unit-operator.io/unitset":"other"}}}`)
	if _, err := e.kube.CoreV1().Services(ns).Patch(t.Context(), "orders-headless-svc", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the selector to be put right", func(ctx context.Context) error {
		s, err := e.kube.CoreV1().Services(ns).Get(ctx, "orders-headless-svc", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s.Spec.Selector[v1alpha2.LabelUnitSet] != "orders" {
			return fmt.Errorf("selector %v", s.Spec.Selector)
		}
		if s.Labels["mine"] != "kept" {
			t.Errorf("the user's own label is gone: %v", s.Labels)
		}
		return nil
	})
}

func TestAKeyAddedToTheConfigTemplateByHandIsRemoved(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "template")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 1))
	e.settled(t, ns, 1)
	want := e.snapshot(t, ns)
	patch := []byte(`{"data":{"mysql":"[mysqld]\nskip-grant-tables\n","other":"key"}}`)
	if _, err := e.kube.CoreV1().ConfigMaps(ns).Patch(t.Context(), "orders-config-template", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the template to be put right", func(context.Context) error {
		if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
			return fmt.Errorf("-want +got:\n%s", d)
		}
		return nil
	})
}

func TestALabelChangeReachesThePodWithoutARestart(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "label")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	before := e.podUIDs(t, ns)
	patch := []byte(`{"metadata":{"labels":{"team":"billing"},"annotations":{"unit-operator.io/environment":"production"}}}`)
	if _, err := e.upm.UpmV1alpha2().UnitSets(ns).Patch(t.Context(), "orders", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the label on every pod", func(ctx context.Context) error {
		pods, err := e.kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "team=billing"})
		if err != nil {
			return err
		}
		if len(pods.Items) != 2 {
			return fmt.Errorf("on %d pods", len(pods.Items))
		}
		return nil
	})
	e.settled(t, ns, 2)
	if d := diffUIDs(before, e.podUIDs(t, ns)); d != "" {
		t.Errorf("pods were replaced:\n%s", d)
	}
}

func TestAnOperatorWithAnotherAgentImageRestartsNoPod(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "agent-image")
	op := startOperator(t, operatorOptions{host: p.URL(), namespace: ns, agent: "upmio/unit-agent:old"})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	before := e.podUIDs(t, ns)
	op.stop(t)
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns, agent: "upmio/unit-agent:new"})
	time.Sleep(2 * time.Second)
	e.settled(t, ns, 2)
	if d := diffUIDs(before, e.podUIDs(t, ns)); d != "" {
		t.Errorf("pods were replaced:\n%s", d)
	}
	eventually(t, "the units to say that their agent is outdated", func(ctx context.Context) error {
		return e.unitCondition(ctx, ns, "orders-0", "AgentOutdated", metav1.ConditionTrue)
	})
}

func TestAnOperatorAtRestWritesNothing(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "rest")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 3))
	e.settled(t, ns, 3)
	atRest(t, p)
	p.Reset()
	time.Sleep(20 * time.Second)
	if w := p.Seen(); len(w) > 0 {
		t.Errorf("%d writes at rest: %v", len(w), w)
	}
}

func (e *environment) podUIDs(t testing.TB, ns string) map[string]types.UID {
	t.Helper()
	pods, err := e.kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]types.UID{}
	for _, p := range pods.Items {
		out[p.Name] = p.UID
	}
	return out
}
