// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// durability of the Replication, as its status has it last: how many of how many members
// acknowledge each commit.
func (e *environment) durability(ctx context.Context) (string, error) {
	r, err := e.replication(ctx)
	if err != nil {
		return "", err
	}
	if len(r.Status.Durability) == 0 {
		return "none", nil
	}
	last := r.Status.Durability[len(r.Status.Durability)-1]
	return fmt.Sprintf("%d of %d", last.W, len(last.Members)), nil
}

// unacknowledged is how many commits the source has let through without waiting.
func (e *environment) unacknowledged(t *testing.T, unit string) string {
	t.Helper()
	return e.variable(t, unit, "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_no_tx'")
}

// One member, two and five, by one command: commits neither wait for nobody for ever, nor
// are they let through without a word.
func TestAMysqlReplicationGrowsFromOneMemberToFive(t *testing.T) {
	e := requireBed(t)
	g := mysqlGroup
	g.units = 1
	e.applyReplicating(t, g, units(1))
	e.applyReplication(t, func(r *v1alpha1.MysqlReplication) {
		r.Spec.UnitSet, r.Spec.Replica = g.set, []v1alpha1.MysqlReplicaMember{}
	})
	source := g.unit(0)
	e.replicates(t, 4*time.Minute, source, 1)
	client := e.writer(t, g)

	// waits until so many acknowledge, and asks the server whether it is so.
	waits := func(t *testing.T, durability, replicas, semiSync string) {
		t.Helper()
		eventually(t, 2*time.Minute, durability+" to be recorded", func(ctx context.Context) error {
			got, err := e.durability(ctx)
			if err == nil && got != durability {
				err = fmt.Errorf("%s acknowledge, the server says %s", got, e.semiSync(t, source))
			}
			return err
		})
		// It is in force after it is recorded.
		eventually(t, time.Minute, durability+" to be in force", func(context.Context) error {
			if got := e.semiSync(t, source); got != semiSync {
				return fmt.Errorf("clients and status of semi-sync are %s, want %s", got, semiSync)
			}
			if got := e.variable(t, source, "SELECT @@global.rpl_semi_sync_source_wait_for_replica_count"); got != replicas {
				return fmt.Errorf("commits wait for %s replicas, want %s", got, replicas)
			}
			return nil
		})
		client.goesOn(t)
	}
	e.step(t, "one member is waited for by nobody, and the status says so", func(t *testing.T) {
		client.goesOn(t)
		eventually(t, patience, "0 of 0 to be recorded and in force", func(ctx context.Context) error {
			got, err := e.durability(ctx)
			if semiSync := e.semiSync(t, source); err == nil && (got != "0 of 0" || semiSync != "0,OFF") {
				err = fmt.Errorf("%s acknowledge, clients and status of semi-sync are %s, want 0,OFF", got, semiSync)
			}
			return err
		})
		t.Log(e.kubectlRun(t, "get", "mr", "-n", ns))
	})
	let := ""
	for _, step := range []struct {
		units                          int
		durability, replicas, semiSync string
	}{
		{2, "1 of 1", "1", "1,ON"},
		{5, "2 of 4", "2", "4,ON"},
	} {
		e.step(t, fmt.Sprintf("it grows to %d under a client that writes", step.units), func(t *testing.T) {
			client.look()
			e.kubectlRun(t, "scale", "unitset", g.set, "-n", ns, "--replicas", strconv.Itoa(step.units))
			e.replicates(t, 5*time.Minute, source, step.units)
			waits(t, step.durability, step.replicas, step.semiSync)
			rows, gap := client.look()
			t.Logf("%d rows acknowledged so far; the longest gap was %v", rows, gap)
			for i := range step.units {
				client.missing(t, g.unit(i), e.rowsOf(g.unit(i)))
			}
			now := e.unacknowledged(t, source)
			if let != "" && now != let {
				t.Errorf("%s commits were let through, and %s when the second member had come", now, let)
			}
			let = now
		})
	}
}
