// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

const count = "SELECT COUNT(*) FROM d.t"

func TestRolesOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 3)
		a, b, c := all[0], all[1], all[2]
		if r := a.observe(); !r.ReadOnly || r.MySQL.Channel != nil || r.MySQL.EventScheduler || r.MySQL.Executed != "" || r.ServerID != a.uuid {
			t.Fatalf("a managed server without a role: %+v", r.MySQL)
		}
		a.promote(b, c)
		b.follow(a)
		c.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)")
		for _, m := range []*member{b, c} {
			m.until(count, "1")
		}

		t.Run("a source waits for its replicas and runs events", func(t *testing.T) {
			a.tend()
			m := a.observe().MySQL
			s := m.SemiSync
			if !s.SourceEnabled || !s.SourceActive || s.ReplicaEnabled || s.WaitFor != 1 || s.Clients != 2 || s.Unacknowledged != 0 {
				t.Errorf("got %+v", s)
			}
			if m.SuperReadOnly || !m.EventScheduler || len(m.DumpThreads) != 2 {
				t.Errorf("got %+v", m)
			}
			if got := a.scalar("SELECT @@rpl_semi_sync_source_timeout"); got != maxWait {
				t.Errorf("timeout %s", got)
			}
		})
		t.Run("the channel's account leaves no transaction", func(t *testing.T) {
			if got := a.observe().MySQL.Executed; got != a.uuid+":1-3" {
				t.Errorf("executed %s", got)
			}
		})
		t.Run("a replica receives, applies and may acknowledge", func(t *testing.T) {
			m := b.observe().MySQL
			want := engine.MySQLChannel{Host: "127.0.0.1", Port: a.port, User: channelAccount.User, SourceUUID: a.uuid,
				Receiving: true, Applying: true, Retrieved: a.uuid + ":1-3", Lag: new(time.Duration)}
			if diff := cmp.Diff(want, *m.Channel); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !m.SuperReadOnly || m.SemiSync.SourceEnabled || !m.SemiSync.ReplicaEnabled || m.EventScheduler {
				t.Errorf("got %+v", m)
			}
		})
		t.Run("a scrape says who acknowledges, and how far a replica is behind", func(t *testing.T) {
			of := func(m *member, name string) (value float64, there bool) {
				samples, err := m.e.Metrics(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range samples {
					if s.Name == name {
						return s.Value, true
					}
				}
				return 0, false
			}
			if n, _ := of(a, "mysql_semi_sync_clients"); n != 2 {
				t.Errorf("%v replicas acknowledge, want 2", n)
			}
			if lag, there := of(b, "mysql_replication_lag_seconds"); lag != 0 || !there {
				t.Errorf("a lag of %v s (known: %v), want 0", lag, there)
			}
		})
		t.Run("a source that is gone is tried for ever", func(t *testing.T) {
			if got := b.scalar("SELECT CONCAT(connection_retry_interval, ' ', connection_retry_count) FROM performance_schema.replication_connection_configuration"); got != "1 0" {
				t.Errorf("interval and count: %s", got)
			}
		})
		t.Run("the channel's password is nowhere in a server", func(t *testing.T) {
			for _, m := range all {
				if got := m.scalar("SELECT GROUP_CONCAT(user_password) FROM mysql.slave_master_info"); got != "" {
					t.Errorf("%s stores %q", m.name, got)
				}
				noPassword(t, m.e.env.DataMount)
				if strings.Contains(m.server.Log(), channelAccount.Password) {
					t.Errorf("the log of %s has it", m.name)
				}
			}
		})
		t.Run("nor in its clone", func(t *testing.T) {
			db, err := b.e.Connect()
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			dir := filepath.Join(enginetest.BoxDir, "clone")
			if _, err := db.ExecContext(t.Context(), "CLONE LOCAL DATA DIRECTORY = "+literal(dir)); err != nil {
				t.Fatal(err)
			}
			noPassword(t, dir)
		})
		t.Run("calls for what is so change nothing", func(t *testing.T) {
			before := strings.Count(b.server.Log(), "CHANGE REPLICATION SOURCE")
			id := b.scalar("SELECT THREAD_ID FROM performance_schema.replication_connection_status")
			for range 5 {
				b.follow(a)
				a.open()
			}
			if did := append(a.tend(), b.tend()...); len(did) > 0 {
				t.Errorf("tending did %q", did)
			}
			if got := b.scalar("SELECT THREAD_ID FROM performance_schema.replication_connection_status"); got != id {
				t.Error("the receiver was restarted")
			}
			if got := strings.Count(b.server.Log(), "CHANGE REPLICATION SOURCE"); got != before {
				t.Errorf("%d changes of the channel, want %d", got, before)
			}
			if got := a.observe().MySQL.Executed; got != a.uuid+":1-3" {
				t.Errorf("executed %s", got)
			}
		})
		t.Run("a source is not made to follow", func(t *testing.T) {
			if err := a.e.Follow(t.Context(), engine.RoleRecord{Upstream: b.upstream()}, channelAccount, ""); err == nil || !strings.Contains(err.Error(), "demote") {
				t.Errorf("got %v", err)
			}
		})
		t.Run("another takes over, and the old source follows it", func(t *testing.T) {
			busy := a.client()
			if _, err := busy.ExecContext(t.Context(), "SET @x = 1"); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if err := a.e.Close(a.context(time.Second)); err != nil {
				t.Fatalf("closing: %v", err)
			}
			t.Logf("closed within %v", time.Since(begun))
			a.record = engine.RoleRecord{Role: engine.RoleIsolated}
			if m := a.observe().MySQL; !m.SuperReadOnly || m.EventScheduler || !m.SemiSync.SourceEnabled || len(m.DumpThreads) != 2 {
				t.Errorf("a closed source: %+v", m)
			}
			if err := busy.PingContext(t.Context()); err != nil {
				t.Logf("a client's session has ended: %v", err)
			}
			b.promote(a, c)
			c.follow(b)
			a.follow(b)
			b.exec("INSERT INTO d.t VALUES (2)")
			for _, m := range all {
				m.until(count, "2")
			}
			if m := a.observe().MySQL; m.SemiSync.SourceEnabled || !m.SemiSync.ReplicaEnabled {
				t.Errorf("the old source: %+v", m.SemiSync)
			}
			if m := b.observe().MySQL; m.Channel == nil || m.Channel.Receiving || m.Channel.Applying {
				t.Errorf("the channel of the new source: %+v", m.Channel)
			}
		})
		t.Run("a source that is killed is durable before it is open again", func(t *testing.T) {
			b.restart()
			m := b.observe().MySQL
			if !m.SuperReadOnly || !m.SemiSync.SourceEnabled || m.SemiSync.WaitFor != 1 || m.EventScheduler {
				t.Errorf("before it is opened: %+v", m)
			}
			b.open()
			b.exec("INSERT INTO d.t VALUES (3)")
			a.until(count, "3")
			if got := b.observe().MySQL.SemiSync.Unacknowledged; got != 0 {
				t.Errorf("%d commits without an acknowledgement", got)
			}
		})
		t.Run("a replica that is killed takes up its channel", func(t *testing.T) {
			c.restart()
			if m := c.observe().MySQL; m.Channel == nil || m.Channel.Receiving || m.Channel.Applying || !m.SemiSync.ReplicaEnabled {
				t.Errorf("before it is tended: %+v", m.Channel)
			}
			containsWords(t, c.tend(), "started the receiver")
			b.exec("INSERT INTO d.t VALUES (4)")
			c.until(count, "4")
		})
		t.Run("an isolated server receives nothing, also after a restart", func(t *testing.T) {
			c.isolate()
			b.exec("INSERT INTO d.t VALUES (5)")
			a.until(count, "5")
			m := c.observe().MySQL
			if m.Channel.Receiving || m.SemiSync.ReplicaEnabled || !m.Channel.Applying {
				t.Errorf("got %+v, %+v", m.Channel, m.SemiSync)
			}
			c.restart()
			containsWords(t, c.tend(), "started the applier")
			c.exec("START REPLICA IO_THREAD USER = 'unit_replication' PASSWORD = " + literal(channelAccount.Password))
			containsWords(t, c.tend(), "stopped the receiver")
			if m := c.observe().MySQL; m.Channel.Receiving || m.SemiSync.ReplicaEnabled {
				t.Errorf("after a restart: %+v", m.Channel)
			}
		})
		t.Run("a receiver that may acknowledge and is no member is cut off", func(t *testing.T) {
			c.follow(b)
			b.record.Durability.Members = []engine.DurabilityMember{{Name: a.name, ServerID: a.uuid}}
			waitFor(t, "its receiver to be cut off", func() (bool, string) {
				did := strings.Join(b.tend(), ", ")
				return strings.Contains(did, "cut off the receiver "+c.uuid), did
			})
			c.record.Acknowledge = false
			c.followRecorded("")
			// Senders whose receiver has left end when they notice it.
			waitFor(t, "one that may not acknowledge to be left alone", func() (bool, string) {
				did := b.tend()
				return len(did) == 0, strings.Join(did, ", ")
			})
			b.exec("INSERT INTO d.t VALUES (100)", "DELETE FROM d.t WHERE i = 100")
			waitFor(t, "it to be sent the binary log, without acknowledging", func() (bool, string) {
				if did := b.tend(); len(did) > 0 {
					return false, strings.Join(did, ", ")
				}
				threads := b.observe().MySQL.DumpThreads
				sent := slices.ContainsFunc(threads, func(d engine.MySQLDumpThread) bool { return d.ServerUUID == c.uuid && !d.Acknowledging })
				return sent && len(threads) == 2, fmt.Sprintf("%+v", threads)
			})
		})
		t.Run("durability changes on an open source", func(t *testing.T) {
			b.record.Durability = engine.Durability{Mode: engine.DurabilityAsync}
			if err := b.e.SetDurability(b.context(10*time.Second), b.record); err != nil {
				t.Fatal(err)
			}
			if s := b.observe().MySQL.SemiSync; s.SourceEnabled {
				t.Errorf("got %+v", s)
			}
			b.exec("INSERT INTO d.t VALUES (6)")
			b.record.Durability = engine.Durability{Mode: engine.DurabilitySync, W: 2}
			if err := b.e.SetDurability(b.context(10*time.Second), b.record); err != nil {
				t.Fatal(err)
			}
			if s := b.observe().MySQL.SemiSync; !s.SourceEnabled || s.WaitFor != 2 {
				t.Errorf("got %+v", s)
			}
		})
		t.Run("an upstream whose certificate another authority has signed is not followed", func(t *testing.T) {
			c.isolate()
			for _, tc := range []struct {
				authority *member
				follows   bool
			}{{c, false}, {b, true}} {
				m := New(c.box.Env(t)).(*Engine)
				m.env.Lookup = withCertificates(t, m.env.Lookup, tc.authority.box.Env(t).DataDir())
				record := engine.RoleRecord{Role: engine.RoleReplica, Upstream: b.upstream()}
				err := m.Follow(c.context(20*time.Second), record, channelAccount, "")
				if (err == nil) != tc.follows {
					t.Errorf("by the authority of %s: %v", tc.authority.name, err)
				}
				// The receiver itself, without the agent's question before it.
				db, _, dbErr := m.controlVersion(c.context(10 * time.Second))
				if dbErr != nil {
					t.Fatal(dbErr)
				}
				if err := execControl(c.context(10*time.Second), db, startReceiver(version{8, 4, 0}, channelAccount)); err != nil {
					t.Fatal(err)
				}
				waitFor(t, "the receiver to get in or not", func() (bool, string) {
					ch := c.observe().MySQL.Channel
					return ch.Receiving == tc.follows && (ch.ReceiverErrorNumber != 0) != tc.follows, ch.ReceiverError
				})
				c.isolate()
			}
			// Without material it takes any certificate again.
			c.follow(b)
			if got := c.scalar("SELECT ssl_ca_file FROM performance_schema.replication_connection_configuration"); got != "" {
				t.Errorf("the authority is %q still", got)
			}
		})
		t.Run("another server at the upstream's address is not followed", func(t *testing.T) {
			c.record.Upstream = a.upstream()
			c.record.Upstream.ServerID = b.uuid
			err := c.tryFollow(10*time.Second, "")
			if err == nil || !strings.Contains(err.Error(), "is the server "+a.uuid) {
				t.Errorf("got %v", err)
			}
			if m := c.observe().MySQL.Channel; m.Receiving {
				t.Errorf("it receives: %+v", m)
			}
		})
	})
}

// withCertificates is a lookup of an environment with certificate material: the authority
// is that of a server which has made its own.
func withCertificates(t *testing.T, lookup func(string) string, data string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.crt", "tls.crt"} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string {
		if name == "CERT_MOUNT" {
			return dir
		}
		return lookup(name)
	}
}

// noPassword fails if a file below dir has the channel's password.
func noPassword(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), channelAccount.Password) {
			t.Errorf("%s has it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
