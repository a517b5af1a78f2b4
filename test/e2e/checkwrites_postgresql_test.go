// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	replication "github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// writtenPostgreSQL is the set g of a PostgresReplication. Its short form is a switchover, a
// primary whose server is killed, and one whose node loses power.
func (e *environment) writtenPostgreSQL(g group) writtenSet {
	return writtenSet{
		group: g, writtenReplication: postgresWritten{e}, replication: postgresReplication,
		engine: checkwrites.PostgreSQL, account: "postgres", port: "5432", mode: string(v1alpha1.PostgresReplicationSync),
		refusals: []string{
			replication.ReasonDataLossRisk, replication.ReasonNotFenced, replication.ReasonNoCandidate, replication.ReasonDiverged, replication.ReasonTooSoon,
		},
		short: shortForm{rounds: 3, seed: 22, faults: "switchover,kill-server,power"},
	}
}

type postgresWritten struct{ e *environment }

func (w postgresWritten) view(ctx context.Context) (replicationView, error) {
	p, err := w.e.pgReplication(ctx)
	if err != nil {
		return replicationView{}, err
	}
	v, _ := w.viewOf(p)
	return v, nil
}

func (postgresWritten) viewOf(o runtime.Object) (replicationView, bool) {
	p, ok := o.(*v1alpha1.PostgresReplication)
	if !ok {
		return replicationView{}, false
	}
	s := p.Status
	v := replicationView{
		ObjectMeta: p.ObjectMeta, source: s.CurrentPrimary, epoch: s.Epoch, observedGeneration: s.ObservedGeneration,
		operation: s.Operation, lastTransition: s.LastTransition, topology: s.Topology, conditions: s.Conditions,
	}
	// The status has no numbers of standbys; Ready says that all of them replicate.
	ready := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ReplicationReady)
	for _, m := range s.Topology {
		if m.Name == s.CurrentPrimary {
			continue
		}
		v.replicas++
		if ready {
			v.readyReplicas++
		}
	}
	return v, true
}

func (w postgresWritten) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w.e.upm.UpmV1alpha1().PostgresReplications(ns).Watch(ctx, options)
}

func (w postgresWritten) patch(ctx context.Context, patch []byte) error {
	_, err := w.e.upm.UpmV1alpha1().PostgresReplications(ns).Patch(ctx, postgresReplication, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (w postgresWritten) begin(t *testing.T, mode string, failover *v1alpha1.ReplicationFailover) {
	t.Helper()
	w.e.editPgReplication(t, func(r *v1alpha1.PostgresReplication) {
		r.Spec.Mode, r.Spec.Failover = v1alpha1.PostgresReplicationMode(mode), failover
	})
}

func (w postgresWritten) end(t *testing.T) {
	t.Helper()
	w.begin(t, string(v1alpha1.PostgresReplicationSync), nil)
}

func (w postgresWritten) askForSource(t *testing.T, to string) (asked bool) {
	t.Helper()
	w.e.editPgReplication(t, func(r *v1alpha1.PostgresReplication) {
		if asked = r.Spec.Primary.Name != to; asked {
			promoteBySpec(to)(r)
		}
	})
	return asked
}

// stopReceiving ends the standby's receiver while its postmaster, which would start the next
// one, stands still. A receiver that stood still itself would find in its socket afterwards
// all that was sent to it meanwhile.
func (w postgresWritten) stopReceiving(t *testing.T, unit string) (resume func(*testing.T), err error) {
	t.Helper()
	postmaster, err := hostProcess(unit, serverProcess("postgresql"))
	if err != nil {
		return nil, err
	}
	if resume, err = freezeProcess(unit, serverProcess("postgresql")); err != nil {
		return nil, err
	}
	t.Cleanup(func() { resume(t) })
	eventually(t, time.Minute, unit+" to receive nothing", func(context.Context) error {
		receivers, err := walReceivers(postmaster)
		for _, pid := range receivers {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			err = fmt.Errorf("process %d receives", pid)
		}
		return err
	})
	return resume, nil
}

// walReceivers of a postmaster, by the titles that they have. One that has ended has none.
func walReceivers(postmaster int) (pids []int, err error) {
	children, err := childrenOf(postmaster)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		// One that cannot be read has ended.
		title, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "cmdline"))
		if bytes.Contains(title, []byte("walreceiver")) {
			pids = append(pids, child)
		}
	}
	return pids, nil
}
