// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// halfReceived: a transaction whose rest does not come holds up neither the promotion of
// the replica b nor its way to another source. A server that is only asked to stop
// applying waits a minute for the rest.
func halfReceived(t *testing.T, a, b *member) {
	db, v, err := b.e.controlVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.exec("CREATE TABLE d.big (i INT PRIMARY KEY AUTO_INCREMENT, x BLOB)")
	half := func(t *testing.T) (acknowledged <-chan error) {
		t.Helper()
		for range 20 {
			outcome := a.write(`INSERT INTO d.big (x) WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 50)
				SELECT REPEAT('x', 10000) FROM n CROSS JOIN n m`)
			waitFor(t, "a part of the transaction to be received", func() (bool, string) {
				// All of it may be received between two looks.
				received := len(outcome) > 0 || b.scalar("SELECT COUNT(*) FROM performance_schema.replication_connection_status WHERE queueing_transaction <> ''") == "1"
				return received, "nothing is received"
			})
			b.isolate()
			if b.scalar("SELECT COUNT(*) FROM ("+halfApplied+") h") == "1" {
				return outcome
			}
			b.follow(a)
			if err := <-outcome; err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("all of it is received each time")
		return nil
	}
	gets := func(t *testing.T, acknowledged <-chan error) {
		t.Helper()
		b.follow(a)
		select {
		case err := <-acknowledged:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the client waits still")
		}
		executed := a.observe().MySQL.Executed
		b.until("SELECT GTID_SUBSET("+literal(executed)+", @@global.gtid_executed)", "1")
	}
	soon := func(t *testing.T, call func(ctx context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begun := time.Now()
		err := call(ctx)
		t.Logf("%v after %v", err, time.Since(begun))
		if ctx.Err() != nil {
			t.Error("it is held up")
		}
	}
	t.Run("a promotion", func(t *testing.T) {
		acknowledged := half(t)
		soon(t, func(ctx context.Context) error { return endFollowing(ctx, db, v) })
		if m := b.observe().MySQL.Channel; m.Applying || m.ApplierError != "" {
			t.Errorf("the channel is %+v", *m)
		}
		gets(t, acknowledged)
	})
	t.Run("another source", func(t *testing.T) {
		acknowledged := half(t)
		gone := a.upstream()
		gone.Port = unusedPort(t)
		b.record.Role, b.record.Upstream = engine.RoleReplica, gone
		soon(t, func(ctx context.Context) error {
			err := b.e.Follow(ctx, b.record, channelAccount, "")
			if !errors.Is(err, engine.ErrNotYet) {
				t.Errorf("an upstream that is gone is followed: %v", err)
			}
			return err
		})
		if m := b.observe().MySQL.Channel; m.Port != gone.Port {
			t.Errorf("the channel is %+v", *m)
		}
		gets(t, acknowledged)
	})
}
