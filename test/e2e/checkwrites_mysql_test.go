// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	replication "github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// writtenMySQL is the set g of a MysqlReplication. Of its short form's five rounds one is a
// switchover, one kills the operator, and three strike the source: its server is killed, its
// pod deleted, its node loses power.
func (e *environment) writtenMySQL(g group) writtenSet {
	return writtenSet{
		group: g, writtenReplication: mysqlWritten{e}, replication: mysqlReplication,
		engine: checkwrites.MySQL, account: "root", port: "3306", mode: string(v1alpha1.MysqlReplicationSemiSync),
		refusals: []string{
			replication.ReasonDataLossRisk, replication.ReasonNotFenced, replication.ReasonNoCandidate, replication.ReasonDiverged, replication.ReasonTooSoon,
		},
		short: shortForm{rounds: 5, seed: 80},
	}
}

type mysqlWritten struct{ e *environment }

func (w mysqlWritten) view(ctx context.Context) (replicationView, error) {
	m, err := w.e.replication(ctx)
	if err != nil {
		return replicationView{}, err
	}
	v, _ := w.viewOf(m)
	return v, nil
}

func (mysqlWritten) viewOf(o runtime.Object) (replicationView, bool) {
	m, ok := o.(*v1alpha1.MysqlReplication)
	if !ok {
		return replicationView{}, false
	}
	s := m.Status
	return replicationView{
		ObjectMeta: m.ObjectMeta, source: s.CurrentSource, epoch: s.Epoch, observedGeneration: s.ObservedGeneration,
		replicas: int(s.Replicas), readyReplicas: int(s.ReadyReplicas),
		operation: s.Operation, lastTransition: s.LastTransition, topology: s.Topology, conditions: s.Conditions,
	}, true
}

func (w mysqlWritten) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.e.upm.UpmV1alpha1().MysqlReplications(ns).Watch(ctx, options)
}

func (w mysqlWritten) patch(ctx context.Context, patch []byte) error {
	_, err := w.e.upm.UpmV1alpha1().MysqlReplications(ns).Patch(ctx, mysqlReplication, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (w mysqlWritten) begin(t *testing.T, mode string, failover *v1alpha1.ReplicationFailover) {
	t.Helper()
	w.e.editReplication(t, func(r *v1alpha1.MysqlReplication) {
		r.Spec.Mode, r.Spec.Failover = v1alpha1.MysqlReplicationMode(mode), failover
	})
}

func (w mysqlWritten) end(t *testing.T) {
	t.Helper()
	w.begin(t, string(v1alpha1.MysqlReplicationSemiSync), nil)
}

func (w mysqlWritten) askForSource(t *testing.T, to string) (asked bool) {
	t.Helper()
	w.e.editReplication(t, func(r *v1alpha1.MysqlReplication) {
		if asked = r.Spec.Source.Name != to; asked {
			switchTo(to)(r)
		}
	})
	return asked
}

// stopReceiving for good: the replica's agent makes it receive again.
func (w mysqlWritten) stopReceiving(t *testing.T, unit string) (resume func(*testing.T), err error) {
	t.Helper()
	w.e.variable(t, unit, "STOP REPLICA IO_THREAD")
	return func(*testing.T) {}, nil
}
