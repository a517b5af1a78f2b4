// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
)

func TestRolesOfMySQL(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		s := newSet(t, box, 3, mysqlFiles)
		story(t, s, "CREATE DATABASE app", func(*testing.T, *set) {})
	})
}

func TestRolesOfPostgreSQL(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		s := newSet(t, box, 3, postgresqlFiles)
		story(t, s, "CREATE SCHEMA app", copyPrimary)
	})
}

func mysqlFiles(index int) map[string]string {
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
}

func postgresqlFiles(int) map[string]string {
	return map[string]string{"postgresql.conf": "shared_buffers = 16MB\nlisten_addresses = '127.0.0.1'\nwal_level = replica\nmax_wal_senders = 8\nmax_replication_slots = 8\nhot_standby = on\nwal_log_hints = on\n"}
}

// copyPrimary gives the others the stopped primary's data: making standbys is not what
// is tried here.
func copyPrimary(t *testing.T, s *set) {
	t.Helper()
	source := s.members[0]
	held := source.apply(func(r *agentclient.ApplyRequest) { r.StartupHold = true })
	source.until("it is down", func(o *agentclient.Observation) bool {
		return o.Status.StopProof != nil && o.Status.StopProof.Order >= held.HoldsOrder
	})
	for _, m := range s.members[1:] {
		m.kill()
		must(t, os.RemoveAll(m.env.DataMount))
		must(t, os.Mkdir(m.env.DataMount, 0o700))
		out, err := exec.Command("cp", "-a", source.env.DataDir(), filepath.Join(m.env.DataMount, "data")).CombinedOutput()
		if err != nil {
			t.Fatalf("copying: %v: %s", err, out)
		}
		m.newPod()
		m.apply()
	}
	source.apply()
	source.until("it is open again", func(o *agentclient.Observation) bool { return o.Answered && !o.ReadOnly })
}

// story is what a Replication does with its members, one step after the other. schema
// makes app; join readies the members that are to follow.
func story(t *testing.T, s *set, schema string, join func(*testing.T, *set)) {
	u0, u1, u2 := s.members[0], s.members[1], s.members[2]
	for _, m := range s.members {
		m.apply()
	}
	step := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			s.t = t
			defer func() { s.t = s.whole }()
			f(t)
		})
		if t.Failed() {
			t.FailNow()
		}
	}

	step("a managed unit without a role takes no writes", func(t *testing.T) {
		for _, m := range s.members {
			if o := m.observe(); o.Answered && !o.ReadOnly {
				t.Errorf("%s is open", m.name)
			}
		}
	})
	step("promote opens the source", func(t *testing.T) {
		u0.promote(agentclient.Durability{})
		for _, statement := range []string{schema, "CREATE TABLE app.t (id INT PRIMARY KEY)"} {
			must(t, u0.exec(statement))
		}
		u0.mustWrite(t, 1)
	})
	join(t, s)
	step("two follow", func(t *testing.T) {
		u1.follow(u0)
		u2.follow(u0)
		for _, m := range []*member{u1, u2} {
			m.gets(t, 1)
			m.mustNotWrite(t, 2)
		}
	})
	durable := func(source *member) agentclient.Durability {
		d := agentclient.Durability{Sync: true, W: 1}
		for _, m := range s.members {
			if m != source {
				d.Members = append(d.Members, agentclient.DurabilityMember{Name: m.name, ServerID: serverID(m)})
			}
		}
		return d
	}
	step("a synchronous source acknowledges what a replica has", func(t *testing.T) {
		u0.promote(durable(u0))
		u0.takesWrites(t, 3)
		u1.gets(t, 3)
	})
	step("stale and foreign calls change nothing", func(t *testing.T) { refusals(t, s) })
	step("a doubled call changes nothing", func(t *testing.T) {
		f := agentclient.PromoteRequest{Fence: s.fence(), Durability: durable(u0), Open: true, Channel: s.account}
		for range 3 {
			retry(s, "promote", func(ctx context.Context) (*agentclient.Observation, error) {
				return s.client.Promote(ctx, u0.target(), f)
			})
		}
		u0.mustWrite(t, 4)
	})
	step("another password of the channels is given to the source and then to the replicas", func(t *testing.T) {
		s.account.Password, s.account.ID = "another password, 32 characters.", "the second"
		u0.promote(durable(u0))
		for _, m := range []*member{u1, u2} {
			m.follow(u0)
		}
		for _, m := range s.members {
			if got := m.observe().Status.Record.ChannelID; got != s.account.ID {
				t.Errorf("%s has the account %q in force, want %q", m.name, got, s.account.ID)
			}
		}
		// They log in with it the next time.
		u2.restartContainer()
		u2.until("it follows", following)
		u0.takesWrites(t, 40)
		u2.gets(t, 40)
	})
	step("containers that restart resume their roles without the operator", func(t *testing.T) {
		u1.restartContainer()
		u1.until("it follows", following)
		u0.restartContainer()
		u0.takesWrites(t, 5)
		u1.gets(t, 5)
		u2.gets(t, 5)
	})
	step("an agent that restarts breaks no session", func(t *testing.T) {
		c, err := u0.connect(t.Context())
		must(t, err)
		defer c.Close()
		before := session(t, u0, c)
		u0.restartAgent()
		u0.until("its agent answers", func(o *agentclient.Observation) bool { return o.Answered })
		if after := session(t, u0, c); after != before {
			t.Errorf("session %d became %d", before, after)
		}
	})
	step("a switchover moves the writes", func(t *testing.T) {
		u0.demote()
		u0.mustNotWrite(t, 6)
		u1.gets(t, 5)
		u1.promote(agentclient.Durability{})
		u0.follow(u1)
		u2.follow(u1)
		u1.promote(durable(u1))
		u1.takesWrites(t, 7)
		u0.gets(t, 7)
		u2.gets(t, 7)
		u0.mustNotWrite(t, 8)
	})
	step("an isolated member receives nothing, after a restart too", func(t *testing.T) {
		o := u2.isolate()
		if following(o) {
			t.Fatalf("it has a receiver: %+v %+v", o.MySQL, o.PostgreSQL)
		}
		u2.restartContainer()
		u2.until("it answers", func(o *agentclient.Observation) bool { return o.Answered && o.ReadOnly })
		u1.mustWrite(t, 9)
		u0.gets(t, 9)
		if there, err := u2.has(9); there || err != nil {
			t.Errorf("row 9 is there: %v, %v", there, err)
		}
		u2.follow(u1)
		u2.gets(t, 9)
	})
	step("a fence is proven within ten seconds on a server that hangs", func(t *testing.T) {
		u2.killServer(syscall.SIGSTOP)
		if took := u2.fenced(); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		u2.hold(false)
		u2.until("it follows", following)
	})
	step("a new pod takes no writes before its role has come", func(t *testing.T) {
		u1.newPod()
		u1.apply()
		u1.until("it waits for its role or is read-only", func(o *agentclient.Observation) bool {
			if o.Answered && !o.ReadOnly {
				t.Fatal("it is open")
			}
			return o.Status.State == agentclient.StateWaiting || o.Answered
		})
		u1.promote(durable(u1))
		u1.takesWrites(t, 10)
		u0.gets(t, 10)
	})
	step("released members go on as they were", func(t *testing.T) {
		for _, m := range s.members {
			o := m.release()
			record := o.Status.Record
			if record == nil || !record.Released {
				t.Errorf("%s: record %+v", m.name, record)
			}
			m.apply(func(r *agentclient.ApplyRequest) {
				r.Owner, r.Generation = "", 2
				r.Released = &agentclient.Released{ReplicationUID: owner, Role: record.Role, Upstream: record.Upstream}
			})
		}
		u1.mustWrite(t, 11)
		u0.gets(t, 11)
		u0.mustNotWrite(t, 12)
		u0.restartContainer()
		u0.until("it follows", following)
		u1.restartContainer()
		u1.takesWrites(t, 13)
		u0.gets(t, 13)
		u0.mustNotWrite(t, 14)
	})
	step("who was released takes no calls of its former owner", func(t *testing.T) {
		_, err := s.client.Demote(t.Context(), u1.target(), s.fence())
		if !agentclient.IsStaleFence(err) {
			t.Errorf("it did: %v", err)
		}
	})
}

// refusals tries calls that nobody may make.
func refusals(t *testing.T, s *set) {
	u0 := s.members[0]
	for name, change := range map[string]func(*agentclient.Target, *agentclient.RoleFence){
		"another Replication": func(_ *agentclient.Target, f *agentclient.RoleFence) { f.ReplicationUID, f.Epoch = "other", 99 },
		"an older epoch":      func(_ *agentclient.Target, f *agentclient.RoleFence) { f.Epoch-- },
		"an older term":       func(_ *agentclient.Target, f *agentclient.RoleFence) { f.Term-- },
		"an older call":       func(_ *agentclient.Target, f *agentclient.RoleFence) { f.Seq = 1 },
		"another pod":         func(target *agentclient.Target, _ *agentclient.RoleFence) { target.PodUID = "gone" },
	} {
		target, fence := u0.target(), s.fence()
		change(&target, &fence)
		if _, err := s.client.Demote(t.Context(), target, fence); err == nil || agentclient.IsUnavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := u0.write(100); err != nil {
		t.Errorf("after the refusals the source takes no writes: %v", err)
	}
}

// following says whether the member receives.
func following(o *agentclient.Observation) bool {
	switch {
	case o.MySQL != nil:
		return o.MySQL.Channel != nil && o.MySQL.Channel.Receiving
	case o.PostgreSQL != nil:
		return o.PostgreSQL.Receiver != nil && o.PostgreSQL.Receiver.Status == "streaming"
	}
	return false
}

// serverID by which MySQL knows a member that acknowledges.
func serverID(m *member) string { return m.observe().ServerID }

// session identifies the client's session.
func session(t *testing.T, m *member, c client) int {
	t.Helper()
	query := "SELECT pg_catalog.pg_backend_pid()"
	if m.env.Type == "mysql" {
		query = "SELECT CONNECTION_ID()"
	}
	id, err := c.Int(t.Context(), query)
	must(t, err)
	return id
}
