// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// seat is the agent of a node and its pod.
type seat struct {
	*node
	record *topology.Record
	epoch  int64
	last   int
	held   bool
	// signal: it has standby.signal, which a promotion removes.
	signal bool
	// empty: its volume is a new one.
	empty bool
	pod   int
	slots []string
}

// process of an operator: what it remembers, and what it last read.
type process struct {
	memory topology.Memory
	// stale is what it read before a commit whose outcome it does not know; nil: it reads.
	stale *topology.Recorded
}

// site is a world in which processes do what Decide says, with calls that come late.
type site struct {
	*world
	seats     []*seat
	processes []*process
	request   topology.Request
	late      []numbered
	commits   int
	calls     int
	// writes of the record: who has read it before another one is refused.
	writes int
	// wiped: a member has lost its volume. forced counts promotions that a person asked for.
	wiped  bool
	forced int
	// deciding: a process is between its look and what it does.
	deciding bool
}

// numbered is a call that an agent refuses once it has accepted a later one.
type numbered struct {
	topology.Step
	number, pod int
}

func newSite(seed uint64) *site {
	s := &site{world: newWorld(seed, faults{}), processes: []*process{{}, {}}}
	s.commitsMayBeUnknown = true
	s.view.Recorded = topology.Recorded{}
	s.request = topology.Request{
		UID: "replication", Sync: true, Source: "u0",
		Failover: topology.Failover{Enabled: true}, Durability: topology.Durability{Replicas: int32(s.rng.IntN(3))}, //nolint:gosec // 0 to 2.
	}
	switch seed % 10 {
	case 0:
		// Acknowledged commits may be lost by a failover: the rest is checked.
		s.request.Sync, s.mayLose = false, true
	case 1:
		s.request.Durability.Preferred = true
	}
	for _, n := range s.nodes {
		s.seats = append(s.seats, &seat{node: n, signal: n.upstream != nil})
		n.primary, n.upstream, n.down = false, nil, true
	}
	return s
}

func (s *site) seat(name string) *seat {
	for _, m := range s.seats {
		if m.name == name {
			return m
		}
	}
	return nil
}

// start a server by what its agent has recorded: without a role it is not.
func (s *site) start(m *seat) {
	if !m.down || m.held || m.empty || m.record == nil {
		return
	}
	m.down, m.upstream = false, nil
	m.primary = m.record.Role == topology.RoleSource && !m.signal
	if m.primary {
		m.rule, m.senders = m.record.Rule, map[string]topology.Rule{}
		return
	}
	m.signal = true
	if m.record.Role == topology.RoleReplica {
		m.upstream = s.node(m.record.Upstream.Name)
	}
}

// stop a server; what it wrote reaches those that receive from it if it is in order.
func (s *site) stop(m *seat, orderly bool) {
	for _, o := range s.seats {
		if orderly && m.primary && o.upstream == m.node && !o.down && s.rng.IntN(4) > 0 && o.wal.End < m.wal.End {
			if _, diverged := o.truth.Diverged(m.truth.History); !diverged {
				o.wal, o.truth = m.wal, m.truth
			}
		}
	}
	m.down, m.primary, m.waiting, m.upstream = true, false, nil, nil
}

// obey a call, which an agent refuses that has seen a higher epoch or a later call.
func (s *site) obey(call numbered) (refused bool) {
	m := s.seat(call.Member)
	if m.cut || call.Epoch < m.epoch || call.number < m.last || call.pod != m.pod {
		return true
	}
	if call.Kind == topology.StepObserve {
		return false
	}
	if call.Kind == topology.StepPromote && !m.primary && m.signal && call.Timeline == 0 {
		return true
	}
	source := m.record != nil && m.record.Role == topology.RoleSource
	if source && (call.Kind == topology.StepFollow || call.Kind == topology.StepIsolate) {
		return true
	}
	s.say("  %s(%s<-%s) at epoch %d, timeline %d", call.Kind, m.name, call.Upstream.Name, call.Epoch, call.Timeline)
	m.epoch, m.last = call.Epoch, call.number
	record := &topology.Record{Replication: "replication", Epoch: call.Epoch, Role: topology.RoleIsolated}
	switch call.Kind {
	case topology.StepHold, topology.StepUnhold:
		if m.held = call.Kind == topology.StepHold; m.held {
			s.stop(m, false)
		}
		s.start(m)
		return false
	case topology.StepProvision:
		if up := s.node(call.Upstream.Name); !up.down && up.primary {
			s.stop(m, false)
			m.wal, m.truth, m.signal, m.empty = up.wal, up.truth, true, false
			s.start(m)
		}
		return false
	case topology.StepPromote:
		record.Role, record.Rule, record.Open = topology.RoleSource, call.Rule, true
		m.slots = call.Slots
	case topology.StepFollow:
		up := s.node(call.Upstream.Name)
		if at, diverged := m.wal.Diverged(up.wal.History); diverged || m.wal.End > up.wal.End || up.down || m.down {
			s.say("  it refuses: %s", at)
			return true
		}
		record.Role, record.Upstream = topology.RoleReplica, call.Upstream
	}
	m.record = record
	if m.primary && record.Role != topology.RoleSource {
		s.stop(m, true)
	}
	s.start(m)
	switch {
	case m.down:
	case record.Role == topology.RoleSource && m.primary:
		m.rule = record.Rule
	case record.Role == topology.RoleSource:
		s.promoteTo(m, wal.Timeline(call.Timeline)) //nolint:gosec // Small numbers.
	case record.Role == topology.RoleReplica:
		m.upstream = s.node(call.Upstream.Name)
		delete(m.upstream.senders, m.name)
	default:
		m.upstream = nil
	}
	return false
}

func (s *site) promoteTo(m *seat, timeline wal.Timeline) {
	s.promotions++
	history, err := m.wal.History.Promoted(timeline, m.wal.End)
	truth, trueErr := m.truth.History.Promoted(1000+s.promotions, m.wal.End)
	if err != nil || trueErr != nil {
		s.violate("%s is promoted: %v, %v", m.name, err, trueErr)
		return
	}
	m.wal, m.truth = wal.Branch{History: history, End: m.wal.End + 1}, wal.Branch{History: truth, End: m.truth.End + 1}
	m.primary, m.signal, m.upstream, m.rule, m.senders, m.waiting = true, false, nil, m.record.Rule, map[string]topology.Rule{}, nil
	s.say("  %s is promoted to timeline %d at %s", m.name, timeline, m.wal.End-1)
}

// look is what a process sees.
func (s *site) look(p *process) View {
	s.now = s.now.Add(time.Second)
	recorded := s.view.Recorded
	if p.stale != nil {
		recorded = *p.stale
	}
	v := View{Request: s.request, Recorded: recorded.Clone(), Memory: p.memory, Now: s.now, LeaseFresh: true}
	for _, m := range s.seats {
		pod := types.UID(fmt.Sprintf("pod-%s-%d", m.name, m.pod))
		seen := Member{Member: topology.Member{Name: m.name, UnitUID: types.UID("unit-" + m.name), Host: m.name, Port: 5432, PodUID: pod, Priority: 1, Owned: true, HadData: true}}
		if m.pod > 0 {
			seen.EndedPodUID = types.UID(fmt.Sprintf("pod-%s-%d", m.name, m.pod-1))
		}
		if !m.cut {
			seen.Seen = &topology.Observed{At: s.now, PodUID: pod, Epoch: m.epoch, Answered: !m.down, Down: m.down, ReadOnly: !m.primary && !m.down, ServerID: testSystem, Version: "17.2", Record: m.record}
			if m.held {
				seen.Seen.Holds, seen.Seen.StopProven = []string{topology.HoldFence}, m.down
			}
			seen.Server = s.server(&v, m)
			if m.empty {
				// A server was made on it, which nobody has written to.
				seen.Seen.Pristine, seen.Seen.ServerID = true, "7999999999999999999"
				seen.Server.History, seen.Server.Control = onOne, &Control{ShutDown: true, Timeline: wal.FirstTimeline, Checkpoint: 1}
			}
		}
		v.Members = append(v.Members, seen)
	}
	return v
}

func (s *site) server(v *View, m *seat) *Server {
	out := &Server{Primary: m.primary, History: m.wal.History, Hints: true}
	switch {
	case m.down:
		out.Control = &Control{Timeline: m.wal.History.Timeline(), Checkpoint: m.wal.End}
	case m.primary:
		out.Written, out.Sync = m.wal.End, (&View{Recorded: topology.Recorded{Source: m.name}}).names(m.rule)
		for _, slot := range m.slots {
			out.Slots = append(out.Slots, Slot{Name: settings.SlotName(slot)})
		}
	default:
		out.Received, out.Replayed = m.wal.End, m.wal.End
		if up := m.upstream; up != nil && up.primary && !up.down {
			out.Receiver = &Receiver{Host: up.name, Port: 5432}
		}
	}
	for _, o := range s.seats {
		if m.primary && o.upstream == m.node && !o.down {
			out.Standbys = append(out.Standbys, Standby{Application: o.name, Streaming: true, Counted: m.counts(o.name), Reloaded: m.reloaded(o.name), Flushed: o.wal.End})
		}
	}
	return out
}

// pass of a process: until it has nothing to do, or is interrupted.
func (s *site) pass(p *process) {
	refusals := map[string][]topology.Refusal{}
	defer func() { p.stale = nil }()
	for range 1 + s.rng.IntN(6) {
		v, read := s.look(p), s.writes
		for i := range v.Members {
			v.Members[i].Refusals = refusals[v.Members[i].Name]
		}
		plan := Decide(v)
		s.say("%s: %s", line(plan), plan.Message)
		s.meanwhile(p)
		if plan.Change == nil {
			p.memory = plan.Memory
			if p.stale != nil && !p.memory.CommitUnknown {
				p.stale = nil
			}
			for _, call := range plan.Steps {
				s.calls++
				n := numbered{call, s.calls, s.seat(call.Member).pod}
				if s.rng.IntN(6) == 0 {
					s.late = append(s.late, n)
				} else if s.obey(n) {
					refusals[call.Member] = append(refusals[call.Member], topology.Refusal{Kind: call.Kind, Message: "it refuses"})
				}
			}
			if len(plan.Steps) == 0 {
				break
			}
			continue
		}
		if !s.save(p, plan, read) {
			return
		}
	}
}

// meanwhile: between what a process sees and what it does, another one may act.
func (s *site) meanwhile(p *process) {
	if s.deciding || s.rng.IntN(12) > 0 {
		return
	}
	s.deciding = true
	for _, other := range s.processes {
		if other != p {
			s.say("meanwhile:")
			s.pass(other)
			s.say("then the first one does what it has decided:")
		}
	}
	s.deciding = false
}

// save a change, unless somebody else has changed what it was decided from.
func (s *site) save(p *process, plan topology.Plan, read int) bool {
	if p.stale != nil || read != s.writes {
		s.say("  a conflict")
		p.memory.Forget()
		p.stale = nil
		return false
	}
	before := s.view.Recorded.Clone()
	commit := plan.Change.Kind == topology.ChangeCommit
	if commit && s.rng.IntN(4) == 0 {
		p.memory.CommitUnknown, p.stale = true, &before
		if s.rng.IntN(2) == 0 {
			s.say("  it is recorded, which is not known")
			s.writes++
			s.view.Recorded = plan.Change.To.Clone()
		}
		return true
	}
	s.view.Recorded, p.memory = plan.Change.To.Clone(), plan.Memory
	s.writes++
	if commit {
		s.commits++
	}
	return true
}

// newPod of a member, in which its agent knows nothing.
func (s *site) newPod(m *seat) {
	m.record, m.epoch, m.last, m.held = nil, 0, 0, false
	m.pod++
}

func (s *site) event() {
	m := s.seats[s.rng.IntN(len(s.seats))]
	switch n := s.rng.IntN(60); {
	case n < 16:
		s.write(m.node)
	case n < 30:
		s.receive(m.node)
	case n < 35:
		s.reload(m.node)
	case n < 47:
		s.pass(s.processes[min(s.rng.IntN(6), 1)])
	case n < 49:
		s.say("%s ends", m.name)
		s.stop(m, s.rng.IntN(2) == 0)
	case n < 54:
		m.cut = false
		s.start(m)
	case n < 55:
		s.say("%s cannot be reached", m.name)
		m.cut = true
	case n < 56:
		s.say("%s has another pod", m.name)
		s.stop(m, s.rng.IntN(2) == 0)
		s.newPod(m)
	case n < 57:
		s.say("a process ends")
		*s.processes[s.rng.IntN(2)] = process{}
	case n < 58:
		s.request.Switchover = m.name
	case n < 59 && !s.wiped && s.view.Recorded.Source != "" && s.rng.IntN(3) == 0:
		// One at most: who had the last copy of a commit may be the next.
		s.say("%s has another volume", m.name)
		s.stop(m, false)
		s.newPod(m)
		s.wiped, m.empty = true, true
	case len(s.late) > 0:
		s.say("late:")
		s.obey(s.late[0])
		s.late = s.late[1:]
	}
}
