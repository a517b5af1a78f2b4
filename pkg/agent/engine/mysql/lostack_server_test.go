// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// channelAddress of a source is one by which replicas alone come: packets that are sent to
// it are lost, and those that come from it, and clients', are not.
const channelAddress = "127.0.0.2"

// cutDumps ends the connections of all replicas at the source's end.
func (m *member) cutDumps() {
	m.t.Helper()
	const dumps = "SELECT COALESCE(MIN(ID), 0) FROM performance_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
	for {
		id := m.scalar(dumps)
		if id == "0" {
			return
		}
		m.exec("KILL " + id)
		m.until(fmt.Sprintf("SELECT COUNT(*) FROM performance_schema.processlist WHERE ID = %s", id), "0")
	}
}

func TestALostAcknowledgementFreesItselfOnRealServer(t *testing.T) {
	enginetest.EachOnNetwork(t, "mysql", func(t *testing.T, box *enginetest.Box, network *enginetest.Network) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		a.promote(b)
		b.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.record.Upstream.Host = channelAddress
		b.followRecorded(a.observe().MySQL.Executed)
		// Acknowledged by the receiver at that address: it is sent the binary log.
		a.exec("CREATE DATABASE e")

		network.Drop(t, channelAddress)
		outcome := a.waiting(1)
		b.until(count, "1")
		pending(t, outcome)
		// The acknowledgement would be sent again: the connection breaks before it is.
		a.cutDumps()
		network.Pass(t, channelAddress)
		waitFor(t, "the replica to be back", func() (bool, string) {
			r, s := b.observe().MySQL.Channel, a.observe().MySQL.SemiSync
			return r.Receiving && s.Clients >= 1, r.ReceiverError
		})
		// It has the transaction: by itself it never acknowledges it.
		time.Sleep(2 * time.Second)
		pending(t, outcome)
		before := a.observe().MySQL.Executed

		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		begun, committed := time.Now(), 0
		for {
			committed += len(a.tend())
			select {
			case err := <-outcome:
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("freed after %v by %d transactions", time.Since(begun), committed)
				if committed != 1 {
					t.Errorf("%d empty transactions, want 1", committed)
				}
				a.exec("INSERT INTO d.t VALUES (2)")
				b.until(count, "2")
				if got := a.observe().MySQL; got.SemiSync.Unacknowledged != 0 {
					t.Errorf("executed %s before, %s now, %d without an acknowledgement", before, got.Executed, got.SemiSync.Unacknowledged)
				}
				return
			case <-ticker.C:
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatal("the client waits still")
			}
		}
	})
}
