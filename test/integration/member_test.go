// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// A member of either kind of Replication stays until that has answered for this very
// Unit. Nothing acts on a PostgresReplication of MySQL units, nor on members in the mode
// group_replication: the test answers.
func TestAMemberIsRemovedWhenItsReplicationHasEvacuatedIt(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mysqlreplications", "postgresreplications"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := require(t)
			p := newProxy(t, e.config, e.token)
			ns := e.namespace(t, "member")
			startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
			e.create(t, mysqlGroup(ns, "orders", 2))
			e.settled(t, ns, 2)
			answer := e.replication(t, ns, kind)

			e.scale(t, ns, 1)
			units := e.upm.UpmV1alpha2().Units(ns)
			var uid types.UID
			eventually(t, "the unit to be asked to leave", func(ctx context.Context) error {
				u, err := units.Get(ctx, "orders-1", metav1.GetOptions{})
				if err != nil {
					return err
				}
				uid = u.UID
				if got := u.Annotations[v1alpha2.AnnotationEvacuate]; got != v1alpha2.EvacuateRemove {
					return fmt.Errorf("it is asked to %q", got)
				}
				return nil
			})
			answer(v1alpha1.ReplicationMemberStatus{Name: "orders-1", UnitUID: uid, Evacuation: &v1alpha1.MemberEvacuation{
				Request: v1alpha1.EvacuationRemove, State: v1alpha1.EvacuationRefused, Reason: "DurabilityNeedsIt",
			}})
			eventually(t, "the refusal to be seen", func(ctx context.Context) error {
				set, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, "orders", metav1.GetOptions{})
				if err != nil {
					return err
				}
				c := meta.FindStatusCondition(set.Status.Conditions, "ScalingDown")
				if c == nil || c.Reason != "EvacuationRefused" || !strings.Contains(c.Message, "DurabilityNeedsIt") {
					return fmt.Errorf("ScalingDown is %v", c)
				}
				return nil
			})
			answer(v1alpha1.ReplicationMemberStatus{Name: "orders-1", UnitUID: uid, Evacuation: &v1alpha1.MemberEvacuation{
				Request: v1alpha1.EvacuationRemove, State: v1alpha1.EvacuationDone,
			}})
			e.settled(t, ns, 1)
		})
	}
}

// replication of orders-0 and orders-1, and a function that writes what its status says
// of a member.
func (e *environment) replication(t *testing.T, ns, resource string) func(v1alpha1.ReplicationMemberStatus) {
	t.Helper()
	host := func(unit string) string { return unit + ".orders-headless-svc." + ns }
	var err error
	switch resource {
	case "mysqlreplications":
		r := &v1alpha1.MysqlReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders"}}
		r.Spec.Mode = v1alpha1.MysqlReplicationGroup
		r.Spec.Secret = v1alpha1.MysqlReplicationSecret{Name: "orders-secret", Mysql: "root", Replication: "root"}
		r.Spec.Source = v1alpha1.MysqlReplicationMember{Name: "orders-0", Host: host("orders-0"), Port: 3306}
		r.Spec.Replica = []v1alpha1.MysqlReplicaMember{{MysqlReplicationMember: v1alpha1.MysqlReplicationMember{Name: "orders-1", Host: host("orders-1"), Port: 3306}}}
		_, err = e.upm.UpmV1alpha1().MysqlReplications(ns).Create(t.Context(), r, metav1.CreateOptions{})
	default:
		r := &v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: "orders"}}
		r.Spec.Mode = "rpl_async"
		r.Spec.Secret = v1alpha1.PostgresReplicationSecret{Name: "orders-secret", Postgres: "root", Replication: "root"}
		r.Spec.Primary = v1alpha1.PostgresReplicationMember{Name: "orders-0", Host: host("orders-0"), Port: 5432}
		r.Spec.Standby = []v1alpha1.PostgresStandbyMember{{PostgresReplicationMember: v1alpha1.PostgresReplicationMember{Name: "orders-1", Host: host("orders-1"), Port: 5432}}}
		_, err = e.upm.UpmV1alpha1().PostgresReplications(ns).Create(t.Context(), r, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(member v1alpha1.ReplicationMemberStatus) {
		t.Helper()
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"topology": []v1alpha1.ReplicationMemberStatus{member}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.dyn.Resource(v1alpha1.SchemeGroupVersion.WithResource(resource)).Namespace(ns).
			Patch(t.Context(), "orders", types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASetThatIsMadeAgainAdoptsWhatWasOrphaned(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "adopt")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	g := mysqlGroup(ns, "orders", 2)
	e.create(t, g)
	e.settled(t, ns, 2)
	before := e.podUIDs(t, ns)
	sets := e.upm.UpmV1alpha2().UnitSets(ns)
	orphan := func(name string) {
		t.Helper()
		policy := metav1.DeletePropagationOrphan
		if err := sets.Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the set "+name+" to be gone", func(ctx context.Context) error {
			if _, err := sets.Get(ctx, name, metav1.GetOptions{}); err == nil {
				return errors.New("it is there")
			}
			return nil
		})
	}
	// A garbage collector that began a moment ago watches our kinds only after half a
	// minute, and one that sees the set before its Units releases what it has seen and
	// deletes the rest. When this set is gone it has seen both.
	canary := mysqlGroup(ns, "canary", 0).set
	canary.Annotations = map[string]string{v1alpha2.AnnotationPaused: "true"}
	if _, err := sets.Create(t.Context(), canary, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	orphan("canary")
	orphan("orders")
	set := g.set.DeepCopy()
	set.ResourceVersion, set.UID = "", ""
	made, err := sets.Create(t.Context(), set, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e.settled(t, ns, 2)
	units, err := e.upm.UpmV1alpha2().Units(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range units.Items {
		if !metav1.IsControlledBy(&units.Items[i], made) {
			t.Errorf("%s is not the set's", units.Items[i].Name)
		}
	}
	if d := cmp.Diff(before, e.podUIDs(t, ns)); d != "" {
		t.Errorf("pods: -before +after:\n%s", d)
	}
}

func TestZeroUnitsKeepEveryClaim(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "zero")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	g := mysqlGroup(ns, "orders", 2)
	g.set.Spec.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenScaled: v1alpha2.DeleteClaims}
	e.create(t, g)
	e.settled(t, ns, 2)
	claims := e.claimUIDs(t, ns)
	e.scale(t, ns, 0)
	eventually(t, "no unit to be left", func(context.Context) error {
		if left := names(e.snapshot(t, ns), "units"); len(left) > 0 {
			return fmt.Errorf("left are %v", left)
		}
		return nil
	})
	e.scale(t, ns, 2)
	e.settled(t, ns, 2)
	if d := cmp.Diff(claims, e.claimUIDs(t, ns)); d != "" {
		t.Errorf("claims: -before +after:\n%s", d)
	}
}

func (e *environment) claimUIDs(t *testing.T, ns string) map[string]types.UID {
	t.Helper()
	claims, err := e.kube.CoreV1().PersistentVolumeClaims(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]types.UID{}
	for i := range claims.Items {
		out[claims.Items[i].Name] = claims.Items[i].UID
	}
	return out
}
