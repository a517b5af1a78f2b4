// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/test/apidoc"
)

const mysqlReplication = "mysql-cluster-replication"

// documentedReplication is the documentation's own example, word for word, where the
// documentation is next to this repository, else ours.
func documentedReplication(t *testing.T) []byte {
	t.Helper()
	return documentedExample(t, "MysqlReplication", mysqlReplication, "mysqlreplication.yaml")
}

// documentedExample of a kind by its name; ours is the file of testdata that stands in for it.
func documentedExample(t *testing.T, kind, name, ours string) []byte {
	t.Helper()
	path := filepath.Join(root, "..", "shared", "api-documentation.md")
	if _, err := os.Stat(path); err != nil {
		t.Logf("%s is absent: the %s is ours", path, kind)
		manifest, err := os.ReadFile(filepath.Join("testdata", ours))
		if err != nil {
			t.Fatal(err)
		}
		return manifest
	}
	examples, err := apidoc.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range examples {
		for _, o := range x.Objects {
			if x.Fragment || len(x.Objects) != 1 || o.GetKind() != kind || o.GetName() != name {
				continue
			}
			out, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Fatalf("%s shows no %s %s", path, kind, name)
	return nil
}

func (e *environment) replication(ctx context.Context) (*v1alpha1.MysqlReplication, error) {
	return e.upm.UpmV1alpha1().MysqlReplications(ns).Get(ctx, mysqlReplication, metav1.GetOptions{})
}

// replicates waits until the Replication is Ready with that source and so many members.
func (e *environment) replicates(t *testing.T, limit time.Duration, source string, members int) {
	t.Helper()
	begun := time.Now()
	eventually(t, limit, fmt.Sprintf("%d members to replicate from %s", members, source), func(ctx context.Context) error {
		r, err := e.replication(ctx)
		if err != nil {
			return err
		}
		s := r.Status
		if s.ObservedGeneration != r.Generation || s.CurrentSource != source || len(s.Topology) != members || !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ReplicationReady) {
			return fmt.Errorf("source %q, %d members, generation %d of %d: %s", s.CurrentSource, len(s.Topology), s.ObservedGeneration, r.Generation, sentence(s.Conditions))
		}
		return nil
	})
	t.Logf("%s is the source of %d members after %.1fs", source, members, time.Since(begun).Seconds())
}

// editReplication as a user does.
func (e *environment) editReplication(t *testing.T, change func(*v1alpha1.MysqlReplication)) {
	t.Helper()
	eventually(t, time.Minute, "the edit to be taken", func(ctx context.Context) error {
		r, err := e.replication(ctx)
		if err != nil {
			return err
		}
		change(r)
		_, err = e.upm.UpmV1alpha1().MysqlReplications(ns).Update(ctx, r, metav1.UpdateOptions{})
		return err
	})
}

// switchTo makes another member the source.
func switchTo(name string) func(*v1alpha1.MysqlReplication) {
	return func(r *v1alpha1.MysqlReplication) {
		for i := range r.Spec.Replica {
			if r.Spec.Replica[i].Name == name {
				r.Spec.Source, r.Spec.Replica[i].MysqlReplicationMember = r.Spec.Replica[i].MysqlReplicationMember, r.Spec.Source
				return
			}
		}
	}
}

// rowsOf a member, asked in its own pod.
func (e *environment) rowsOf(unit string) func(context.Context) (map[int]bool, error) {
	return func(ctx context.Context) (map[int]bool, error) {
		out, err := e.exec(ctx, ns, unit, "mysql", "", "mysql", "-N", "-B", "-e", "SELECT id FROM app.t")
		rows := map[int]bool{}
		for _, line := range strings.Fields(out) {
			id, atoiErr := strconv.Atoi(line)
			if atoiErr != nil {
				return nil, atoiErr
			}
			rows[id] = true
		}
		return rows, err
	}
}

func (e *environment) variable(t *testing.T, unit, query string) string {
	t.Helper()
	out, err := e.exec(t.Context(), ns, unit, "mysql", "", "mysql", "-N", "-B", "-e", query)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// semiSync is how many replicas acknowledge, and whether they are waited for.
func (e *environment) semiSync(t *testing.T, unit string) string {
	t.Helper()
	return e.variable(t, unit, "SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME) FROM performance_schema.global_status WHERE VARIABLE_NAME IN ('Rpl_semi_sync_source_clients', 'Rpl_semi_sync_source_status')")
}

// sourceOf the Replication.
func (e *environment) sourceOf(t *testing.T) string {
	t.Helper()
	m, err := e.replication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.Status.CurrentSource
}

// oneTakesWrites: exactly one of the members, the source.
func (e *environment) oneTakesWrites(t *testing.T, g group, source string) {
	t.Helper()
	for i := range g.units {
		want := "1"
		if g.unit(i) == source {
			want = "0"
		}
		if got := e.variable(t, g.unit(i), "SELECT @@global.super_read_only"); got != want {
			t.Errorf("%s: super_read_only is %s, want %s: the source is %s", g.unit(i), got, want, source)
		}
	}
}

// applyReplication creates the documentation's Replication, but for what is changed in it.
func (e *environment) applyReplication(t *testing.T, change func(*v1alpha1.MysqlReplication)) {
	t.Helper()
	manifest := documentedReplication(t)
	if change != nil {
		var r v1alpha1.MysqlReplication
		if err := yaml.UnmarshalStrict(manifest, &r); err != nil {
			t.Fatal(err)
		}
		change(&r)
		var err error
		if manifest, err = yaml.Marshal(r); err != nil {
			t.Fatal(err)
		}
	}
	e.applyManifest(t, manifest, "mysqlreplication", mysqlReplication)
}

// applyManifest of one object, which is deleted after the test.
func (e *environment) applyManifest(t *testing.T, manifest []byte, resource, name string) {
	t.Helper()
	cmd := e.kubectlCommand(t.Context(), "apply", "-f", "-")
	cmd.Stdin = bytes.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		if out, err := e.kubectlCommand(ctx, "delete", resource, name, "-n", ns, "--ignore-not-found", patiently).CombinedOutput(); err != nil {
			t.Errorf("kubectl delete: %v\n%s", err, out)
		}
	})
}

// step runs part of a test of the Replication; what follows needs it.
func (e *environment) step(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	if !t.Run(name, f) {
		out, _ := e.kubectlCommand(context.Background(), "describe", "mysqlreplications,postgresreplications", "-n", ns).CombinedOutput()
		t.Fatalf("what follows needs it\n%s", out)
	}
}

// applyReplicating applies the set g with room for more units than three on the bed's nodes.
func (e *environment) applyReplicating(t *testing.T, g group, changes ...func(set *unstructured.Unstructured)) {
	t.Helper()
	e.apply(t, g, append(changes, func(set *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(set.Object, "100m", "spec", "resources", "requests", "cpu"); err != nil {
			t.Fatal(err)
		}
	})...)
	t.Cleanup(func() { e.remove(t, g) })
	e.ready(t, g)
}

// writer is a client of the Service for writes, whose table it makes.
func (e *environment) writer(t *testing.T, g group) *sqlClient {
	t.Helper()
	db := openMySQL(t, e.nodePort(t, ns, mysqlReplication+"-readwrite"), "root", e.secret(t, g, "root"))
	// The nodes learn of the Service a moment after it is there.
	eventually(t, time.Minute, "the Service to lead to the source", db.PingContext)
	// A statement that took longer than a client waits may have been carried out.
	for _, statement := range []string{"CREATE DATABASE IF NOT EXISTS app", "CREATE TABLE IF NOT EXISTS app.t (id INT PRIMARY KEY)", "INSERT IGNORE INTO app.t VALUES (0)"} {
		eventually(t, patience, statement, func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		})
	}
	return writeRows(t, func(ctx context.Context, id int) error {
		_, err := db.ExecContext(ctx, "INSERT INTO app.t VALUES (?)", id)
		return err
	}, 1)
}

func TestMysqlReplication(t *testing.T) {
	e := requireBed(t)
	g := mysqlGroup
	e.applyReplicating(t, g)
	e.applyReplication(t, nil)

	e.step(t, "the document's example converges", func(t *testing.T) {
		e.replicates(t, 4*time.Minute, g.unit(0), g.units)
		e.oneTakesWrites(t, g, g.unit(0))
		t.Log(e.kubectlRun(t, "get", "mr", "-n", ns))
	})
	e.step(t, "it waits for a replica, and both acknowledge", func(t *testing.T) {
		// A replica whose channel was just made is counted when it has connected.
		eventually(t, patience, "both to acknowledge", func(context.Context) error {
			if got := e.semiSync(t, g.unit(0)); got != "2,ON" {
				return fmt.Errorf("clients and status of semi-sync are %s, want 2,ON", got)
			}
			return nil
		})
	})
	e.step(t, "a client writes through the Service", func(t *testing.T) { e.writesThroughTheService(t, g) })
	e.step(t, "acknowledged rows survive what strikes", func(t *testing.T) { e.rowsSurvive(t, e.writtenMySQL(g)) })
	e.step(t, "a replica whose agent crashes leaves the Service for reads with its readiness, the source stays in the one for writes", func(t *testing.T) {
		source := e.sourceOf(t)
		replica := g.unit(0)
		if replica == source {
			replica = g.unit(1)
		}
		mend := e.breakAgent(t, e.pod(t, ns, replica))
		e.servicesFollow(t, replica, false, mysqlReplication+"-readonly")
		mend()
		mend = e.breakAgent(t, e.pod(t, ns, source))
		e.servicesFollow(t, source, false)
		if there, err := e.sendsTo(t.Context(), mysqlReplication+"-readwrite", e.pod(t, ns, source).Status.PodIP); err != nil || !there {
			t.Errorf("the Service for writes does not lead to the source: %v, %v", there, err)
		}
		mend()
		e.servicesFollow(t, source, true, mysqlReplication+"-readwrite")
		e.servicesFollow(t, replica, true, mysqlReplication+"-readonly")
		e.replicates(t, time.Minute, source, g.units)
	})
	e.step(t, "the set grows by one, which replicates by itself", func(t *testing.T) {
		source := e.sourceOf(t)
		e.editReplication(t, func(r *v1alpha1.MysqlReplication) { r.Spec.UnitSet = g.set })
		e.kubectlRun(t, "scale", "unitset", g.set, "-n", ns, "--replicas", strconv.Itoa(g.units+1))
		e.replicates(t, 4*time.Minute, source, g.units+1)
		want, err := e.rowsOf(source)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "the new member to have the source's rows", func(ctx context.Context) error {
			got, err := e.rowsOf(g.unit(g.units))(ctx)
			if err == nil && (len(got) == 0 || !maps.Equal(got, want)) {
				err = fmt.Errorf("%d rows, the source has %d", len(got), len(want))
			}
			return err
		})
	})
}

// writesThroughTheService: what a client writes through the Service is on all members,
// through switchovers and the death of the source.
func (e *environment) writesThroughTheService(t *testing.T, g group) {
	client := e.writer(t, g)
	client.goesOn(t)
	all := func(t *testing.T) {
		t.Helper()
		for i := range g.units {
			client.missing(t, g.unit(i), e.rowsOf(g.unit(i)))
		}
	}
	all(t)
	for _, to := range []int{1, 0} {
		e.step(t, "a switchover to "+g.unit(to), func(t *testing.T) {
			client.look()
			e.editReplication(t, switchTo(g.unit(to)))
			e.replicates(t, 2*time.Minute, g.unit(to), g.units)
			client.goesOn(t)
			rows, gap := client.look()
			t.Logf("%d rows acknowledged so far; the longest gap was %v", rows, gap)
			e.oneTakesWrites(t, g, g.unit(to))
			all(t)
		})
	}
	e.step(t, "a source that is killed comes back as the source with its operator away", func(t *testing.T) {
		e.stopOperator()
		kill(t, g.unit(0), serverProcess("mysql"))
		client.goesOn(t)
		e.restartOperator(t)
		e.replicates(t, 2*time.Minute, g.unit(0), g.units)
		_, gap := client.look()
		t.Logf("the longest gap was %v", gap)
		all(t)
	})
}
