// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestMySQL(t *testing.T) {
	e := require(t)
	g := mysqlGroup
	e.apply(t, g)
	t.Cleanup(func() { e.remove(t, g) })
	e.ready(t, g)

	t.Run("three servers accept the Secret's credentials from another pod", func(t *testing.T) {
		for i := range g.units {
			from := g.unit((i + 1) % g.units)
			want, password := g.unit(i)+"\t"+e.versions["mysql"], e.secret(t, g, "root")
			// The names of new pods are resolved a moment after they are Ready.
			eventually(t, patience, "root to log in on "+g.host(i), func(ctx context.Context) error {
				got, err := e.mysql(ctx, ns, from, "mysql", g.host(i), "3306", "root", password, "SELECT @@hostname, @@version")
				if err == nil && !strings.HasPrefix(got, want) {
					err = fmt.Errorf("it answers %q, want %q", got, want)
				}
				return err
			})
		}
	})

	t.Run("a wrong password and no password are refused", func(t *testing.T) {
		for _, password := range []string{"wrong", ""} {
			if out, err := e.mysql(t.Context(), ns, g.unit(1), "mysql", g.host(0), "3306", "root", password, "SELECT 1"); err == nil {
				t.Errorf("password %q was accepted: %s", password, out)
			}
		}
	})

	t.Run("no server is born with transactions and a managed one is read-only", func(t *testing.T) {
		for i := range g.units {
			got, err := e.mysql(t.Context(), ns, g.unit(i), "mysql", g.host(i), "3306", "root", e.secret(t, g, "root"), "SELECT @@global.gtid_executed, @@global.super_read_only")
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(got) != "1" {
				t.Errorf("%s: gtid_executed and super_read_only are %q, want an empty set and 1", g.unit(i), got)
			}
		}
	})

	t.Run("the documented commands work by kubectl exec", func(t *testing.T) {
		for _, c := range [][]string{
			{"mysql", "-e", "SELECT 1"},
			{"mysql", "-e", "SHOW GLOBAL STATUS"},
			{"mysql", "-e", "SHOW PROCESSLIST"},
			{"nslookup", g.unit(1)},
			{"curl", "-X", "POST", "http://localhost:8080/health"},
			{"cat", "/etc/mysql/my.cnf"},
			{"sh", "-c", "env | grep MYSQL_"},
			{"ls", "-la", "/SECRET_MOUNT/"},
			{"df", "-h"},
			{"netstat", "-s"},
		} {
			e.kubectlRun(t, append([]string{"exec", "-n", ns, g.unit(0), "--"}, c...)...)
		}
		e.kubectlRun(t, "logs", "-n", ns, g.unit(0), "-c", "agent")
		e.kubectlRun(t, "describe", "unitset", "-n", ns, g.set)
		if out := e.kubectlRun(t, "get", "pods", "-n", ns, "-l", "upm.api/service-group.name="+g.set); strings.Count(out, "Running") != g.units {
			t.Errorf("the documented selector finds:\n%s", out)
		}
		if out := e.kubectlRun(t, "get", "events", "-n", ns, "--field-selector", "involvedObject.name="+g.set); !strings.Contains(out, g.set) {
			t.Errorf("the documented event selector finds:\n%s", out)
		}
	})

	t.Run("the documented calls that need no writable server end in Success", func(t *testing.T) {
		e.documentedOnReadOnly(t, g)
	})

	t.Run("at rest nothing is written to the API for a minute", func(t *testing.T) {
		e.nothingWritten(t, g)
	})

	t.Run("no agent obeys a stranger", func(t *testing.T) {
		e.agentsRefuseStrangers(t, g)
	})

	t.Run("a hundred SIGKILLs of the agent interrupt no session and restart no server", func(t *testing.T) {
		e.agentsKilled(t, g, 100)
	})

	t.Run("with operator and API server away a killed server comes back by itself", func(t *testing.T) {
		e.serverComesBackAlone(t, g)
	})

	t.Run("a held server stays down through a restart of its node", func(t *testing.T) {
		e.heldThroughNodeRestart(t, g)
	})

	t.Run("after a restart of its node's containers a server serves again by itself", func(t *testing.T) {
		e.nodeRestart(t, g)
	})

	t.Run("a claim deleted and made again ends in DataMissing, never in an empty database", func(t *testing.T) {
		e.claimRecreated(t, g)
	})
}

// setStartup is what a user does to stop and start a server.
func (e *environment) setStartup(t *testing.T, unit string, on bool) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"startup":%t}}`, on)
	if _, err := e.upm.UpmV1alpha2().Units(ns).Patch(t.Context(), unit, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// claimRecreated takes a unit's claim away and gives it an empty one by the same
// name.
func (e *environment) claimRecreated(t *testing.T, g group) {
	t.Helper()
	unit := g.unit(2)
	claim := unit + "-data"
	before, err := e.upm.UpmV1alpha2().Units(ns).Get(t.Context(), unit, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if before.Status.DataIdentity == nil || before.Status.DataIdentity.SystemID == "" {
		t.Fatalf("no data identity is recorded: %+v", before.Status.DataIdentity)
	}
	old, err := e.kube.CoreV1().PersistentVolumeClaims(ns).Get(t.Context(), claim, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.kube.CoreV1().PersistentVolumeClaims(ns).Delete(t.Context(), claim, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := e.kube.CoreV1().Pods(ns).Delete(t.Context(), unit, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "the condition DataMissing", func(ctx context.Context) error {
		return e.unitConditionTrue(ctx, ns, unit, "DataMissing")
	})
	fresh, err := e.kube.CoreV1().PersistentVolumeClaims(ns).Get(t.Context(), claim, metav1.GetOptions{})
	if err == nil && fresh.UID == old.UID {
		t.Fatal("the claim is still the old one")
	}
	time.Sleep(5 * time.Second)
	if err := e.unitPhase(t.Context(), ns, unit, v1alpha2.UnitReady); err == nil {
		t.Error("the unit is Ready on an empty volume")
	}
	// What a person who has given the data up does.
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha2.AnnotationReinit, before.Status.DataIdentity.SystemID)
	if _, err := e.upm.UpmV1alpha2().Units(ns).Patch(t.Context(), unit, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*time.Minute, "the unit to be initialised anew on request", func(ctx context.Context) error {
		return e.unitPhase(ctx, ns, unit, v1alpha2.UnitReady)
	})
}
