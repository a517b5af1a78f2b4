// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// elect the member with all the data, or with what it can get of it, and commit once it
// has applied that.
func (d *decision) elect(from *Member, voters topology.Voters, how v1alpha1.FenceProof) {
	op := d.Recorded.Operation
	top := d.top(voters)
	if top == nil && how == v1alpha1.FenceForced && op.To != "" {
		top = d.member(op.To)
	}
	if top == nil {
		d.abort("the members that answer have diverged: none has all that the others have")
		d.takeBackFailover(from)
		return
	}
	to := d.elected(voters, top)
	if to == nil {
		d.abort("no member that answers may become the source%s", d.whyNone(voters))
		d.takeBackFailover(from)
		return
	}
	all := top.holds()
	if how == v1alpha1.FenceForced {
		all = to.holds()
	}
	switch {
	case !to.holds().Contains(all):
		if why := d.catchUp(to, top); why != "" {
			d.abort("%s", why)
		}
	case d.runsForOther(top) && top != to:
		d.step(top, topology.Step{Kind: topology.StepDemote, Why: to.Name + " has what it has"})
	case !to.Server.Executed.Contains(all):
		if to.Server.Channel != nil && to.Server.Channel.ApplierError != "" {
			d.abort("%s cannot apply what it received: %s", to.Name, d.applierError(to))
			d.takeBackFailover(from)
			return
		}
		d.await(to, all)
	default:
		d.commit(to, how, all.String())
	}
}

// top is the voter that has all that any other has; nil: there is none.
func (d *decision) top(voters topology.Voters) *Member {
	var all gtid.Set
	for i := range d.Members {
		if m := &d.Members[i]; d.isVoter(voters, m) {
			all = all.Union(m.holds())
		}
	}
	for i := range d.Members {
		if m := &d.Members[i]; d.isVoter(voters, m) && m.holds().Contains(all) {
			return m
		}
	}
	return nil
}

func (d *decision) isVoter(voters topology.Voters, m *Member) bool {
	_, ok := voters[m.Name]
	return ok
}

// elected is the member that is asked for, else the best: of those that have all the
// data if one may be the source, else of the others, which catch up first.
func (d *decision) elected(voters topology.Voters, top *Member) *Member {
	if op := d.Recorded.Operation; op.To != "" {
		m := d.member(op.To)
		if m == nil || !m.answers() || d.unableInFailover(m) != "" {
			return nil
		}
		return m
	}
	var having, lacking []topology.Candidate
	var followers []string
	for i := range d.Members {
		m := &d.Members[i]
		if !d.isVoter(voters, m) {
			continue
		}
		followers = append(followers, m.Seen.Version)
		if m.Priority == 0 || d.unableInFailover(m) != "" {
			continue
		}
		if m.holds().Contains(top.holds()) {
			having = append(having, d.candidate(m, i))
		} else {
			lacking = append(lacking, d.candidate(m, i))
		}
	}
	for _, list := range [][]topology.Candidate{having, lacking} {
		if len(list) > 0 {
			return d.member(topology.Sorted(list, followers)[0].Name)
		}
	}
	return nil
}

// unableInFailover says why a voter cannot be the source; empty: it can. One that cannot
// apply what it has received would lose it.
func (d *decision) unableInFailover(m *Member) string {
	if why := d.unable(m); why != "" {
		return why
	}
	if c := m.Server.Channel; c != nil && c.ApplierError != "" && !m.Server.Executed.Contains(c.Retrieved) {
		return "it cannot apply what it received: " + shorten(c.ApplierError)
	}
	return ""
}

func (d *decision) whyNone(voters topology.Voters) string {
	why := ""
	for i := range d.Members {
		m := &d.Members[i]
		if !d.isVoter(voters, m) {
			continue
		}
		reason := d.unableInFailover(m)
		if reason == "" && m.Priority == 0 {
			reason = "its priority is 0"
		}
		why += "; " + m.Name + ": " + reason
	}
	return why
}

// catchUp has a member get from another one what it lacks: that one is made a source that
// stays closed, so that the member can log in to it, and follows nobody again after that.
// The former source stays fenced as it is. It returns why that cannot be; empty: it can.
func (d *decision) catchUp(to, top *Member) (why string) {
	switch c := to.Server.Channel; {
	case c != nil && !to.Server.Executed.Contains(c.Retrieved):
		// Another channel may cost its relay log, which counts as long as it is there.
		d.await(to, c.Retrieved)
	case top.Name != d.Recorded.Operation.From && !d.runsForOther(top):
		if !d.step(top, topology.Step{Kind: topology.StepPromote, ServerID: top.Seen.ServerID, Generation: d.Recorded.Data.Generation, Why: to.Name + " lacks what it has"}) {
			return top.Name + " could not give " + to.Name + " what that lacks: " + d.whyNot(top, topology.StepPromote)
		}
	case d.followsServer(to, top):
		d.await(to, top.holds())
	case !d.step(to, d.followOf(to, top)):
		return to.Name + " could not get what it lacks from " + top.Name + ": " + d.whyNot(to, topology.StepFollow)
	}
	return ""
}
