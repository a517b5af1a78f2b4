// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Pilot is a small operator by the rules: it makes a set, switches over and fails over
// behind a fence. The simulator is tested with it, so that what a schedule finds with a
// rule switched off comes of that rule. It provisions nobody: what has errant
// transactions stays isolated.
func Pilot(s *Seat) Pass {
	p := &pilot{seat: s}
	return p.pass
}

type pilot struct {
	seat *Seat
	// from is what was read, status what it is to be.
	from, status topology.Recorded
	// raised: this process has raised the epoch.
	raised bool
	seen   []*agentclient.Observation
	// patience counts passes of an operation.
	patience int
	// unknown: a commit was written and nobody has said whether.
	unknown bool
}

// unbounded: calls in a world end by themselves.
var unbounded = context.Background()

const (
	phaseFence   = "Fence"
	phaseCatchUp = "CatchUp"
	phaseOpen    = "Open"
	patience     = 6
	channelUser  = "unit_replication"
)

//nolint:contextcheck // its calls have no context of their own: they end by themselves
func (p *pilot) pass(ctx context.Context) error {
	loaded, err := p.seat.Load(ctx)
	if err != nil {
		return err
	}
	p.from, p.status = loaded.Recorded, loaded.Recorded.Clone()
	if !p.raised {
		p.status.Epoch++
		if op := p.status.Operation; op != nil {
			op.Epoch = p.status.Epoch
		}
		if err := p.save(); err != nil {
			return err
		}
		p.raised = true
	}
	p.seen = make([]*agentclient.Observation, len(p.seat.w.members))
	for i := range p.seen {
		p.seen[i] = p.observe(i)
	}
	switch {
	case p.status.Source == "":
		return p.begin()
	case p.status.Operation == nil:
		return p.steady()
	case p.status.Operation.Type == v1alpha1.OperationSwitchover:
		return p.switchover()
	}
	return p.failover()
}

func (p *pilot) save() error {
	err := p.seat.Save(unbounded, p.from, topology.Change{Kind: topology.ChangeBegin, To: p.status})
	if err == nil {
		p.from = p.status.Clone()
	}
	return err
}

func (p *pilot) observe(i int) *agentclient.Observation {
	o, err := p.seat.Observe(unbounded, p.target(i))
	if err != nil {
		return nil
	}
	p.seat.w.learn(i, o.ServerID)
	return o
}

func (p *pilot) answered(i int) bool { return p.seen[i] != nil && p.seen[i].Answered }

func (p *pilot) record(i int) agentclient.RoleRecord {
	if o := p.seen[i]; o != nil && o.Status.Record != nil {
		return *o.Status.Record
	}
	return agentclient.RoleRecord{}
}

func (p *pilot) target(i int) agentclient.Target { return p.seat.w.members[i].pod.target() }
func (p *pilot) isolated(i int) bool             { return p.seat.w.journal.isolated[i] }
func (p *pilot) async() bool                     { return p.seat.w.async }
func (p *pilot) fence() agentclient.RoleFence {
	return agentclient.RoleFence{ReplicationUID: replicationUID, Epoch: p.status.Epoch}
}

func (p *pilot) index(name string) int { return p.seat.w.indexOf(name) }
func (p *pilot) name(i int) string     { return p.seat.w.members[i].name }

// others are the members whose acknowledgements count if i is the source.
func (p *pilot) others(i int) []v1alpha1.DurabilityMember {
	var out []v1alpha1.DurabilityMember
	for j := range p.seen {
		if j != i && !p.isolated(j) && p.seat.w.learned[j] != "" {
			out = append(out, v1alpha1.DurabilityMember{Name: p.name(j), UnitUID: p.seat.w.members[j].unitUID, ServerUUID: p.seat.w.learned[j]})
		}
	}
	return out
}

// entry is what a source i promises.
func (p *pilot) entry(i int) v1alpha1.ReplicationDurabilityEntry {
	var others []v1alpha1.DurabilityMember
	if !p.async() {
		others = p.others(i)
	}
	return v1alpha1.ReplicationDurabilityEntry{Source: p.seat.w.learned[i], W: int32((len(others) + 1) / 2), Members: others}
}

func (p *pilot) begin() error {
	for i := range p.seen {
		if !p.answered(i) {
			return nil
		}
	}
	first := p.seat.w.journal.wanted
	p.status.Epoch++
	p.status.Source = p.name(first)
	p.status.Durability = []v1alpha1.ReplicationDurabilityEntry{p.entry(first)}
	return p.save()
}

// promote makes i the source by the newest entry.
func (p *pilot) promote(i int) error {
	entry := p.status.Durability[len(p.status.Durability)-1]
	d := agentclient.Durability{Sync: len(entry.Members) > 0, W: entry.W}
	for _, m := range entry.Members {
		d.Members = append(d.Members, agentclient.DurabilityMember{Name: m.Name, UnitUID: m.UnitUID, ServerID: m.ServerUUID})
	}
	o, err := p.seat.Promote(unbounded, p.target(i), agentclient.PromoteRequest{
		Fence: p.fence(), Durability: d, Open: true, ServerID: entry.Source,
		Channel: agentclient.ChannelAccount{User: channelUser, Password: "p"},
	})
	if err == nil {
		p.seen[i] = o
	}
	return err
}

// steady is a set without an operation.
func (p *pilot) steady() error {
	source := p.index(p.status.Source)
	newest := p.status.Durability[len(p.status.Durability)-1]
	if !p.answered(source) || p.seen[source].ServerID != newest.Source {
		if p.patience++; p.patience < 3 || p.anyReceives() {
			return nil
		}
		return p.start(v1alpha1.OperationFailover, source, -1)
	}
	p.patience = 0
	want := p.entry(source)
	if !slices.EqualFunc(want.Members, newest.Members, func(a, b v1alpha1.DurabilityMember) bool { return a == b }) && len(p.status.Durability) == 1 {
		// The members that leave have to be isolated first.
		for _, m := range newest.Members {
			if i := p.index(m.Name); p.isolated(i) && (!p.answered(i) || p.record(i).Role != agentclient.RoleIsolated) {
				_, err := p.seat.Isolate(unbounded, p.target(i), p.fence())
				return err
			}
		}
		// Commits that wait may be released by any of both.
		either := want
		either.Members = slices.Clone(want.Members)
		for _, m := range newest.Members {
			if !slices.Contains(either.Members, m) {
				either.Members = append(either.Members, m)
			}
		}
		p.status.Durability = append(p.status.Durability, either, want)
		return p.save()
	}
	r := p.record(source)
	if r.Role != agentclient.RoleSource || !r.Open || !sameMembers(r.Durability, newest) || r.Epoch < p.status.Epoch {
		if err := p.promote(source); err != nil {
			return err
		}
	}
	if err := p.followAll(source); err != nil {
		return err
	}
	if len(p.status.Durability) > 1 {
		return p.settle(source)
	}
	wanted := p.seat.w.journal.wanted
	if wanted != source && !p.isolated(wanted) && p.answered(wanted) && p.record(wanted).Role == agentclient.RoleReplica {
		return p.start(v1alpha1.OperationSwitchover, source, wanted)
	}
	return nil
}

func sameMembers(d agentclient.Durability, e v1alpha1.ReplicationDurabilityEntry) bool {
	return d.W == e.W && slices.EqualFunc(d.Members, e.Members, func(a agentclient.DurabilityMember, b v1alpha1.DurabilityMember) bool {
		return a.ServerID == b.ServerUUID
	})
}

// anyReceives says whether a replica is connected to the source: then it is we who are
// blind.
func (p *pilot) anyReceives() bool {
	for i := range p.seen {
		if p.answered(i) && p.seen[i].MySQL.Channel != nil && p.seen[i].MySQL.Channel.Receiving {
			return true
		}
	}
	return false
}

// settle removes old entries when the newest is as good.
func (p *pilot) settle(source int) error {
	newest := p.status.Durability[len(p.status.Durability)-1]
	if !sameMembers(p.record(source).Durability, newest) {
		return nil
	}
	at := p.observe(source)
	if at == nil || !at.Answered || at.ServerID != newest.Source {
		return nil
	}
	n, logged := int32(0), all(at).Union(gtid.MustParse(at.MySQL.Committing))
	for _, m := range newest.Members {
		if o := p.observe(p.index(m.Name)); o != nil && o.Answered && o.ServerID == m.ServerUUID && all(o).Contains(logged) {
			n++
		}
	}
	if n < newest.W {
		return nil
	}
	p.status.Durability = []v1alpha1.ReplicationDurabilityEntry{newest}
	return p.save()
}

// all is what a member has, applied or not.
func all(o *agentclient.Observation) gtid.Set {
	s := gtid.MustParse(o.MySQL.Executed)
	if c := o.MySQL.Channel; c != nil {
		s = s.Union(gtid.MustParse(c.Retrieved))
	}
	return s
}

// followAll makes the others follow, where nothing of theirs would be lost by it.
func (p *pilot) followAll(source int) error {
	var errs []error
	newest := p.status.Durability[len(p.status.Durability)-1]
	uuid, err := gtid.ParseUUID(newest.Source)
	if err != nil {
		return err
	}
	for i := range p.seen {
		r := p.record(i)
		if i == source || p.seen[i] == nil {
			continue
		}
		if slices.Contains(p.seen[i].Status.Holds, holdFence) && r.Role != agentclient.RoleSource {
			if _, err := p.hold(i, false); err != nil {
				errs = append(errs, err)
			}
			continue
		}
		if !p.answered(i) && r.Role != agentclient.RoleSource || p.isolated(i) {
			continue
		}
		if r.Role == agentclient.RoleSource {
			o, err := p.seat.Demote(unbounded, p.target(i), p.fence())
			if err != nil {
				errs = append(errs, err)
				continue
			}
			p.seen[i] = o
			if !o.Answered {
				continue
			}
		}
		member := slices.ContainsFunc(newest.Members, func(m v1alpha1.DurabilityMember) bool { return m.ServerUUID == p.seen[i].ServerID })
		c := p.seen[i].MySQL.Channel
		if r.Role == agentclient.RoleReplica && r.Upstream.ServerID == newest.Source && p.seen[i].MySQL.SemiSync.ReplicaEnabled == member && c != nil && c.Host == p.name(source) {
			continue
		}
		at := p.observe(source)
		if at == nil || !at.Answered || at.ServerID != newest.Source {
			return errors.Join(errs...)
		}
		if !gtid.Errant(all(p.seen[i]), all(at), uuid).IsEmpty() {
			continue
		}
		o, err := p.seat.Follow(unbounded, p.target(i), agentclient.FollowRequest{
			Fence: p.fence(), UpstreamExecuted: at.MySQL.Executed, Acknowledge: member,
			Upstream: agentclient.Upstream{Name: p.name(source), Host: p.name(source), Port: 3306, ServerID: newest.Source, User: channelUser},
			Channel:  agentclient.ChannelAccount{User: channelUser, Password: "p"},
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.seen[i] = o
	}
	return errors.Join(errs...)
}

func (p *pilot) start(typ v1alpha1.ReplicationOperationType, from, to int) error {
	p.status.Epoch++
	op := &v1alpha1.ReplicationOperation{ID: fmt.Sprintf("op-%d", p.status.Epoch), Type: typ, Phase: phaseFence, From: p.name(from), Epoch: p.status.Epoch}
	if to >= 0 {
		op.To = p.name(to)
	}
	p.status.Operation, p.patience = op, 0
	return p.save()
}

func (p *pilot) end() error {
	p.status.Operation, p.patience = nil, 0
	return p.save()
}

// switchover continues where the operation is.
func (p *pilot) switchover() error {
	op := p.status.Operation
	from, to := p.index(op.From), p.index(op.To)
	p.patience++
	switch {
	case op.Phase == phaseFence && p.patience > 2*patience:
		// The old source continues, by an epoch that no call of this operation has.
		p.status.Epoch++
		return p.end()
	case op.Phase == phaseFence && p.patience%4 == 3:
		// Clients should not wait for one that does not catch up: another try later. A
		// commit on its way must not come after this.
		if p.unknown {
			p.status.Epoch++
			op.Epoch = p.status.Epoch
			if err := p.save(); err != nil {
				return err
			}
			p.unknown = false
		}
		return p.promote(from)
	}
	switch op.Phase {
	case phaseFence:
		closed, err := p.seat.Demote(unbounded, p.target(from), p.fence())
		if err != nil || !closed.Answered || closed.ServerID != p.status.Durability[len(p.status.Durability)-1].Source {
			return err
		}
		p.seen[from] = closed
		target := gtid.MustParse(closed.MySQL.Executed)
		o := p.observe(to)
		if o == nil || !o.Answered || o.ServerID != p.seat.w.learned[to] || !gtid.MustParse(o.MySQL.Executed).Contains(target) {
			return nil
		}
		op.TargetPosition = closed.MySQL.Executed
		return p.commit(to)
	}
	return p.open(to)
}

// hold sets or lifts the fence of a member.
func (p *pilot) hold(i int, held bool) (*agentclient.Status, error) {
	return p.seat.SetHold(unbounded, p.target(i), agentclient.Hold{Name: holdFence, Held: held, Epoch: p.status.Epoch, ReplicationUID: replicationUID})
}

// commit records the new source: from here on the way is forward.
func (p *pilot) commit(to int) error {
	p.status.Source = p.name(to)
	p.status.Operation.To, p.status.Operation.Phase = p.name(to), phaseOpen
	p.status.Durability = append(p.status.Durability, p.entry(to))
	p.unknown = true
	if err := p.save(); err != nil {
		return err
	}
	p.unknown = false
	return p.open(to)
}

// open is what comes after the commit; a target that fails is a failover of its own.
func (p *pilot) open(to int) error {
	if !p.answered(to) || p.seen[to].ServerID != p.status.Durability[len(p.status.Durability)-1].Source {
		if p.patience++; p.patience > patience {
			return p.start(v1alpha1.OperationFailover, to, -1)
		}
		return nil
	}
	if err := p.promote(to); err != nil {
		return err
	}
	return p.end()
}

// failover continues where the operation is.
func (p *pilot) failover() error {
	op := p.status.Operation
	from := p.index(op.From)
	if op.Phase == phaseOpen {
		return p.open(p.index(op.To))
	}
	p.patience++
	// A vote for each member of the source's promises that answers.
	votes := map[int]*agentclient.Observation{}
	for i := range p.seen {
		if i == from || !p.answered(i) {
			continue
		}
		var o *agentclient.Observation
		var err error
		if p.record(i).Role == agentclient.RoleSource {
			o, err = p.seat.Demote(unbounded, p.target(i), p.fence())
		} else {
			o, err = p.seat.Isolate(unbounded, p.target(i), p.fence())
		}
		if agentclient.IsStaleFence(err) {
			return err
		}
		if err == nil && o.Answered {
			votes[i] = o
		}
	}
	to := p.candidate(votes)
	if p.async() && to >= 0 {
		// Nobody's acknowledgement is missing to a source that waits for none: it must be
		// down for sure.
		held, err := p.hold(from, true)
		if err != nil {
			return err
		}
		if o := p.observe(from); o == nil || o.Status.StopProof == nil || o.Status.StopProof.Order < held.HoldsOrder {
			to = -1
		}
	}
	if to < 0 {
		newest := p.status.Durability[len(p.status.Durability)-1]
		if p.patience > patience && p.answered(from) && p.seen[from].ServerID == newest.Source {
			// It is back: whoever voted follows it again.
			if _, err := p.hold(from, false); err != nil {
				return err
			}
			p.status.Epoch++
			return p.end()
		}
		return nil
	}
	return p.commit(to)
}

// candidate has all that was acknowledged, by every entry; -1: none, or not enough
// votes.
func (p *pilot) candidate(votes map[int]*agentclient.Observation) int {
	for _, e := range p.status.Durability {
		if p.async() || !p.seat.w.Rules.CountQuorum {
			break
		}
		r := 0
		for i, o := range votes {
			if slices.ContainsFunc(e.Members, func(m v1alpha1.DurabilityMember) bool {
				return m.Name == p.name(i) && m.ServerUUID == o.ServerID
			}) || o.ServerID == e.Source {
				r++
			}
		}
		if r+int(e.W) <= len(e.Members) {
			return -1
		}
	}
	for i := range p.seen {
		o := votes[i]
		if o == nil || p.isolated(i) {
			continue
		}
		best := true
		for _, other := range votes {
			best = best && all(o).Contains(all(other))
		}
		if best {
			return i
		}
	}
	return -1
}
