// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func TestReplicationMetricsAreThoseOfTheRole(t *testing.T) {
	channel := func(edit func(*engine.MySQLChannel)) *engine.MySQLChannel {
		c := &engine.MySQLChannel{Receiving: true, Applying: true, Lag: new(1500 * time.Millisecond)}
		edit(c)
		return c
	}
	semiSync := engine.MySQLSemiSync{SourceEnabled: true, WaitFor: 1, Clients: 2, WaitingSessions: 3, Unacknowledged: 4}
	for name, tc := range map[string]struct {
		of   engine.MySQLReplication
		want map[string]float64
	}{
		"a server of its own": {},
		"a source that waits, and was a replica": {
			engine.MySQLReplication{SemiSync: semiSync, Channel: &engine.MySQLChannel{}},
			map[string]float64{"mysql_semi_sync_clients": 2, "mysql_semi_sync_wait_for": 1, "mysql_semi_sync_waiting_sessions": 3, "mysql_semi_sync_unacknowledged_total": 4},
		},
		"a replica that has applied all": {
			engine.MySQLReplication{SuperReadOnly: true, Channel: channel(func(*engine.MySQLChannel) {})},
			map[string]float64{"mysql_replication_receiving": 1, "mysql_replication_applying": 1, "mysql_replication_lag_seconds": 0},
		},
		"a replica that is behind": {
			engine.MySQLReplication{SuperReadOnly: true, Channel: channel(func(c *engine.MySQLChannel) { c.Unapplied = "u:1-9" })},
			map[string]float64{"mysql_replication_receiving": 1, "mysql_replication_applying": 1, "mysql_replication_lag_seconds": 1.5},
		},
		"a replica that does not receive does not know": {
			engine.MySQLReplication{SuperReadOnly: true, Channel: channel(func(c *engine.MySQLChannel) { c.Receiving, c.Lag = false, nil })},
			map[string]float64{"mysql_replication_receiving": 0, "mysql_replication_applying": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got map[string]float64
			for _, s := range replicationMetrics(tc.of) {
				if got == nil {
					got = map[string]float64{}
				}
				got[s.Name] = s.Value
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
