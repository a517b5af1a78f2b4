// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// replacement sees a replacement of the source's data through, such as a restore that was
// asked for: what it may cost is recorded before it may begin, and what became of it
// afterwards, by what the source itself says. It reports whether that comes before
// everything else about a source that answers.
func (d *decision) replacement() bool {
	r, due := d.Recorded.Data.Replacement, d.Request.Replacing
	switch {
	case r == nil && due == "":
		return d.disown()
	case r == nil:
		d.withdraw()
	case d.source.Seen.Busy != "" && due != r.By:
		// The call was given up, and its agent goes on with what it asked for.
		d.sayReplacing()
		d.plan.Message += "; waiting for the end of operation " + d.source.Seen.Busy
		d.requeue(workInterval)
	case due == "" || r.By != "" && r.By != due:
		d.judge()
	default:
		d.yield(r)
	}
	return true
}

// withdraw what is promised, before anything is done for the replacement: nobody may be
// promoted from then on, for whether the source's data is still that of the others is not
// known before the end.
func (d *decision) withdraw() {
	s := d.source
	d.sayReplacing()
	to := d.Recorded.Clone()
	to.Durability = nil
	to.Data.Replacement = &v1alpha1.ReplicationReplacement{ServerID: s.Seen.ServerID, Generation: s.Seen.Generation}
	d.warn(topology.ChangeData, to, EventReplacementDue, "the data of %s is to be replaced on request: no failover is possible before that is over and a replica holds what the source has then", s.Name)
}

func (d *decision) sayReplacing() {
	d.state(SourceInOperation, ReasonReplacing, "the data of %s is being replaced on request; no failover is made before that is over", d.Recorded.Source)
}

// yield the source to the replacement: its commits wait for nobody, since what loads data
// would wait for ever, and the others follow nobody, with the data that they have. Once
// all of that is seen it is recorded who may begin. The call is named, so that no other
// one begins by what was permitted before.
func (d *decision) yield(r *v1alpha1.ReplicationReplacement) {
	s := d.source
	d.sayReplacing()
	d.requeue(workInterval)
	if r.By == "" && !d.enforced(topology.Rule{}) {
		if s.open() && s.Server.SemiSync.Waiting > 0 {
			if !d.step(s, topology.Step{Kind: topology.StepDemote, Why: "commits wait for an acknowledgement, and those to come are not to"}) {
				d.plan.Message += "; " + s.Name + " could not be closed, for its commits wait: " + d.whyNot(s, topology.StepDemote)
			}
			return
		}
		if !d.promoteSource(topology.Rule{}) {
			d.plan.Message += "; " + s.Name + " could not be made to wait for nobody: " + d.whyNot(s, topology.StepPromote)
		}
		return
	}
	var missing []string
	for i := range d.Members {
		m := &d.Members[i]
		if m == s || !m.Owned || d.silent(m) {
			continue
		}
		name := m.Name
		if !d.step(m, topology.Step{Kind: topology.StepIsolate, Why: "the source's data is to be replaced"}) {
			name += " (" + d.whyNot(m, topology.StepIsolate) + ")"
		}
		missing = append(missing, name)
	}
	switch {
	case r.By != "":
		d.plan.MayReplace = true
	case len(missing) > 0:
		d.plan.Message += "; waiting until " + strings.Join(missing, ", ") + " can receive nothing of it any more"
	default:
		to := d.Recorded.Clone()
		to.Data.Replacement.By = d.Request.Replacing
		d.change(topology.ChangeData, to, "", "")
	}
}

// judge what became of a replacement that is over. Whether the call succeeded does not
// matter: another server on the source's volume is other data, the same one is the data
// that the others have, and what was loaded into it they get as any transaction.
func (d *decision) judge() {
	s := d.source
	to := d.Recorded.Clone()
	r := to.Data.Replacement
	to.Data.Replacement = nil
	switch {
	case d.replaced(s):
		to.Data.SystemID, to.Data.Generation = s.Seen.ServerID, to.Data.Generation+1
		to.Data.Outdated = d.serversBut(s)
		setPod(&to, s)
		d.warn(topology.ChangeData, to, EventDataReplaced,
			"the data of %s was replaced: its server is %s now and was %s before; the other members are made copies of it, one after the other, and no failover is possible before the first is", s.Name, s.Seen.ServerID, r.ServerID)
	case d.upstream(s).ServerID == r.ServerID:
		d.change(topology.ChangeData, to, EventDataKept, "the data of %s was not replaced by another server's: the other members follow it again", s.Name)
	default:
		// A person has made another member the source meanwhile.
		d.change(topology.ChangeData, to, "", "")
	}
}

// replaced: another server's data was put in the place of the source's while that was
// permitted, and it is not known yet. The agent starts a server on other data only if the
// volume says that an operation put it there, which has raised the data's generation; an
// empty server is none, for a person may have given up a volume that was lost.
func (d *decision) replaced(m *Member) bool {
	r, was := d.Recorded.Data.Replacement, d.Recorded.Member(m.Name)
	return r != nil && d.isSource(m) && m.answers() && was != nil && was.ServerID == r.ServerID &&
		m.Seen.ServerID != r.ServerID && m.Seen.Generation > r.Generation && !m.Seen.Pristine
}

// serversBut that of the source: all that are known to be, or to have been last, those of
// other members.
func (d *decision) serversBut(s *Member) []string {
	var ids []string
	for i := range d.Members {
		m := &d.Members[i]
		if m == s {
			continue
		}
		if r := d.Recorded.Member(m.Name); r != nil {
			ids = append(ids, r.ServerID)
		}
		if m.reachable() {
			ids = append(ids, m.Seen.ServerID)
		}
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" || id == s.Seen.ServerID })
}

// disown the list of servers with data of before once it is of no use: none of them is
// left, or a person has made one of them the source, so that its data counts again.
func (d *decision) disown() bool {
	list := d.Recorded.Data.Outdated
	if len(list) == 0 {
		return false
	}
	others := d.serversBut(d.source)
	left := slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !slices.Contains(others, id) })
	if d.outdated(d.source) {
		left = nil
	}
	if len(left) == len(list) {
		return false
	}
	to := d.Recorded.Clone()
	if to.Data.Outdated = left; len(left) == 0 {
		to.Data.Outdated = nil
	}
	d.change(topology.ChangeData, to, "", "")
	return true
}

// outdated: its data is of a generation before the recorded one.
func (d *decision) outdated(m *Member) bool {
	return m.reachable() && m.Seen.ServerID != "" && slices.Contains(d.Recorded.Data.Outdated, m.Seen.ServerID)
}

// keepsOff: the member must not follow the source, for one of them has other data than the
// other, or may have.
func (d *decision) keepsOff(m, s *Member) bool {
	r, was := d.Recorded.Data.Replacement, d.Recorded.Member(s.Name)
	return d.outdated(m) || r != nil && was != nil && was.ServerID == r.ServerID
}
