// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// TestOperationsUnderFaults is the fault table: each row ends in exactly one effect or
// in an honest failure, nothing hangs, no half backup is listed, and a restore that fails
// leaves the old data serving. Rows of different units run beside each other.
func TestOperationsUnderFaults(t *testing.T) {
	e := requireBed(t)
	s := e.startStore(t)
	e.operationsNamespace(t, s)
	postgres := e.victims(t, s, postgresqlRows, "faults-pg", 4)
	mysql := e.victims(t, s, mysqlRows, "faults-my", 3)
	ready(t, postgres)
	ready(t, mysql)

	t.Run("the operator is killed", func(t *testing.T) { operatorKilled(t, postgres[0]) })

	t.Run("on several units", func(t *testing.T) {
		for name, rows := range map[string]func(*testing.T){
			"the store of a PostgreSQL fails": func(t *testing.T) { storeFails(t, postgres[0]) },
			"the agent and the pod of a PostgreSQL fail": func(t *testing.T) {
				agentKilled(t, postgres[1])
				t.Run("a call that is deleted in its middle", func(t *testing.T) { callDeleted(t, postgres[1]) })
				t.Run("two calls at once", func(t *testing.T) { twoCalls(t, postgres[1]) })
				t.Run("a store that is full", func(t *testing.T) { storeFull(t, postgres[1]) })
				podDeleted(t, postgres[1])
				t.Run("a claim that is lost in the middle of a backup", func(t *testing.T) { claimLost(t, postgres[1]) })
			},
			"restores of a PostgreSQL are killed": func(t *testing.T) {
				replacementKilled(t, postgres[2], v1alpha1.ActionRestore)
				diskFull(t, postgres[2])
			},
			"clones of a PostgreSQL are killed": func(t *testing.T) {
				replacementKilled(t, postgres[3], v1alpha1.ActionClone)
				serverKilled(t, postgres[3])
			},
			"restores of a MySQL are killed": func(t *testing.T) { replacementKilled(t, mysql[0], v1alpha1.ActionRestore) },
			"clones of a MySQL are killed":   func(t *testing.T) { replacementKilled(t, mysql[1], v1alpha1.ActionClone) },
			"the disk and the server of a MySQL fail": func(t *testing.T) {
				t.Run("wrong credentials, and a store where nobody listens", func(t *testing.T) { wayWrong(t, mysql[2]) })
				copyFull(t, mysql[2])
				diskFull(t, mysql[2])
				serverKilled(t, mysql[2])
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rows(t)
			})
		}
	})

	t.Run("a finished call goes when its time to live has passed", func(t *testing.T) {
		v := postgres[0]
		call := e.newCall(t, "ttl", v.name, v.kind, v1alpha1.ActionPhysicalBackup, v.to(v.folder("ttl")),
			func(spec *v1alpha1.GrpcCallSpec) { spec.TTLSecondsAfterFinished = new(int32(3)) })
		status, gone := e.watchUntilGone(t, call)
		if status.CompletionTime == nil {
			t.Fatalf("it went before it had a result: %+v", status)
		}
		if lived := gone.Sub(status.CompletionTime.Time); lived < 3*time.Second {
			t.Errorf("it went after %v", lived)
		}
	})

	t.Run("no command line, log, event or status tells a secret", func(t *testing.T) { e.tellsNoSecret(t) })
}

// watchUntilGone returns the last status of a call that goes soon after its end, and when
// it went. Who asks again and again may miss all that it was in between.
func (e *environment) watchUntilGone(t *testing.T, call string) (status v1alpha1.GrpcCallStatus, gone time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w, err := e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + call})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if c, ok := event.Object.(*v1alpha1.GrpcCall); ok {
			status = c.Status
		}
		if event.Type == watch.Deleted {
			return status, time.Now()
		}
	}
	t.Fatalf("the watch of %s has ended, and it is still there: %+v", call, status)
	return status, gone
}
