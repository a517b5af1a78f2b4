// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
)

// servers are fake agents whose servers say what a MySQL does: all have the same
// transactions, and receive from whom their record says.
type servers struct {
	*fake.Agents
	uuids map[types.UID]string
	units map[types.UID]string
	// executed is what the source has executed.
	executed int
}

func newServers(agents *fake.Agents) *servers {
	return &servers{Agents: agents, uuids: map[types.UID]string{}, units: map[types.UID]string{}, executed: 10}
}

// start a server in a pod.
func (s *servers) start(pod types.UID, unit string) {
	s.uuids[pod] = fmt.Sprintf("00000000-0000-0000-0000-%012d", len(s.uuids)+1)
	s.units[pod] = unit
	s.With(pod, func(a *fake.Agent) {
		a.Applied = &agentclient.ApplyRequest{ConfigHash: "h", Managed: true}
		a.Status.State, a.Status.Version = agentclient.StateRunning, "9.7.0"
		a.Status.Data = &agentclient.DataIdentity{SystemID: s.uuids[pod]}
	})
}

// stop the server of a pod, for good.
func (s *servers) stop(pod types.UID) { delete(s.units, pod) }

// alive says whether a unit has a server.
func (s *servers) alive(unit string) bool {
	return slices.Contains(slices.Collect(maps.Values(s.units)), unit)
}

// own is the Unit controller's Apply that names the owner.
func (s *servers) own(pod, unit, owner types.UID) {
	s.With(pod, func(a *fake.Agent) { a.Status.UnitUID, a.Status.Owner = unit, owner })
}

// complete an observation with what the server says.
func (s *servers) complete(t agentclient.Target, o *agentclient.Observation, err error) (*agentclient.Observation, error) {
	if err != nil || !o.Answered {
		return o, err
	}
	o.ServerID = s.uuids[t.PodUID]
	m := &agentclient.MySQLObservation{Executed: s.set(), SuperReadOnly: o.ReadOnly}
	record := o.Status.Record
	switch {
	case record == nil:
	case record.Role == agentclient.RoleReplica && record.Upstream != nil:
		m.Channel = &agentclient.MySQLChannel{
			Host: record.Upstream.Host, Port: record.Upstream.Port, User: record.Upstream.User, SourceUUID: record.Upstream.ServerID,
			Receiving: s.alive(record.Upstream.Name), Applying: true, Retrieved: s.set(),
		}
		m.SemiSync.ReplicaEnabled = true
	case record.Role == agentclient.RoleSource:
		m.SemiSync = agentclient.MySQLSemiSync{SourceEnabled: record.Durability.Sync, SourceActive: record.Durability.Sync, WaitFor: record.Durability.W}
		for pod, uuid := range s.uuids {
			s.With(pod, func(a *fake.Agent) {
				if r := a.Status.Record; r != nil && r.Upstream != nil && r.Upstream.Name == s.units[t.PodUID] {
					m.DumpThreads = append(m.DumpThreads, agentclient.MySQLDumpThread{ServerUUID: uuid})
					m.SemiSync.Clients++
				}
			})
		}
	}
	o.MySQL = m
	return o, nil
}

func (s *servers) set() string {
	return fmt.Sprintf("00000000-0000-0000-0000-000000000001:1-%d", s.executed)
}

func (s *servers) Observe(ctx context.Context, t agentclient.Target) (*agentclient.Observation, error) {
	o, err := s.Agents.Observe(ctx, t)
	return s.complete(t, o, err)
}

func (s *servers) Promote(ctx context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	o, err := s.Agents.Promote(ctx, t, r)
	return s.complete(t, o, err)
}

func (s *servers) Demote(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := s.Agents.Demote(ctx, t, f)
	return s.complete(t, o, err)
}

func (s *servers) Follow(ctx context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	o, err := s.Agents.Follow(ctx, t, r)
	return s.complete(t, o, err)
}

func (s *servers) Isolate(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	o, err := s.Agents.Isolate(ctx, t, f)
	return s.complete(t, o, err)
}
