// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// needRole makes the fake engine one that needs a role.
func needRole(t *testing.T, u *agenttest.Unit) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(u.Config, "needs-role"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAContainerThatRestartsResumesItsRole: nobody calls meanwhile.
func TestAContainerThatRestartsResumesItsRole(t *testing.T) {
	upstream := &engine.Upstream{Name: "u-1", Host: "h", Port: 1}
	for name, record := range map[string]engine.RoleRecord{
		"an open source": {ReplicationUID: "r", Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1}},
		"a replica":      {ReplicationUID: "r", Epoch: 3, Role: engine.RoleReplica, Upstream: upstream},
		"isolated":       {ReplicationUID: "r", Epoch: 3, Role: engine.RoleIsolated},
		"released":       {Epoch: 3, Role: engine.RoleReplica, Upstream: upstream, Released: true},
	} {
		t.Run(name, func(t *testing.T) {
			u := agenttest.NewUnit(t, false)
			needRole(t, u)
			u.Start("supervise")
			u.Desire(func(d *state.Desired) {
				d.Managed, d.Record, d.Role, d.OwnerUID = true, record, record.Role, record.ReplicationUID
			})
			before := u.WaitState(state.StateRunning)
			_ = syscall.Kill(before.PID, syscall.SIGKILL)
			u.WaitState(state.StateFailed)
			u.Start("supervise")
			after := u.WaitState(state.StateRunning)
			if diff := cmp.Diff(&record, after.StartRecord); diff != "" || after.Start == before.Start {
				t.Errorf("started as (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANewPodOfAManagedUnitWaitsForItsRole(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	needRole(t, u)
	p := u.Start("supervise")
	u.Desire(func(d *state.Desired) {
		d.Managed, d.OwnerUID, d.Record = true, "r", engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleSource, Open: true}
	})
	u.WaitState(state.StateRunning)
	p.Signal(syscall.SIGTERM)
	p.WaitExit()

	// The state directory goes with the pod, the data stays.
	if err := os.Remove(filepath.Join(u.Env.StateDir, state.ObservedFile)); err != nil {
		t.Fatal(err)
	}
	u.Desire(func(d *state.Desired) { d.Managed, d.OwnerUID = true, "r" })
	u.Start("supervise")
	o := u.WaitState(state.StateWaiting)
	agenttest.Eventually(t, "what it waits for", func() bool {
		o = u.WaitState(state.StateWaiting)
		return strings.Contains(o.Message, "a role from its Replication r")
	}, func() any { return o })
	if u.Starts() != 1 {
		t.Errorf("%d starts", u.Starts())
	}
	// It is fenced all the same.
	u.Desire(holds("fence"), order(1), func(d *state.Desired) { d.Managed, d.OwnerUID = true, "r" })
	waitProof(t, u, 1)
	u.Desire(func(d *state.Desired) {
		d.Managed, d.OwnerUID, d.Record = true, "r", engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleIsolated}
	})
	if o := u.WaitState(state.StateRunning); o.StartRecord.Role != engine.RoleIsolated {
		t.Errorf("observed %+v", o)
	}
}
