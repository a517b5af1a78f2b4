// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
)

// fenceTime is how long a fence may take, from the call to the proof.
const fenceTime = 10 * time.Second

func TestAFenceIsProvenOnADataVolumeOfMySQLThatHangs(t *testing.T) {
	enginetest.EachOnVolume(t, "mysql", func(t *testing.T, box *enginetest.Box, volume *enginetest.Volume) {
		fencedOnAHangingVolume(t, newSetOn(t, box, volume.Dir, 1, mysqlFiles), volume, "CREATE DATABASE app")
	})
}

func TestAFenceIsProvenOnADataVolumeOfPostgreSQLThatHangs(t *testing.T) {
	enginetest.EachOnVolume(t, "postgresql", func(t *testing.T, box *enginetest.Box, volume *enginetest.Volume) {
		fencedOnAHangingVolume(t, newSetOn(t, box, volume.Dir, 1, postgresqlFiles), volume, "CREATE SCHEMA app")
	})
}

// fencedOnAHangingVolume fences a source whose clients write, while its volume hangs:
// what says that it is down must not have touched the volume, for nothing on it answers.
func fencedOnAHangingVolume(t *testing.T, s *set, volume *enginetest.Volume, schema string) {
	u := s.members[0]
	u.apply()
	u.promote(agentclient.Durability{})
	for _, statement := range []string{schema, "CREATE TABLE app.t (id INT PRIMARY KEY)"} {
		must(t, u.exec(statement))
	}
	w := u.startWriter(t)
	w.goesOn(t)

	volume.Hang(t)
	w.stuck(t)
	begun := time.Now()
	order := u.hold(true).HoldsOrder
	acknowledged := time.Since(begun)
	proven := func(o *agentclient.Observation) bool {
		return o.Status.StopProof != nil && o.Status.StopProof.Order >= order
	}
	proof := u.until("its fence is proven", proven).Status.StopProof
	took := time.Since(begun)
	t.Logf("acknowledged after %v, proven after %v, reported after %v: %s", acknowledged, proof.At.Sub(begun), took, proof.How)
	if took > fenceTime {
		t.Errorf("the fence was acknowledged after %v and proven after %v, want at most %v", acknowledged, took, fenceTime)
	}

	// An agent that starts while the volume hangs knows it too.
	begun = time.Now()
	u.restartAgent()
	u.until("its fence is proven by another agent", proven)
	if took := time.Since(begun); took > fenceTime {
		t.Errorf("a new agent reports the proof after %v, want at most %v", took, fenceTime)
	}
	last := w.acknowledged.Load()

	volume.Resume(t)
	select {
	case err := <-w.ended:
		if err == nil {
			t.Error("the client's last write has succeeded")
		}
	case <-time.After(patience):
		t.Fatal("the client still waits")
	}
	if now := w.acknowledged.Load(); now != last {
		t.Errorf("row %d was acknowledged after the proof, which was made at row %d", now, last)
	}
	u.until("it is held", func(o *agentclient.Observation) bool { return proven(o) && o.Status.State == agentclient.StateHeld })
	u.hold(false)
	u.until("it is open again", func(o *agentclient.Observation) bool { return o.Answered && !o.ReadOnly })
	c, err := u.connect(t.Context())
	must(t, err)
	defer c.Close()
	n, err := c.Int(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM app.t WHERE id <= %d", last))
	must(t, err)
	if int64(n) != last {
		t.Errorf("of %d acknowledged rows %d are there", last, n)
	}
	u.mustWrite(t, int(last)+1000)
}

// writer is a client that writes rows 1, 2, 3 and so on until an error.
type writer struct {
	// acknowledged is the last row that was.
	acknowledged atomic.Int64
	// ended gets the error.
	ended chan error
}

func (m *member) startWriter(t *testing.T) *writer {
	t.Helper()
	w := &writer{ended: make(chan error, 1)}
	c, err := m.connect(t.Context())
	must(t, err)
	t.Cleanup(c.Close)
	go func() {
		for id := int64(1); ; id++ {
			if err := c.Exec(t.Context(), fmt.Sprintf("INSERT INTO app.t VALUES (%d)", id)); err != nil {
				w.ended <- err
				return
			}
			w.acknowledged.Store(id)
		}
	}()
	return w
}

// goesOn waits until rows are acknowledged.
func (w *writer) goesOn(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); w.acknowledged.Load() < 20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no rows are acknowledged")
		}
	}
}

// stuck waits until no row is acknowledged any more, and none is refused.
func (w *writer) stuck(t *testing.T) {
	t.Helper()
	for before := int64(-1); before != w.acknowledged.Load(); time.Sleep(time.Second) {
		before = w.acknowledged.Load()
	}
	select {
	case err := <-w.ended:
		t.Fatalf("the write on a volume that hangs does not wait: %v", err)
	default:
	}
}
