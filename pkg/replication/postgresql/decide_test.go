// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// stopped: its agent answers, and its server does not run. What its files say is known.
func stopped(i int, h wal.History, checkpoint wal.LSN) edit {
	return member(i, func(m *Member) {
		m.Seen.Answered, m.Seen.Down, m.Seen.ReadOnly, m.Seen.Trouble = false, true, false, "it is down"
		m.PodReady = false
		m.Server = &Server{History: h, Control: &Control{ShutDown: true, Timeline: h.Timeline(), Checkpoint: checkpoint}}
	})
}

// serverDown: its agent answers, its server does not.
func serverDown(i int) edit { return stopped(i, onTwo, written-10) }

// hangs: its agent answers, and has no answer of its server.
func hangs(i int) edit {
	return member(i, func(m *Member) {
		m.Seen.Answered, m.Seen.ReadOnly, m.Seen.Trouble, m.Server = false, false, "context deadline exceeded", nil
	})
}

// newPod: it has another pod than before, in which it has no role yet.
func newPod(i int) edit {
	return member(i, func(m *Member) { m.PodUID, m.Seen.PodUID, m.Seen.Record = "pod-new", "pod-new", nil })
}

// deaf: a standby's receiver has lost the primary, which has lost it as well.
func deaf(i int) edit {
	return func(v *View) {
		m, s := &v.Members[i], v.Members[0].Server
		if m.Server != nil {
			m.Server.Receiver = nil
		}
		if s == nil {
			return
		}
		var kept []Standby
		for _, client := range s.Standbys {
			if client.Application != m.Name {
				kept = append(kept, client)
			}
		}
		s.Standbys = kept
	}
}

// isolated at an epoch: as a vote is.
func isolatedAt(i int, epoch int64) edit {
	return member(i, func(m *Member) {
		m.Seen.Epoch, m.Seen.ReadOnly = epoch, m.Seen.Answered
		m.Seen.Record = &topology.Record{Replication: "replication", Epoch: epoch, Role: topology.RoleIsolated}
		if m.Server != nil {
			m.Server.Receiver = nil
		}
	})
}

// refuses: a call of that kind was refused by the agent of u<i> in this pass.
func refuses(i int, kind topology.StepKind) edit {
	return member(i, func(m *Member) {
		m.Refusals = append(m.Refusals, topology.Refusal{Kind: kind, Message: "an operation has the unit"})
	})
}

func paused(v *View) { v.Request.Paused = true }

func async(v *View) {
	v.Request.Sync = false
	v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{entry(0)}
	inForce(entry(0))(v)
}

// promised: the durability is that of an entry, and in force.
func promised(e v1alpha1.ReplicationDurabilityEntry) edit {
	return func(v *View) {
		durability(e)(v)
		inForce(e)(v)
	}
}

// failingFor: the primary has failed for so long.
func failingFor(d time.Duration) edit {
	return func(v *View) { v.Memory.FailingSince = v.Now.Add(-d) }
}

// line is a plan in one line: state, reason, then what is changed or called.
func line(p topology.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s", p.State, p.Reason)
	if c := p.Change; c != nil {
		fmt.Fprintf(&b, " save %s", c.Kind)
		switch {
		case c.Kind == topology.ChangeDurability:
			fmt.Fprintf(&b, " %s", texts(c.To.Durability))
		case c.Kind == topology.ChangeAdopt || c.Kind == topology.ChangeData:
			fmt.Fprintf(&b, " %s %d@%s", c.To.Source, c.To.Data.Timeline, c.To.Data.BeginLSN)
		case c.To.Operation != nil:
			fmt.Fprintf(&b, " %s %s->%s", c.To.Operation.ID, c.To.Operation.From, c.To.Operation.To)
		}
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, " %s(%s", s.Kind, s.Member)
		if s.Upstream.Name != "" {
			fmt.Fprintf(&b, "<-%s", s.Upstream.Name)
		}
		if s.Kind == topology.StepPromote {
			fmt.Fprintf(&b, " w=%d", s.Rule.W)
			if s.Timeline != 0 {
				fmt.Fprintf(&b, " timeline=%d", s.Timeline)
			}
			if s.Open {
				b.WriteString(" open")
			}
		}
		if s.Replace {
			b.WriteString(" replace")
		}
		b.WriteString(")")
	}
	return b.String()
}

// found reports whether a plan's message or one of its findings has the reason and text.
func found(p topology.Plan, reason, text string) bool {
	if p.Reason == reason && strings.Contains(p.Message, text) {
		return true
	}
	for _, f := range p.Findings {
		if f.Reason == reason && strings.Contains(f.Message, text) {
			return true
		}
	}
	return false
}

// decideTwice checks that equal views give equal plans, and that none is changed.
func decideTwice(t *testing.T, v View) topology.Plan {
	t.Helper()
	first := line(Decide(v))
	p := Decide(v)
	if second := line(p); first != second {
		t.Errorf("the same view gives %s, then %s", first, second)
	}
	return p
}

// decided is a case of a table: a view, and the plan that follows from it.
type decided struct {
	view View
	want string
	// reason and text of the message or a finding; empty: not looked at.
	reason, text string
}

func decideEach(t *testing.T, cases map[string]decided) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s\nwant %s", got, p.Message, tc.want)
			}
			if tc.reason != "" && !found(p, tc.reason, tc.text) {
				t.Errorf("no %s with %q: %s: %s, %+v", tc.reason, tc.text, p.Reason, p.Message, p.Findings)
			}
			for _, s := range p.Steps {
				if s.Kind == topology.StepPromote && s.Member != tc.view.Recorded.Source {
					t.Errorf("%s is promoted, and %s is the recorded primary", s.Member, tc.view.Recorded.Source)
				}
			}
		})
	}
}

// slotless: the primary has no slot for u<i>.
func slotless(i int) edit {
	return func(v *View) {
		s := v.Members[0].Server
		var kept []Slot
		for _, slot := range s.Slots {
			if slot.Name != settings.SlotName(v.Members[i].Name) {
				kept = append(kept, slot)
			}
		}
		s.Slots = kept
	}
}

// A server that nobody has written to is pristine by its own word, and so is each copy of it.
func TestCopiesOfAPristinePrimaryAreNotCopiedAgain(t *testing.T) {
	all := func(v *View) {
		for i := range v.Members {
			seen := *v.Members[i].Seen
			seen.Pristine = true
			v.Members[i].Seen = &seen
		}
	}
	p := Decide(with(healthy(3), all))
	if p.State != Healthy || len(p.Steps) > 0 || p.Change != nil {
		t.Errorf("got %s, steps %+v, change %+v", p.State, p.Steps, p.Change)
	}
	v := with(healthy(3), all, emptied(2))
	v.recogniseCopies()
	if v.Members[1].Seen.Pristine || !v.Members[2].Seen.Pristine {
		t.Errorf("a copy is pristine: %v, one without data: %v", v.Members[1].Seen.Pristine, v.Members[2].Seen.Pristine)
	}
}
