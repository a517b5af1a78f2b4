// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

const postgresReplication = "postgresql-cluster-replication"

func (e *environment) pgReplication(ctx context.Context) (*v1alpha1.PostgresReplication, error) {
	return e.upm.UpmV1alpha1().PostgresReplications(ns).Get(ctx, postgresReplication, metav1.GetOptions{})
}

// pgReplicates waits until the Replication is Ready with that primary and so many members.
func (e *environment) pgReplicates(t *testing.T, limit time.Duration, primary string, members int) {
	t.Helper()
	begun := time.Now()
	eventually(t, limit, fmt.Sprintf("%d members to replicate from %s", members, primary), func(ctx context.Context) error {
		r, err := e.pgReplication(ctx)
		if err != nil {
			return err
		}
		s := r.Status
		if s.ObservedGeneration != r.Generation || s.CurrentPrimary != primary || len(s.Topology) != members || !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ReplicationReady) {
			return fmt.Errorf("primary %q, %d members, generation %d of %d: %s", s.CurrentPrimary, len(s.Topology), s.ObservedGeneration, r.Generation, sentence(s.Conditions))
		}
		return nil
	})
	t.Logf("%s is the primary of %d members after %.1fs", primary, members, time.Since(begun).Seconds())
}

// editPgReplication as a user does.
func (e *environment) editPgReplication(t *testing.T, change func(*v1alpha1.PostgresReplication)) {
	t.Helper()
	eventually(t, time.Minute, "the edit to be taken", func(ctx context.Context) error {
		r, err := e.pgReplication(ctx)
		if err != nil {
			return err
		}
		change(r)
		_, err = e.upm.UpmV1alpha1().PostgresReplications(ns).Update(ctx, r, metav1.UpdateOptions{})
		return err
	})
}

// promoteBySpec makes another member the primary.
func promoteBySpec(name string) func(*v1alpha1.PostgresReplication) {
	return func(r *v1alpha1.PostgresReplication) {
		for i := range r.Spec.Standby {
			if m := &r.Spec.Standby[i]; m.Name == name {
				r.Spec.Primary, m.PostgresReplicationMember = m.PostgresReplicationMember, r.Spec.Primary
				return
			}
		}
	}
}

// pgSays is what a member's server answers, asked in its own pod.
func (e *environment) pgSays(ctx context.Context, unit, query string) (string, error) {
	return e.exec(ctx, ns, unit, "postgresql", "", "psql", "-X", "-At", "-d", "postgres", "-c", query)
}

// pgRowsOf a member.
func (e *environment) pgRowsOf(unit string) func(context.Context) (map[int]bool, error) {
	return func(ctx context.Context) (map[int]bool, error) {
		out, err := e.pgSays(ctx, unit, "SELECT id FROM app.t")
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

// onePrimary: exactly one of the members is out of recovery.
func (e *environment) onePrimary(t *testing.T, g group, primary string) {
	t.Helper()
	for i := range g.units {
		want := "t"
		if g.unit(i) == primary {
			want = "f"
		}
		if got, err := e.pgSays(t.Context(), g.unit(i), "SELECT pg_is_in_recovery()"); err != nil || got != want {
			t.Errorf("%s: in recovery %q (%v), want %s: the primary is %s", g.unit(i), got, err, want, primary)
		}
	}
}

// pgClient is one session that is renewed after an error.
type pgClient struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
	// unreplicated: the server let a commit through without the standbys that it should have
	// waited for, as its warning says.
	unreplicated bool
}

// openPostgreSQL is a client of the Service for writes, by whichever of the addresses serves.
func openPostgreSQL(t *testing.T, addresses, user, password string) *pgClient {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://" + addresses + "/postgres?sslmode=prefer&target_session_attrs=read-write")
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password, config.ConnectTimeout = user, password, statementTimeout
	// A node that is away leaves the time for the others.
	config.DialFunc = (&net.Dialer{Timeout: statementTimeout / 5}).DialContext
	c := &pgClient{config: config}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { c.unreplicated = c.unreplicated || n.Code == "01000" }
	return c
}

func (c *pgClient) exec(ctx context.Context, statement string, args ...any) (err error) {
	if c.conn == nil {
		if c.conn, err = pgx.ConnectConfig(ctx, c.config); err != nil {
			return err
		}
	}
	c.unreplicated = false
	_, err = c.conn.Exec(ctx, statement, args...)
	if err == nil && c.unreplicated {
		err = errors.New("the commit was not replicated, as its warning says")
	}
	if err != nil {
		c.close()
	}
	return err
}

func (c *pgClient) close() {
	if c.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.conn.Close(ctx)
		c.conn = nil
	}
}

// pgWriter is a client of the Service for writes, whose table it makes; first is its first row.
func (e *environment) pgWriter(t *testing.T, g group, first int) *sqlClient {
	t.Helper()
	c := openPostgreSQL(t, strings.Join(e.nodePorts(t, ns, postgresReplication+"-readwrite"), ","), "postgres", e.secret(t, g, "postgres"))
	t.Cleanup(c.close)
	for _, statement := range []string{"CREATE SCHEMA IF NOT EXISTS app", "CREATE TABLE IF NOT EXISTS app.t (id int PRIMARY KEY)", "INSERT INTO app.t VALUES (0) ON CONFLICT DO NOTHING"} {
		eventually(t, patience, statement, func(ctx context.Context) error { return c.exec(ctx, statement) })
	}
	return writeRows(t, func(ctx context.Context, id int) error { return c.exec(ctx, "INSERT INTO app.t VALUES ($1)", id) }, first)
}

// onVolume has a set's data on a volume: the documentation's set of PostgreSQL has it on an
// emptyDir, which is on its node's disk, whose power does not fail.
func onVolume(set *unstructured.Unstructured) {
	places, _, _ := unstructured.NestedSlice(set.Object, "spec", "emptyDir")
	var kept []any
	for _, place := range places {
		if place.(map[string]any)["name"] != "data" {
			kept = append(kept, place)
		}
	}
	_ = unstructured.SetNestedSlice(set.Object, kept, "spec", "emptyDir")
	_ = unstructured.SetNestedSlice(set.Object, []any{map[string]any{
		"name": "data", "mountPath": "/DATA_MOUNT", "size": "10Gi", "storageClassName": "standard",
	}}, "spec", "storages")
}

func TestPostgresReplication(t *testing.T) {
	e := requireBed(t)
	g := postgresqlGroup
	e.applyReplicating(t, g, onVolume)
	e.applyManifest(t, documentedExample(t, "PostgresReplication", postgresReplication, "postgresreplication.yaml"), "postgresreplication", postgresReplication)

	e.step(t, "the document's example converges", func(t *testing.T) {
		e.pgReplicates(t, 4*time.Minute, g.unit(0), g.units)
		e.onePrimary(t, g, g.unit(0))
		t.Log(e.kubectlRun(t, "get", "pr", "-n", ns))
	})
	e.step(t, "commits wait for a standby, and both are counted", func(t *testing.T) {
		eventually(t, patience, "both to be counted", func(ctx context.Context) error {
			const query = "SELECT (SELECT setting FROM pg_settings WHERE name = 'synchronous_standby_names') LIKE 'ANY 1 (%', count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
			got, err := e.pgSays(ctx, g.unit(0), query)
			if err == nil && got != "t|2" {
				err = fmt.Errorf("synchronous_standby_names is ANY 1, and standbys of its quorum: %s, want t|2", got)
			}
			return err
		})
	})
	e.step(t, "a client writes through the Service", func(t *testing.T) { e.pgWritesThroughTheService(t, g) })
	e.step(t, "acknowledged rows survive what strikes", func(t *testing.T) { e.rowsSurvive(t, e.writtenPostgreSQL(g)) })
	e.step(t, "the set grows by one, which replicates by itself", func(t *testing.T) {
		r, err := e.pgReplication(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		primary := r.Status.CurrentPrimary
		client := e.pgWriter(t, g, 1_000_000)
		client.goesOn(t)
		e.editPgReplication(t, func(r *v1alpha1.PostgresReplication) { r.Spec.UnitSet = g.set })
		e.kubectlRun(t, "scale", "unitset", g.set, "-n", ns, "--replicas", strconv.Itoa(g.units+1))
		e.pgReplicates(t, 4*time.Minute, primary, g.units+1)
		want, err := e.pgRowsOf(primary)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client.end()
		eventually(t, time.Minute, "the new member to have the primary's rows", func(ctx context.Context) error {
			got, err := e.pgRowsOf(g.unit(g.units))(ctx)
			maps.DeleteFunc(got, func(id int, _ bool) bool { return !want[id] })
			if err == nil && (len(got) == 0 || !maps.Equal(got, want)) {
				err = fmt.Errorf("%d rows, the primary has %d", len(got), len(want))
			}
			return err
		})
	})
}

// pgWritesThroughTheService: what a client writes through the Service is on all members,
// through switchovers, the death of the primary, and a failover.
func (e *environment) pgWritesThroughTheService(t *testing.T, g group) {
	client := e.pgWriter(t, g, 1)
	client.goesOn(t)
	all := func(t *testing.T) {
		t.Helper()
		for i := range g.units {
			client.missing(t, g.unit(i), e.pgRowsOf(g.unit(i)))
		}
	}
	all(t)
	for _, to := range []int{1, 0} {
		e.step(t, "a switchover to "+g.unit(to), func(t *testing.T) {
			client.look()
			e.editPgReplication(t, promoteBySpec(g.unit(to)))
			e.pgReplicates(t, 2*time.Minute, g.unit(to), g.units)
			client.goesOn(t)
			rows, gap := client.look()
			t.Logf("%d rows acknowledged so far; the longest gap was %v", rows, gap)
			e.onePrimary(t, g, g.unit(to))
			all(t)
		})
	}
	e.step(t, "a primary that is killed comes back as the primary with its operator away", func(t *testing.T) {
		e.stopOperator()
		kill(t, g.unit(0), serverProcess("postgresql"))
		client.goesOn(t)
		e.restartOperator(t)
		e.pgReplicates(t, 2*time.Minute, g.unit(0), g.units)
		_, gap := client.look()
		t.Logf("the longest gap was %v", gap)
		all(t)
	})
	e.step(t, "a primary whose node loses power is replaced, and comes back as a standby", func(t *testing.T) {
		e.editPgReplication(t, func(r *v1alpha1.PostgresReplication) {
			r.Spec.Failover = &v1alpha1.ReplicationFailover{Enabled: true, DelaySeconds: new(int32(failoverDelay)), MinimumIntervalSeconds: new(int32(0))}
		})
		e.pgReplicates(t, time.Minute, g.unit(0), g.units)
		node, err := e.nodeOf(t.Context(), g.unit(0))
		if err != nil {
			t.Fatal(err)
		}
		client.look()
		if err := e.bedNode(t.Context(), "stop", node); err != nil {
			t.Fatal(err)
		}
		var primary string
		eventually(t, time.Minute, "another member to be the primary", func(ctx context.Context) error {
			r, err := e.pgReplication(ctx)
			if err == nil && (r.Status.CurrentPrimary == g.unit(0) || r.Status.Operation != nil) {
				err = fmt.Errorf("the primary is %s: %s", r.Status.CurrentPrimary, sentence(r.Status.Conditions))
			}
			if err == nil {
				primary = r.Status.CurrentPrimary
			}
			return err
		})
		client.goesOn(t)
		_, gap := client.look()
		t.Logf("%s is the primary; the longest gap was %v", primary, gap)
		e.node(t, "start", node)
		e.pgReplicates(t, 4*time.Minute, primary, g.units)
		e.onePrimary(t, g, primary)
		all(t)
	})
}
