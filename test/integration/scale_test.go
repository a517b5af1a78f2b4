// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// scale sets the number of units, as kubectl patch does.
func (e *environment) scale(t *testing.T, ns string, units int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"units":%d}}`, units)
	if _, err := e.upm.UpmV1alpha2().UnitSets(ns).Patch(t.Context(), "orders", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// names are the names of what a namespace holds of a resource.
func names(objects map[string]any, resource string) []string {
	var out []string
	for name := range objects {
		if rest, found := strings.CutPrefix(name, resource+"/"); found {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}

func TestASetScalesDownFromTheHighestOrdinalAndUpOntoWhatWasKept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		retention v1alpha2.ClaimRetention
		claims    []string
	}{
		{v1alpha2.RetainClaims, []string{"orders-0-data", "orders-1-data", "orders-2-data"}},
		{v1alpha2.DeleteClaims, []string{"orders-0-data"}},
	} {
		t.Run(string(tc.retention), func(t *testing.T) {
			t.Parallel()
			e := require(t)
			p := newProxy(t, e.config, e.token)
			ns := e.namespace(t, "scale")
			startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
			g := mysqlGroup(ns, "orders", 3)
			g.set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenScaled: tc.retention}
			e.create(t, g)
			e.settled(t, ns, 3)
			want := e.snapshot(t, ns)

			e.scale(t, ns, 1)
			eventually(t, "one unit to be left", func(ctx context.Context) error {
				got := e.snapshot(t, ns)
				for resource, wanted := range map[string][]string{
					"units": {"orders-0"}, "pods": {"orders-0"}, "persistentvolumeclaims": tc.claims,
					"services": {"orders-0-svc", "orders-headless-svc", "orders-svc"}, "poddisruptionbudgets": nil,
				} {
					if d := cmp.Diff(wanted, names(got, resource)); d != "" {
						return fmt.Errorf("%s (-want +got):\n%s", resource, d)
					}
				}
				return nil
			})
			var order []string
			for _, c := range p.Seen() {
				if c.Verb == "delete" && c.Resource == "units" {
					order = append(order, c.Name)
				}
			}
			if d := cmp.Diff([]string{"orders-2", "orders-1"}, order); d != "" {
				t.Errorf("units were removed in another order (-want +got):\n%s", d)
			}

			e.scale(t, ns, 3)
			e.settled(t, ns, 3)
			eventually(t, "the objects from before", func(context.Context) error {
				if d := diffObjects(want, e.snapshot(t, ns)); d != "" {
					return fmt.Errorf("after scaling down and up the objects differ (-before +after):\n%s", d)
				}
				return nil
			})
		})
	}
}

func TestADeletedSetLeavesTheUsersObjectsAndItsClaims(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "delete")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	background := metav1.DeletePropagationBackground
	if err := e.upm.UpmV1alpha2().UnitSets(ns).Delete(t.Context(), "orders", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	want := []string{"configmaps/orders-config", "persistentvolumeclaims/orders-0-data", "persistentvolumeclaims/orders-1-data", "secrets/orders-secret"}
	eventually(t, "nothing but the user's objects and the claims to be left", func(ctx context.Context) error {
		if d := cmp.Diff(want, keys(e.snapshot(t, ns))); d != "" {
			return fmt.Errorf("-want +got:\n%s", d)
		}
		_, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, "orders", metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("the set is still there")
		}
		return nil
	})
}
