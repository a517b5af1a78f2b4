// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"
)

func TestPostgreSQL(t *testing.T) {
	e := require(t)
	g := postgresqlGroup
	e.apply(t, g)
	t.Cleanup(func() { e.remove(t, g) })
	e.ready(t, g)

	t.Run("three servers accept the Secret's credentials from another pod", func(t *testing.T) {
		for i := range g.units {
			for _, user := range []string{"postgres", "monitor", "replication"} {
				password := e.secret(t, g, user)
				// The names of new pods are resolved a moment after they are Ready.
				eventually(t, patience, user+" to log in on "+g.host(i), func(ctx context.Context) error {
					got, err := e.psql(ctx, ns, g.unit((i+1)%g.units), g.host(i), "5432", user, password, "SELECT current_user")
					if err == nil && got != user {
						err = fmt.Errorf("it answers %q", got)
					}
					return err
				})
			}
		}
	})

	t.Run("a wrong password is refused", func(t *testing.T) {
		if out, err := e.psql(t.Context(), ns, g.unit(1), g.host(0), "5432", "postgres", "wrong", "SELECT 1"); err == nil {
			t.Errorf("it was accepted: %s", out)
		}
	})

	t.Run("the documented commands work by kubectl exec", func(t *testing.T) {
		for _, sql := range []string{"SELECT 1", "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_stat_database"} {
			e.kubectlRun(t, "exec", "-n", ns, g.unit(0), "--", "psql", "-c", sql)
		}
		e.kubectlRun(t, "exec", "-n", ns, g.unit(0), "--", "curl", "-X", "POST", "http://localhost:8080/health")
		e.kubectlRun(t, "exec", "-n", ns, g.unit(0), "--", "nslookup", g.unit(1))
	})

	t.Run("data checksums are on and nothing but initialisation is in it", func(t *testing.T) {
		got, err := e.exec(t.Context(), ns, g.unit(0), "postgresql", "", "psql", "-X", "-At", "-c", "SHOW data_checksums")
		if err != nil || got != "on" {
			t.Errorf("data_checksums is %q (%v)", got, err)
		}
	})

	t.Run("the documented calls end in Success", func(t *testing.T) {
		e.documentedOnPostgreSQL(t, g)
	})

	t.Run("SIGKILLs of the agents interrupt no session and restart no server", func(t *testing.T) {
		e.agentsKilled(t, g, 30)
	})

	t.Run("an agent that crashes again and again leaves its server alone", func(t *testing.T) {
		e.agentLoops(t, g)
	})

	t.Run("with operator and API server away a killed server comes back by itself", func(t *testing.T) {
		e.serverComesBackAlone(t, g)
	})

	t.Run("after a restart of its node's containers a server serves again by itself", func(t *testing.T) {
		e.nodeRestart(t, g)
	})

	t.Run("a held server stays down through a restart of its node", func(t *testing.T) {
		e.heldThroughNodeRestart(t, g)
	})
}
