// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// held waits until the way holds something of a call's.
func held(t *testing.T, reached <-chan struct{}) {
	t.Helper()
	select {
	case <-reached:
	case <-time.After(patience):
		t.Fatal("what is to be held never came")
	}
}

// agentKilled kills the agent of a unit in its backups and restores.
func agentKilled(t *testing.T, v *victim) {
	for name, at := range map[string]match{
		"at the start of": puts(".partial.json"), "in the middle of": isPart(2), "at the end of": puts(backup.ManifestSuffix),
	} {
		t.Run("an agent that is killed "+name+" a backup", func(t *testing.T) {
			folder := v.folder(strings.ReplaceAll("agent "+name, " ", "-"))
			reached, release := v.way.hold(at)
			defer release()
			call := v.backup(t, folder)
			held(t, reached)
			kill(t, v.name, agentProcess)
			v.way.givenUp()
			release()
			v.honest(t, call, folder)
		})
	}
	t.Run("an agent that is killed when all of a backup is stored", func(t *testing.T) {
		folder := v.folder("agent-after-the-end")
		reached := v.way.holdAnswer(puts(backup.ManifestSuffix))
		defer v.way.clear()
		call := v.backup(t, folder)
		held(t, reached)
		kill(t, v.name, agentProcess)
		v.way.givenUp()
		v.way.clear()
		// The agent never heard of it, and says no more than it knows.
		v.ends(t, call)
		if names := v.listed(t, folder); len(names) != 1 {
			t.Errorf("listed are %v", names)
		}
		v.afterwards(t, folder, 1)
	})

	source := v.folder("agent")
	v.succeeds(t, v.backup(t, source))
	for name, at := range map[string]match{"at the start of": gets(backup.ManifestSuffix), "in the middle of": gets("base.tar")} {
		t.Run("an agent that is killed "+name+" a restore leaves the old data serving", func(t *testing.T) {
			old := v.mark(t)
			reached, release := v.way.hold(at)
			defer release()
			call := v.start(t, v1alpha1.ActionRestore, v.from(source))
			held(t, reached)
			kill(t, v.name, agentProcess)
			release()
			if status, _ := v.ends(t, call); status.Result != v1alpha1.ResultFailed {
				t.Errorf("%s", status.Result)
			}
			v.unchanged(t, old)
			v.nothingBeside(t)
		})
	}
}

// twoCalls at once queue, and both succeed.
func twoCalls(t *testing.T, v *victim) {
	first, second := v.backup(t, v.folder("one")), v.backup(t, v.folder("two"))
	for _, call := range []string{first, second} {
		v.succeeds(t, call)
	}
	for _, folder := range []string{v.folder("one"), v.folder("two")} {
		if n := v.tidy(t, folder); n != 1 {
			t.Errorf("%d backups in %s", n, folder)
		}
	}
}

// callDeleted deletes a call in its middle: the operation ends, and the next begins.
func callDeleted(t *testing.T, v *victim) {
	folder := v.folder("deleted")
	reached, release := v.way.hold(isPart(0))
	defer release()
	call := v.backup(t, folder)
	held(t, reached)
	if err := v.e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Delete(t.Context(), call, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the call to go", func(ctx context.Context) error {
		_, err := v.e.callStatus(ctx, call)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there (%w)", err)
	})
	if pid, err := hostProcess(v.name, toolProcess); err == nil {
		t.Errorf("process %d of the operation is left", pid)
	}
	release()
	begin := time.Now()
	v.afterwards(t, folder, 0)
	t.Logf("the next backup has ended %.1fs later", time.Since(begin).Seconds())
}

// toolProcess is a program that an operation runs.
func toolProcess(argv []string) bool {
	return slices.Contains([]string{"pg_basebackup", "pg_dump", "pg_dumpall", "pg_restore", "mysqldump", "mysql"}, filepath.Base(argv[0]))
}

// podDeleted deletes the pod of a unit in the middle of a backup and of a restore.
func podDeleted(t *testing.T, v *victim) {
	folder := v.folder("pod")
	t.Run("a pod that is deleted in the middle of a backup", func(t *testing.T) {
		reached, release := v.way.hold(isPart(2))
		defer release()
		call := v.backup(t, folder)
		held(t, reached)
		v.deletePod(t)
		release()
		v.honest(t, call, folder)
	})
	t.Run("a pod that is deleted in the middle of a restore comes back with the old data", func(t *testing.T) {
		old := v.mark(t)
		reached, release := v.way.hold(gets("base.tar"))
		defer release()
		call := v.start(t, v1alpha1.ActionRestore, v.from(folder))
		held(t, reached)
		v.deletePod(t)
		release()
		if status, _ := v.ends(t, call); status.Result != v1alpha1.ResultFailed {
			t.Errorf("%s", status.Result)
		}
		v.unchanged(t, old)
		v.nothingBeside(t)
		v.accounts(t)
	})
}

// deletePod returns when another one is there.
func (v *victim) deletePod(t *testing.T) {
	t.Helper()
	old := v.e.pod(t, opsNamespace, v.name)
	if err := v.e.kube.CoreV1().Pods(opsNamespace).Delete(t.Context(), v.name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "another pod "+v.name, func(ctx context.Context) error {
		now, err := v.e.kube.CoreV1().Pods(opsNamespace).Get(ctx, v.name, metav1.GetOptions{})
		if err == nil && now.UID == old.UID {
			err = errors.New("it is still the old one")
		}
		return err
	})
}

// claimLost takes the volume with the journal away in the middle of a backup. Nobody
// knows then what became of it, and it is not run again.
func claimLost(t *testing.T, v *victim) {
	folder := v.folder("claim")
	reached, release := v.way.hold(isPart(2))
	defer release()
	call := v.backup(t, folder)
	held(t, reached)
	// An agent that is stopped may still say how its operation ended: nobody hears it.
	v.e.stopOperator()
	claims, pods := v.e.kube.CoreV1().PersistentVolumeClaims(opsNamespace), v.e.kube.CoreV1().Pods(opsNamespace)
	if err := errors.Join(claims.Delete(t.Context(), v.name+"-data", metav1.DeleteOptions{}), pods.Delete(t.Context(), v.name, metav1.DeleteOptions{})); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "the pod and its claim to be gone", func(ctx context.Context) error {
		_, podErr := pods.Get(ctx, v.name, metav1.GetOptions{})
		_, claimErr := claims.Get(ctx, v.name+"-data", metav1.GetOptions{})
		if !apierrors.IsNotFound(podErr) || !apierrors.IsNotFound(claimErr) {
			return fmt.Errorf("pod: %v, claim: %v", podErr, claimErr)
		}
		return nil
	})
	release() // a second run would come through
	v.e.restartOperator(t)
	if status, reason := v.ends(t, call); status.Result != v1alpha1.ResultFailed || reason != "OutcomeUnknown" {
		t.Errorf("%s with reason %q, want Failed with OutcomeUnknown", status.Result, reason)
	}
	eventually(t, time.Minute, "the condition DataMissing", func(ctx context.Context) error {
		return v.e.unitConditionTrue(ctx, opsNamespace, v.name, "DataMissing")
	})
	// A new operator finds the call as it is.
	v.e.restartOperator(t)
	next := v.start(t, v1alpha1.ActionPhysicalBackup, v.to(folder))
	if status, reason := v.ends(t, next); status.Result != v1alpha1.ResultFailed {
		t.Errorf("a backup of no database: %s %s", status.Result, reason)
	}
	if status, err := v.e.callStatus(t.Context(), call); err != nil || status.Result != v1alpha1.ResultFailed {
		t.Errorf("the result has changed: %s, %v", status.Result, err)
	}
	if names := v.listed(t, folder); len(names) > 0 {
		t.Errorf("listed are %v", names)
	}
}

// nothingBeside demands that no data lies beside that of the server.
func (v *victim) nothingBeside(t *testing.T) {
	t.Helper()
	beside, err := v.e.exec(t.Context(), opsNamespace, v.name, "agent", "", "ls", "-A", "/DATA_MOUNT/.unit-agent")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(beside) {
		if name == "replace" || name == "backup" || name == "load" {
			t.Errorf("%s is left beside the data of %s", name, v.name)
		}
	}
	if v.kind == v1alpha1.UnitTypePostgreSQL {
		if n := v.sql(t, "", `SELECT count(*) FROM pg_database WHERE datname LIKE 'unit\_agent\_%'`); n != "0" {
			t.Errorf("%s databases are left beside those of %s", n, v.name)
		}
	}
}
