// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// provision starts the copy, or finds the one that runs. Its identity comes from what is
// copied where, and from how many have failed before.
func (p *pass) provision(ctx context.Context, target agentclient.Target, s topology.Step, fence agentclient.RoleFence) (*agentclient.Operation, error) {
	journal := p.members.journal(s.Member)
	if journal == "" {
		return nil, errors.New("its agent has no journal yet")
	}
	return p.Agents.Provision(ctx, target, agentclient.ProvisionRequest{
		Fence: fence, ID: provisionID(target, s, p.memory.Provisioned[s.Member]), JournalID: journal, Channel: p.loaded.Channel, Replace: s.Replace, ServerID: s.ServerID,
		Donor: agentclient.Donor{Name: s.Upstream.Name, Host: s.Upstream.Host, Port: s.Upstream.Port, ServerID: s.Upstream.ServerID, DataGeneration: s.Generation},
	})
}

// provisionID is a digest, for the UIDs that it is made of are longer together than an ID
// may be. The donor is none of them: a copy that runs is found whoever it comes from.
func provisionID(target agentclient.Target, s topology.Step, ended int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d", target.UnitUID, s.ServerID, s.Generation, ended))
	return fmt.Sprintf("provision-%x", sum[:16])
}

func durability(r topology.Rule) agentclient.Durability {
	d := agentclient.Durability{Sync: r.W > 0, W: r.W}
	for _, m := range r.Members {
		d.Members = append(d.Members, agentclient.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID, ServerID: m.ServerUUID})
	}
	return d
}

// upstream names no timeline of a PostgreSQL: its agent compares whole histories, and stays
// with a primary that begins another timeline later.
func upstream(s topology.Step, user string) agentclient.Upstream {
	return agentclient.Upstream{
		Name: s.Upstream.Name, Host: s.Upstream.Host, Port: s.Upstream.Port, ServerID: s.Upstream.ServerID, DataGeneration: s.Generation, User: user,
	}
}
