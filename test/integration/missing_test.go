// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What is missing shows as one condition and one event that name it, and heals
// by itself when it appears.
func TestWhatIsMissingIsNamedOnceAndHealsWhenItAppears(t *testing.T) {
	e := require(t)
	p := newProxy(t, e.config, e.token)
	startOperator(t, operatorOptions{host: p.URL()})
	for _, tc := range []struct {
		name      string
		condition string
		mentions  string
		spoil     func(*testing.T, string, *group)
		mend      func(*testing.T, string, group)
	}{{
		name: "an unknown package", condition: "PackageNotFound", mentions: "mysql-8.0",
		spoil: func(_ *testing.T, _ string, g *group) { g.set.Spec.Version = "3.23.58" },
		mend: func(t *testing.T, ns string, _ group) {
			patch := []byte(`{"spec":{"version":"8.0.41"}}`)
			if _, err := e.upm.UpmV1alpha2().UnitSets(ns).Patch(t.Context(), "orders", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}, {
		name: "a missing Secret", condition: "SecretMissing", mentions: "orders-secret",
		spoil: func(_ *testing.T, _ string, g *group) { g.secret = nil },
		mend: func(t *testing.T, ns string, _ group) {
			if _, err := e.kube.CoreV1().Secrets(ns).Create(t.Context(), mysqlGroup(ns, "orders", 1).secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}, {
		name: "a missing shared ConfigMap", condition: "SharedConfigMissing", mentions: "orders-config",
		spoil: func(_ *testing.T, _ string, g *group) { g.config = nil },
		mend: func(t *testing.T, ns string, _ group) {
			if _, err := e.kube.CoreV1().ConfigMaps(ns).Create(t.Context(), mysqlGroup(ns, "orders", 1).config, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}, {
		name: "a full quota of claims", condition: "QuotaExceeded", mentions: "exceeded quota",
		spoil: func(t *testing.T, ns string, _ *group) {
			q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "full"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePersistentVolumeClaims: resource.MustParse("0")}}}
			if _, err := e.kube.CoreV1().ResourceQuotas(ns).Create(t.Context(), q, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the quota to be counted", func(ctx context.Context) error {
				q, err := e.kube.CoreV1().ResourceQuotas(ns).Get(ctx, "full", metav1.GetOptions{})
				if err == nil && len(q.Status.Hard) == 0 {
					err = fmt.Errorf("not counted yet")
				}
				return err
			})
		},
		mend: func(t *testing.T, ns string, _ group) {
			if err := e.kube.CoreV1().ResourceQuotas(ns).Delete(t.Context(), "full", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ns := e.namespace(t, "missing")
			g := mysqlGroup(ns, "orders", 1)
			tc.spoil(t, ns, &g)
			e.create(t, g)
			eventually(t, "the condition "+tc.condition, func(ctx context.Context) error {
				return e.anyCondition(ctx, ns, "orders", tc.condition, tc.mentions)
			})
			time.Sleep(2 * time.Second)
			eventually(t, "the event", func(ctx context.Context) error {
				n, err := e.events(ctx, ns, tc.condition)
				if err == nil && n != 1 {
					err = fmt.Errorf("%d events with reason %s, want 1", n, tc.condition)
				}
				return err
			})
			tc.mend(t, ns, g)
			e.settled(t, ns, 1)
			eventually(t, "the condition to be gone", func(ctx context.Context) error {
				if err := e.anyCondition(ctx, ns, "orders", tc.condition, ""); err == nil {
					return fmt.Errorf("%s is still True", tc.condition)
				}
				return nil
			})
		})
	}
}

// anyCondition finds a True condition on the set or its first unit.
func (e *environment) anyCondition(ctx context.Context, ns, set, condition, mentions string) error {
	s, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, set, metav1.GetOptions{})
	if err != nil {
		return err
	}
	conds := s.Status.Conditions
	if u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, set+"-0", metav1.GetOptions{}); err == nil {
		conds = append(conds, u.Status.Conditions...)
	}
	for _, c := range conds {
		if c.Type == condition && c.Status == metav1.ConditionTrue && strings.Contains(c.Message, mentions) {
			return nil
		}
	}
	return fmt.Errorf("no True condition %s mentioning %q in %+v", condition, mentions, conds)
}

func (e *environment) unitCondition(ctx context.Context, ns, unit, condition string, status metav1.ConditionStatus) error {
	u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, unit, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !meta.IsStatusConditionPresentAndEqual(u.Status.Conditions, condition, status) {
		return fmt.Errorf("no condition %s=%s in %+v", condition, status, u.Status.Conditions)
	}
	return nil
}

// events counts the events with a reason in ns, repetitions included.
func (e *environment) events(ctx context.Context, ns, reason string) (int, error) {
	list, err := e.kube.CoreV1().Events(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, ev := range list.Items {
		if ev.Reason == reason {
			n += int(max(ev.Count, 1))
			if ev.Series != nil {
				n += int(ev.Series.Count)
			}
		}
	}
	return n, nil
}

func diffUIDs(want, got map[string]types.UID) string { return cmp.Diff(want, got) }
