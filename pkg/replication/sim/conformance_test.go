// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/conformance"
)

// TestTheModelIsLikeRealServers runs the suite that test/roles runs on real ones.
func TestTheModelIsLikeRealServers(t *testing.T) {
	w := newWorld(3, AllRules())
	conformance.Test(t, &modelSet{Seat: &Seat{w: w, term: 1, yield: func(struct{}) bool { return true }}, epoch: 1})
}

// modelSet is the model as the suite sees it. Nobody but the suite calls the agents.
type modelSet struct {
	*Seat
	epoch int64
}

func (m *modelSet) Target(i int) agentclient.Target { return m.w.members[i].pod.target() }

func (m *modelSet) Upstream(i int) agentclient.Upstream {
	name := m.w.members[i].name
	return agentclient.Upstream{Name: name, Host: name, Port: 3306, User: channelUser}
}

func (m *modelSet) Channel() agentclient.ChannelAccount {
	return agentclient.ChannelAccount{User: channelUser, Password: "p"}
}

func (m *modelSet) Fence() agentclient.RoleFence {
	return m.stamp(agentclient.RoleFence{ReplicationUID: replicationUID, Epoch: m.epoch})
}

func (m *modelSet) Raise() { m.epoch++ }

func (m *modelSet) Kill(i int) { m.w.members[i].pod.kill() }

func (m *modelSet) Pass() {
	for _, member := range m.w.members {
		member.step()
	}
}

func (m *modelSet) Commit(i int) conformance.Commit {
	s := m.w.members[i].server
	if !s.commit(false) {
		return modelCommit{refused: true}
	}
	return modelCommit{server: s, life: s.life, transaction: s.binlog[len(s.binlog)-1]}
}

// modelCommit is a client that has begun one.
type modelCommit struct {
	refused     bool
	server      *server
	life        int
	transaction transaction
}

func (c modelCommit) Outcome() conformance.Outcome {
	if c.refused {
		return conformance.Failed
	}
	for i := range c.server.w.acked {
		if c.server.w.acked[i].has(c.transaction) {
			return conformance.Acknowledged
		}
	}
	if c.server.up && c.server.life == c.life {
		return conformance.Waiting
	}
	return conformance.Failed
}

func (c modelCommit) On(i int) bool {
	return !c.refused && c.server.w.members[i].server.executed.has(c.transaction)
}
