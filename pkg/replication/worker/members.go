// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// lowOnDisk is the part of a volume that must be free on a member that becomes the
// source.
const lowOnDisk = 0.02

// members are what is known of a replication's members in one pass.
type members struct {
	list    []member
	servers servers
	// ended counts copies that ended in this pass, by the member's name.
	ended map[string]int
}

// member is one of them, as far as that is the same for all engines.
type member struct {
	topology.Member
	// seen is nil while its agent has not answered; trouble says why not.
	seen     *topology.Observed
	trouble  string
	refusals []topology.Refusal
	// provision is how the copy of a donor goes; nil: none was asked about in this pass.
	provision *provision
	// journal of its agent.
	journal string
}

// provision has the fields of each engine's Provision.
type provision struct {
	Running, Failed bool
	Reason, Message string
}

func newMembers(e Engine, l *Loaded) *members {
	m := &members{list: make([]member, len(l.Members)), servers: e.servers(len(l.Members)), ended: map[string]int{}}
	for i := range l.Members {
		m.list[i].Member = l.Members[i]
		m.list[i].trouble = "it was not asked"
	}
	return m
}

// decide by what is known.
func (m *members) decide(l *Loaded, memory topology.Memory, now time.Time, leaseFresh bool) topology.Plan {
	plan := m.servers.decide(view{
		request: l.Request, recorded: l.Recorded, members: m.list, memory: memory, now: now, leaseFresh: leaseFresh,
	})
	for name, n := range m.ended {
		counts := map[string]int{name: n}
		for k, v := range plan.Memory.Provisioned {
			counts[k] += v
		}
		plan.Memory.Provisioned = counts
	}
	m.ended = map[string]int{}
	return plan
}

// index of a member; -1: there is none.
func (m *members) index(name string) int {
	for i := range m.list {
		if m.list[i].Name == name {
			return i
		}
	}
	return -1
}

// open reports whether the member was seen open.
func (m *members) open(name string) bool {
	i := m.index(name)
	return i >= 0 && m.list[i].seen != nil && m.list[i].seen.Answered && !m.list[i].seen.ReadOnly
}

// journal of the member's agent.
func (m *members) journal(name string) string {
	if i := m.index(name); i >= 0 {
		return m.list[i].journal
	}
	return ""
}

// forgive the calls that failed: they are made again.
func (m *members) forgive() {
	for i := range m.list {
		m.list[i].refusals = nil
	}
}

// refuse a call for the rest of the pass.
func (m *members) refuse(s topology.Step, message string) {
	if i := m.index(s.Member); i >= 0 {
		m.list[i].refusals = append(m.list[i].refusals, topology.Refusal{Kind: s.Kind, Message: message})
	}
}

// unreachable: the member's agent did not answer.
func (m *members) unreachable(i int, err error) {
	m.list[i].seen, m.list[i].trouble = nil, err.Error()
	_, _ = m.servers.answered(i, nil)
}

// answered takes an answer to Observe in.
func (m *members) answered(i int, at time.Time, o *agentclient.Observation, err error) {
	if err != nil {
		m.unreachable(i, err)
		return
	}
	if o == nil || o.Status == nil {
		return
	}
	member := &m.list[i]
	member.trouble, member.journal, member.seen = "", o.Status.JournalID, observed(at, o)
	odd, err := m.servers.answered(i, o)
	switch {
	case err != nil:
		member.seen.Answered, member.seen.Trouble = false, "its answer cannot be read: "+err.Error()
	case member.seen.Trouble == "":
		member.seen.Trouble = odd
	}
}

// merge what a step answered.
func (m *members) merge(s topology.Step, at time.Time, r result) {
	i := m.index(s.Member)
	if i < 0 {
		return
	}
	if r.err != nil {
		if s.Kind == topology.StepObserve {
			m.unreachable(i, r.err)
			return
		}
		m.refuse(s, r.err.Error())
		if s.Kind == topology.StepWait && agentclient.IsUnavailable(r.err) {
			m.unreachable(i, r.err)
		}
		return
	}
	if r.observation != nil {
		m.answered(i, at, r.observation, nil)
	}
	m.servers.merge(i, r)
	if op := r.operation; op != nil {
		m.list[i].provision = &provision{
			Running: !op.State.Final(),
			Failed:  op.State == agentclient.OperationFailed || op.State == agentclient.OperationCancelled,
			Reason:  op.Reason, Message: op.Message,
		}
		// A member that needs a copy although this one has ended needs another.
		if op.State.Final() {
			m.ended[s.Member]++
		}
	}
}

// observed is what is the same for all engines.
func observed(at time.Time, o *agentclient.Observation) *topology.Observed {
	s := o.Status
	out := &topology.Observed{
		At: at, PodUID: s.PodUID, Epoch: s.Epoch, Holds: s.Holds, HoldsOrder: s.HoldsOrder,
		Answered: o.Answered, Down: s.Down && !o.Answered, Trouble: o.Error, ReadOnly: o.ReadOnly, ServerID: o.ServerID, Version: s.Version, Busy: o.Busy,
	}
	if o.MySQL != nil && o.MySQL.Version != "" {
		out.Version = o.MySQL.Version
	}
	if out.Trouble == "" && !o.Answered {
		out.Trouble = s.Message
	}
	if s.StopProof != nil {
		out.StopOrder = s.StopProof.Order
		out.StopProven = true
	}
	if s.Data != nil {
		out.Generation = s.Data.DataGeneration
		out.Pristine = s.Data.Pristine != nil && *s.Data.Pristine
	}
	if o.TotalBytes > 0 && float64(o.FreeBytes) < lowOnDisk*float64(o.TotalBytes) {
		out.LowOnDisk = true
	}
	if r := s.Record; r != nil {
		out.Record = record(r)
	}
	return out
}

func record(r *agentclient.RoleRecord) *topology.Record {
	out := &topology.Record{
		Replication: r.ReplicationUID, Epoch: r.Epoch, Role: topology.Role(r.Role), Open: r.Open, Generation: r.DataGeneration, Released: r.Released, Channel: r.ChannelID,
	}
	if r.Upstream != nil {
		out.Upstream = topology.Upstream{Name: r.Upstream.Name, Host: r.Upstream.Host, Port: r.Upstream.Port, ServerID: r.Upstream.ServerID}
	}
	if r.Durability.Sync {
		out.Rule.W = r.Durability.W
		for _, m := range r.Durability.Members {
			out.Rule.Members = append(out.Rule.Members, v1alpha1.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID, ServerUUID: m.ServerID})
		}
	}
	return out
}
