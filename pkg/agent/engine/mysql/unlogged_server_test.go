// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// A replica that follows from the first transaction has nothing of what was there before
// it: its source says that there was something.
func TestDataWithoutGTIDsIsNotReplayedOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		a.spoil("CREATE DATABASE d")
		if m := a.observe().MySQL; m.Executed != "" {
			t.Fatalf("executed %s", m.Executed)
		}
		a.promote(b)
		want := a.uuid + ":1"
		if m := a.observe().MySQL; m.Purged != want || m.Executed != want {
			t.Fatalf("purged %q, executed %q, want %q", m.Purged, m.Executed, want)
		}
		a.promote(b)
		if m := a.observe().MySQL; m.Purged != want {
			t.Errorf("promoted again: purged %q", m.Purged)
		}
		t.Run("and lets no replica begin behind it", func(t *testing.T) {
			b.record = engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Upstream: a.upstream()}
			// The source refuses it before the call returns, or after that.
			if err := b.tryFollow(20*time.Second, ""); err != nil && !errors.Is(err, engine.ErrNotYet) {
				t.Fatal(err)
			}
			b.until("SELECT LAST_ERROR_NUMBER <> 0 FROM performance_schema.replication_connection_status", "1")
			if got := b.observe().MySQL.Channel; !strings.Contains(got.ReceiverError, "purged") {
				t.Errorf("%+v", got)
			}
		})
	})
}
