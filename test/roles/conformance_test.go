// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/conformance"
)

// TestConformanceOfMySQL runs the suite that the simulator's model passes on real servers
// behind real agents.
func TestConformanceOfMySQL(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		s := newSet(t, box, 3, func(index int) map[string]string {
			return map[string]string{"my.cnf": fmt.Sprintf(`[mysqld]
server_id=%d
gtid_mode=ON
enforce_gtid_consistency=ON
log_bin=binlog
innodb_buffer_pool_size=32M
performance_schema=ON
performance_schema_max_table_instances=200
skip_name_resolve=ON
mysqlx=OFF
`, index+1)}
		})
		for _, m := range s.members {
			m.apply()
		}
		conformance.Test(t, &conformanceSet{Client: s.client, set: s})
	})
}

// conformanceSet is the set as the suite sees it.
type conformanceSet struct {
	*agentclient.Client
	set  *set
	rows int
	// schema was made by the first commit.
	schema bool
}

func (c *conformanceSet) Target(i int) agentclient.Target { return c.set.members[i].target() }

func (c *conformanceSet) Upstream(i int) agentclient.Upstream {
	m := c.set.members[i]
	return agentclient.Upstream{Name: m.name, Host: "127.0.0.1", Port: int32(m.sqlPort()), User: channel}
}

func (c *conformanceSet) Channel() agentclient.ChannelAccount { return c.set.account }

func (c *conformanceSet) Fence() agentclient.RoleFence { return c.set.fence() }

func (c *conformanceSet) Raise() { c.set.epoch++ }

func (c *conformanceSet) Kill(i int) { c.set.members[i].restartContainer() }

func (c *conformanceSet) Pass() {
	for _, m := range c.set.members {
		m.kubelet()
	}
	time.Sleep(100 * time.Millisecond)
}

// Commit inserts a row in a session of its own.
func (c *conformanceSet) Commit(i int) conformance.Commit {
	c.rows++
	commit := &rowCommit{set: c.set, row: c.rows, outcome: conformance.Waiting}
	statements := []string{fmt.Sprintf("INSERT INTO app.t VALUES (%d)", c.rows)}
	o, err := c.Observe(context.Background(), c.Target(i))
	if err == nil && o.Answered && !o.ReadOnly && !c.schema {
		c.schema = true
		statements = append([]string{"CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY)"}, statements...)
	}
	ctx := c.set.whole.Context()
	session, err := c.set.members[i].connect(ctx)
	if err != nil {
		commit.tell(conformance.Failed)
		return commit
	}
	go func() {
		defer session.Close()
		for _, s := range statements {
			if err := session.Exec(ctx, s); err != nil {
				commit.tell(conformance.Failed)
				return
			}
		}
		commit.tell(conformance.Acknowledged)
	}()
	return commit
}

// rowCommit is the insertion of a row.
type rowCommit struct {
	set *set
	row int

	mu      sync.Mutex
	outcome conformance.Outcome
}

func (c *rowCommit) tell(outcome conformance.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome = outcome
}

// Outcome implements conformance.Commit.
func (c *rowCommit) Outcome() conformance.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcome
}

// On implements conformance.Commit.
func (c *rowCommit) On(i int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	session, err := c.set.members[i].connect(ctx)
	if err != nil {
		return false
	}
	defer session.Close()
	n, err := session.Int(ctx, fmt.Sprintf("SELECT COUNT(*) FROM app.t WHERE id = %d", c.row))
	return err == nil && n == 1
}
