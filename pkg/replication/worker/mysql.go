// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// lowOnDisk is the part of a volume that must be free on a member that becomes the
// source.
const lowOnDisk = 0.02

// members are what is known of the members of a MySQL replication in one pass.
type members struct {
	list     []mysql.Member
	journals []string
	// ended counts copies that ended in this pass, by the member's name.
	ended map[string]int
}

func newMembers(l *Loaded) *members {
	m := &members{list: make([]mysql.Member, len(l.Members)), journals: make([]string, len(l.Members)), ended: map[string]int{}}
	for i := range l.Members {
		m.list[i].Member = l.Members[i]
		m.list[i].Trouble = "it was not asked"
	}
	return m
}

// decide by what is known.
func (m *members) decide(l *Loaded, memory topology.Memory, now time.Time, leaseFresh bool) topology.Plan {
	plan := mysql.Decide(mysql.View{
		Request: l.Request, Recorded: l.Recorded, Members: m.list, Memory: memory, Now: now, LeaseFresh: leaseFresh,
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
	return i >= 0 && m.list[i].Seen != nil && m.list[i].Seen.Answered && !m.list[i].Seen.ReadOnly
}

// journal of the member's agent.
func (m *members) journal(name string) string {
	if i := m.index(name); i >= 0 {
		return m.journals[i]
	}
	return ""
}

// forgive the calls that failed: they are made again.
func (m *members) forgive() {
	for i := range m.list {
		m.list[i].Refusals = nil
	}
}

// refuse a call for the rest of the pass.
func (m *members) refuse(s topology.Step, message string) {
	if i := m.index(s.Member); i >= 0 {
		m.list[i].Refusals = append(m.list[i].Refusals, topology.Refusal{Kind: s.Kind, Message: message})
	}
}

// answered takes an answer to Observe in.
func (m *members) answered(i int, at time.Time, o *agentclient.Observation, err error) {
	member := &m.list[i]
	if err != nil {
		member.Seen, member.Server, member.Trouble = nil, nil, err.Error()
		return
	}
	if o == nil || o.Status == nil {
		return
	}
	member.Trouble = ""
	m.journals[i] = o.Status.JournalID
	member.Seen = observed(at, o)
	member.Server, err = server(o)
	if err != nil {
		member.Seen.Answered, member.Seen.Trouble = false, "its answer cannot be read: "+err.Error()
	}
}

// merge what a step answered.
func (m *members) merge(s topology.Step, at time.Time, r result) {
	i := m.index(s.Member)
	if i < 0 {
		return
	}
	member := &m.list[i]
	if r.err != nil {
		if s.Kind == topology.StepObserve {
			m.answered(i, at, nil, r.err)
			return
		}
		m.refuse(s, r.err.Error())
		if s.Kind == topology.StepWait && agentclient.IsUnavailable(r.err) {
			m.answered(i, at, nil, r.err)
		}
		return
	}
	if r.observation != nil {
		m.answered(i, at, r.observation, nil)
	}
	if r.executed != nil && member.Server != nil && r.executed.Contained {
		if set, err := gtid.Parse(r.executed.Executed); err == nil {
			next := *member.Server
			next.Executed = set
			member.Server = &next
		}
	}
	if r.evidence != nil {
		member.Evidence = r.evidence.Path
	}
	if r.activity != nil {
		member.Activity = activity(r.activity)
	}
	if op := r.operation; op != nil {
		member.Provision = &mysql.Provision{
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

// activity of a server's clients, as far as a switchover cares.
func activity(a *agentclient.Activity) *mysql.Activity {
	out := &mysql.Activity{}
	for _, t := range a.Transactions {
		if t.RowsModified > 0 {
			out.Writing++
		}
	}
	if len(a.Definitions) > 0 {
		d := a.Definitions[0]
		out.Definition = fmt.Sprintf("%s by %s@%s (session %d)", d.Kind, d.User, d.Host, d.Session)
	}
	return out
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

var errNoMySQL = errors.New("it is not that of a MySQL")

// server is what the MySQL said; nil: it did not answer.
func server(o *agentclient.Observation) (*mysql.Server, error) {
	if !o.Answered {
		return nil, nil //nolint:nilnil // No answer is no error: the agent said why.
	}
	in := o.MySQL
	if in == nil {
		return nil, errNoMySQL
	}
	out := &mysql.Server{SemiSync: mysql.SemiSync{
		Enabled: in.SemiSync.SourceEnabled, Active: in.SemiSync.SourceActive, WaitFor: in.SemiSync.WaitFor, Clients: in.SemiSync.Clients,
		Waiting: in.SemiSync.WaitingSessions, Unacknowledged: in.SemiSync.Unacknowledged, Acknowledges: in.SemiSync.ReplicaEnabled,
	}}
	var err error
	if out.UUID, err = gtid.ParseUUID(o.ServerID); err != nil {
		return nil, err
	}
	if out.Executed, err = gtid.Parse(in.Executed); err != nil {
		return nil, err
	}
	if out.Purged, err = gtid.Parse(in.Purged); err != nil {
		return nil, err
	}
	if out.Committing, err = gtid.Parse(in.Committing); err != nil {
		return nil, err
	}
	for _, d := range in.DumpThreads {
		out.Receivers = append(out.Receivers, mysql.Receiver{ServerUUID: d.ServerUUID, Acknowledging: d.Acknowledging})
	}
	if c := in.Channel; c != nil {
		out.Channel = &mysql.Channel{
			Host: c.Host, Port: c.Port, SourceUUID: c.SourceUUID, Receiving: c.Receiving, Applying: c.Applying,
			ReceiverError: c.ReceiverError, ReceiverErrorNumber: c.ReceiverErrorNumber, ApplierError: c.ApplierError,
		}
		if out.Channel.Retrieved, err = gtid.Parse(c.Retrieved); err != nil {
			return nil, err
		}
	}
	return out, nil
}
