// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestTheRoleIsWitnessedOnTheVolume(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	keeper := state.NewKeeper(u.Env, u.Store)
	go witness(t.Context(), u.Env, agenttest.NewEngine(u.Env), u.Store, keeper, state.Files{})
	for epoch, role := range []engine.Role{engine.RoleReplica, engine.RoleSource, engine.RoleIsolated} {
		u.Desire(func(d *state.Desired) {
			d.OwnerUID, d.Record = "r", engine.RoleRecord{ReplicationUID: "r", Epoch: int64(epoch), Role: role}
		})
		agenttest.Eventually(t, "the witness of "+string(role), func() bool {
			w, err := state.ReadWitness(u.Env.AgentDir())
			return err == nil && w != nil && w.Role == role && w.Epoch == int64(epoch) && w.ReplicationUID == "r"
		})
	}
}
