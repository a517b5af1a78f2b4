// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

const system = "7300000000000000000"

// postgresqlWorld is a world whose servers are PostgreSQLs: it adds what they write, and
// answers in place of their agents.
type postgresqlWorld struct {
	*world
	clusters map[string]*cluster
}

// cluster is the data of a server.
type cluster struct {
	system   string
	pristine bool
	wal      wal.Branch
	// primary: its files say that it is started as one.
	primary bool
	slots   []string
}

// newPostgreSQLWorld of n members without a role, of which the first has data.
func newPostgreSQLWorld(t *testing.T, n int) *postgresqlWorld {
	t.Helper()
	w := &postgresqlWorld{world: newWorld(t, n), clusters: map[string]*cluster{}}
	w.engine, w.agents = PostgreSQL(), w
	for i, s := range w.servers {
		s.down = true
		m := w.member(s.name)
		m.Port, m.HadData = 5432, i == 0
		c := &cluster{system: fmt.Sprintf("900000000000000000%d", i), pristine: true, primary: true, wal: wal.Branch{History: wal.MustHistory(1), End: 0x1500000}}
		if i == 0 {
			c.system, c.pristine, c.wal.End = system, false, 0x5000000
		}
		w.clusters[s.name] = c
	}
	return w
}

// stream lets WAL pass from primaries to those that receive.
func (w *postgresqlWorld) stream() {
	w.flow()
	for _, s := range w.servers {
		if u := w.upstream(s); u != nil && s.receiving && !u.readOnly {
			w.clusters[s.name].wal = w.clusters[u.name].wal
		}
	}
}

// start a server by the role that its agent has recorded.
func (w *postgresqlWorld) start(s *host) {
	c := w.clusters[s.name]
	s.down = s.record == nil
	if !s.down && s.record.Role != agentclient.RoleSource {
		c.primary = false
	}
	s.readOnly = s.down || !c.primary
}

func (w *postgresqlWorld) observe(s *host) *agentclient.Observation {
	w.stream()
	c, o := w.clusters[s.name], w.world.observe(s)
	in := &agentclient.PostgreSQLObservation{History: c.wal.History.String(), HistoryKnown: true, Hints: true}
	o.ServerID, o.MySQL, o.PostgreSQL = c.system, nil, in
	o.Status.Data, o.Status.Version = &agentclient.DataIdentity{Pristine: &c.pristine}, "17.2"
	timeline := int64(c.wal.History.Timeline())
	if !o.Answered {
		in.Control = &agentclient.PostgreSQLControlData{State: stateShutDown, Timeline: timeline, CheckpointLSN: c.wal.End.String(), SystemID: c.system}
		return o
	}
	in.Timeline, in.InRecovery = timeline, s.readOnly
	if s.readOnly {
		in.ReceivedLSN, in.ReplayedLSN = c.wal.End.String(), c.wal.End.String()
		if u := w.upstream(s); u != nil && s.receiving {
			in.Receiver = &agentclient.PostgreSQLReceiver{Status: "streaming", Host: u.name, Port: 5432}
		}
		return o
	}
	in.WriteLSN = c.wal.End.String()
	var counted []string
	if d := s.record.Durability; d.Sync {
		for _, m := range d.Members {
			counted = append(counted, m.Name)
		}
		in.SynchronousStandbyNames = settings.Quorum(s.name, int(d.W), counted).String()
	}
	for _, r := range w.servers {
		if w.upstream(r) == s && r.receiving {
			in.Standbys = append(in.Standbys, agentclient.PostgreSQLStandby{
				ApplicationName: settings.ApplicationName(r.name), State: standbyStreaming, Counted: slices.Contains(counted, r.name), Reloaded: true, FlushLSN: w.clusters[r.name].wal.End.String(),
			})
		}
	}
	for _, name := range c.slots {
		in.Slots = append(in.Slots, agentclient.PostgreSQLSlot{Name: settings.SlotName(name), WALStatus: "reserved"})
	}
	return o
}

// Observe implements Agents.
func (w *postgresqlWorld) Observe(_ context.Context, t agentclient.Target) (*agentclient.Observation, error) {
	s, err := w.call("Observe", t, 0, "")
	if err != nil {
		return nil, err
	}
	return w.observe(s), nil
}

// role is recorded, and the server started with it.
func (w *postgresqlWorld) role(s *host, f agentclient.RoleFence, r agentclient.RoleRecord) *agentclient.Observation {
	r.ReplicationUID, r.Epoch = f.ReplicationUID, f.Epoch
	s.record = &r
	w.start(s)
	return w.observe(s)
}

// Promote implements Agents.
func (w *postgresqlWorld) Promote(_ context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	s, err := w.call("Promote", t, r.Fence.Epoch, fmt.Sprintf("w=%d timeline=%d slots=%s", r.Durability.W, r.Timeline, strings.Join(r.Slots, ",")))
	if err != nil {
		return nil, err
	}
	c := w.clusters[s.name]
	if !c.primary {
		if c.wal.History, err = c.wal.History.Promoted(wal.Timeline(r.Timeline), c.wal.End); err != nil { //nolint:gosec // Small numbers.
			w.t.Fatalf("%s is promoted: %v", s.name, err)
		}
		c.primary = true
		c.wal.End += 0x80
	}
	c.slots, s.ack = r.Slots, false
	return w.role(s, r.Fence, agentclient.RoleRecord{Role: agentclient.RoleSource, Durability: r.Durability, Open: r.Open, DataGeneration: r.DataGeneration}), nil
}

// Demote implements Agents: what it wrote last reaches those that receive.
func (w *postgresqlWorld) Demote(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	s, err := w.call("Demote", t, f.Epoch, "")
	if err != nil {
		return nil, err
	}
	if !s.readOnly {
		w.clusters[s.name].wal.End += 0x80
		w.stream()
	}
	return w.role(s, f, agentclient.RoleRecord{Role: agentclient.RoleIsolated}), nil
}

// Follow implements Agents.
func (w *postgresqlWorld) Follow(_ context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	s, err := w.call("Follow", t, r.Fence.Epoch, fmt.Sprintf("%s timeline=%d", r.Upstream.Name, r.Upstream.Timeline))
	if err != nil {
		return nil, err
	}
	mine, theirs := w.clusters[s.name], w.clusters[r.Upstream.Name]
	if at, diverged := mine.wal.Diverged(theirs.wal.History); mine.system != theirs.system || diverged || mine.wal.End > theirs.wal.End {
		return nil, &agentclient.Error{Class: agentclient.Aborted, Target: t, Err: fmt.Errorf("it has WAL that %s has not, from %s on", r.Upstream.Name, at)}
	}
	// Whoever receives may acknowledge: who is counted is the primary's business.
	s.ack = true
	return w.role(s, r.Fence, agentclient.RoleRecord{Role: agentclient.RoleReplica, Upstream: &r.Upstream, DataGeneration: r.DataGeneration}), nil
}

// Isolate implements Agents.
func (w *postgresqlWorld) Isolate(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	s, err := w.call("Isolate", t, f.Epoch, "")
	if err != nil {
		return nil, err
	}
	return w.role(s, f, agentclient.RoleRecord{Role: agentclient.RoleIsolated}), nil
}

// SetHold implements Agents.
func (w *postgresqlWorld) SetHold(ctx context.Context, t agentclient.Target, h agentclient.Hold) (*agentclient.Status, error) {
	status, err := w.world.SetHold(ctx, t, h)
	if s := w.server(t.Unit); err == nil && !h.Held {
		w.start(s)
	}
	return status, err
}

// Provision implements Agents: it is done at once.
func (w *postgresqlWorld) Provision(_ context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	s, err := w.call("Provision", t, r.Fence.Epoch, fmt.Sprintf("%s replace=%v", r.Donor.Name, r.Replace))
	if err != nil {
		return nil, err
	}
	c, donor := w.clusters[s.name], w.clusters[r.Donor.Name]
	switch {
	case !c.pristine && (!r.Replace || r.ServerID != c.system):
		return nil, &agentclient.Error{Class: agentclient.Final, Target: t, Err: errors.New("it has other data")}
	case r.Donor.ServerID != donor.system:
		return nil, &agentclient.Error{Class: agentclient.Final, Target: t, Err: errors.New("the donor has other data")}
	}
	*c = cluster{system: donor.system, wal: donor.wal}
	w.start(s)
	return &agentclient.Operation{State: agentclient.OperationSucceeded}, nil
}
