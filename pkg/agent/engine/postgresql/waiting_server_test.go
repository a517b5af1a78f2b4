// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// A client whose commit waits for a standby gets an error, never OK, however the
// server ends, and what comes back is what the record says.
func TestWaitingCommitsOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		m := newMember(t, box, "waits", 5440)
		record := asSource(engine.DurabilitySync, 1, "absent")
		const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
		m.source(record)
		if _, err := m.e.Tend(m.ctx(), record, channelAccount); err != nil {
			t.Errorf("the agent waits for a standby: %v", err)
		}
		for _, tc := range []struct {
			name string
			end  func()
		}{
			{"fast", func() { m.stop(engine.StopFence) }},
			{"immediate", func() {
				if err := syscall.Kill(m.server.Pid(), syscall.SIGQUIT); err != nil {
					t.Fatal(err)
				}
				m.server.Exit()
				m.gone()
			}},
			{"SIGKILL", m.kill},
		} {
			t.Run(tc.name, func(t *testing.T) {
				done := make(chan error, 3)
				for range cap(done) {
					conn := m.client()
					go func() { done <- writes(t.Context(), conn) }()
				}
				m.eventually("not all of them wait", func() bool { return m.value(waiting) == "3" })
				tc.end()
				for range cap(done) {
					if err := <-done; err == nil {
						t.Error("a commit that no standby has was acknowledged")
					}
				}
				// As the source it has its durability in force before the first client.
				m.start(record)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := m.client()
				go func() { done <- writes(ctx, first) }()
				m.eventually("the first client's commit does not wait", func() bool { return m.value(waiting) == "1" })
				cancel()
				if err := <-done; err == nil {
					t.Error("the first client's commit was acknowledged")
				}
			})
		}
		m.kill()
		m.start(asIsolated)
		m.isolated()
		m.server.Stop()
	})
}

// writes commits something.
func writes(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'test', 'x')")
	return err
}
