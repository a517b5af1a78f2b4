// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Election is who may be promoted in place of the recorded primary.
type Election struct {
	// To is the member; empty: none, and Why says so.
	To string
	// Position that it has: all that any of the voters has, on the lineage that is recorded.
	Position wal.Position
	Why      string
}

// Elect one of the voters, who have promised to receive nothing of the recorded primary any
// more, and were asked for their positions after that. Nobody is elected while a commit that
// was acknowledged may be on none of them, unless force accepts that. Whether the primary is
// fenced is another question.
func (v *View) Elect(voters []string, force bool) Election {
	if !force {
		if why := v.lossRisk(voters); why != "" {
			return Election{Why: why}
		}
	}
	top := v.top(voters)
	if top == nil {
		return Election{Why: "none of the members that answer has all that the others have" + v.whyNone(voters)}
	}
	all, _ := top.stored()
	var having []topology.Candidate
	var followers []string
	for i := range v.Members {
		m := &v.Members[i]
		if !voter(voters, m) || !m.answers() {
			continue
		}
		followers = append(followers, m.Seen.Version)
		b, _ := m.stored()
		if relation, _ := wal.Compare(b, all); relation != wal.Same || v.unable(m) != "" {
			continue
		}
		having = append(having, topology.Candidate{
			Name: m.Name, Priority: m.Priority, Delay: m.Delay, Evacuated: m.Evacuate != "", Version: m.Seen.Version, Ordinal: i,
		})
	}
	if len(having) == 0 {
		return Election{Why: "no member that has all that was received may become the primary" + v.whyNone(voters)}
	}
	return Election{To: topology.Sorted(having, followers)[0].Name, Position: all.Position()}
}

func voter(voters []string, m *Member) bool {
	for _, name := range voters {
		if name == m.Name {
			return true
		}
	}
	return false
}

// lossRisk says why acknowledged commits may be on none of the voters; empty: they have all.
func (v *View) lossRisk(voters []string) string {
	if len(v.Recorded.Durability) == 0 {
		return "it is not recorded who has what was acknowledged: no failover can be made without loss"
	}
	if !v.Request.Sync {
		return ""
	}
	arrived := v.arrived(voters)
	for _, e := range v.Recorded.Durability {
		if v.committed(e, voters) {
			continue
		}
		if e.W == 0 {
			return "commits were acknowledged that nobody but the primary may have"
		}
		// Identities are left out: members share one, which would make each the server that
		// made the commits.
		named := topology.Voters{}
		for _, was := range e.Members {
			if m := v.Member(was.Name); m != nil && voter(voters, m) && sameUnit(was, m) && (v.continues(m) || v.gaveUp(m) && arrived) {
				named[was.Name] = ""
			}
		}
		more, _ := topology.Missing([]v1alpha1.ReplicationDurabilityEntry{e}, named)
		if more == 0 {
			continue
		}
		return "acknowledged commits may be on members that do not answer: " + strconv.Itoa(int(more)) + " more of those that acknowledge must, for " +
			strconv.Itoa(int(e.W)) + " of " + strconv.Itoa(len(e.Members)) + " acknowledged each"
	}
	return ""
}

// committed: who made the entry's commits is itself one of the voters, and has them all: the
// recorded primary as a standby after a crash, or its predecessor, which was stopped with
// what was recorded then.
func (v *View) committed(e v1alpha1.ReplicationDurabilityEntry, voters []string) bool {
	if s := v.Source(); s != nil && voter(voters, s) && s.Seen != nil && e.Source == s.Seen.ServerID {
		if b, ok := s.stored(); ok && v.StandingOf(b) == StandingCurrent && int64(b.Position().Timeline) >= e.Timeline {
			return true
		}
	}
	last := v.Recorded.LastTransition
	if last == nil || last.To != v.Recorded.Source || e.Timeline >= v.Recorded.Data.Timeline {
		return false
	}
	former := v.Member(last.From)
	if former == nil || !voter(voters, former) || !v.continues(former) || e.Source != former.Seen.ServerID {
		return false
	}
	_, begin, err := v.promotion()
	b, _ := former.stored()
	return err == nil && b.End >= begin
}

// top is the voter that has all that any other has on the recorded lineage; nil: there is
// none. While one has come to the recorded timeline, those that have not have less, or WAL
// that was given up.
func (v *View) top(voters []string) *Member {
	for _, standing := range []Standing{StandingCurrent, StandingBefore} {
		var best *Member
		for i := range v.Members {
			m := &v.Members[i]
			if !voter(voters, m) || v.Standing(m) != standing || m.primary() {
				continue
			}
			if best == nil {
				best = m
				continue
			}
			mine, _ := m.stored()
			others, _ := best.stored()
			switch relation, _ := wal.Compare(mine, others); relation {
			case wal.Ahead:
				best = m
			case wal.Diverged, wal.Unrelated:
				return nil
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// continues: the member's WAL is known, and none of it was given up by the recorded promotion.
func (v *View) continues(m *Member) bool {
	standing := v.Standing(m)
	return standing == StandingCurrent || standing == StandingBefore
}

// gaveUp: the member has WAL that the recorded promotion gave up. It is not promoted, and has
// acknowledged nothing since that promotion; what it acknowledged before that is on whoever
// has come to it.
func (v *View) gaveUp(m *Member) bool {
	standing := v.Standing(m)
	return standing == StandingBeyond || standing == StandingApart
}

// arrived: one of the voters has come to the recorded promotion.
func (v *View) arrived(voters []string) bool {
	for i := range v.Members {
		if m := &v.Members[i]; voter(voters, m) && !m.primary() && v.Standing(m) == StandingCurrent {
			return true
		}
	}
	return false
}

// unable says why the member may not be promoted; empty: it may.
func (v *View) unable(m *Member) string {
	switch {
	case !m.answers():
		return "it does not answer"
	case !v.continues(m):
		return "its WAL is " + strings.ToLower(string(v.Standing(m))) + " what the recorded primary has written"
	case m.primary():
		return "it is a primary already, and not the recorded one"
	case !m.stays():
		return "it is isolated, or leaves"
	case m.Priority == 0:
		return "its priority is 0"
	}
	return v.incapable(m)
}

func (v *View) whyNone(voters []string) string {
	why := ""
	for i := range v.Members {
		if m := &v.Members[i]; voter(voters, m) {
			if reason := v.unable(m); reason != "" {
				why += "; " + m.Name + ": " + reason
			}
		}
	}
	return why
}
