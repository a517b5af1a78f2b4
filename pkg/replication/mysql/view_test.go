// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const testUID types.UID = "replication"

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// uuid of the server of u<i>.
func uuid(i int) string { return fmt.Sprintf("%08d-0000-0000-0000-000000000000", i+1) }

// gtids of u<i>: "1-5".
func gtids(i int, intervals string) gtid.Set { return gtid.MustParse(uuid(i) + ":" + intervals) }

// healthy is a set of n in rpl_semi_sync at epoch 7 whose source is u0, with ten
// transactions that all have.
func healthy(n int) View {
	v := View{
		Now: testNow, LeaseFresh: true,
		Request: topology.Request{UID: testUID, Sync: true, Source: "u0"},
		Recorded: topology.Recorded{
			Source: "u0", Epoch: 7, Data: v1alpha1.ReplicationData{SystemID: uuid(0)},
			LastTransition: &v1alpha1.ReplicationTransition{To: "u0", At: metav1.NewTime(testNow.Add(-time.Hour)), Requested: "u0"},
		},
	}
	var rule topology.Rule
	for i := 1; i < n; i++ {
		rule.Members = append(rule.Members, v1alpha1.DurabilityMember{Name: fmt.Sprintf("u%d", i), UnitUID: types.UID(fmt.Sprintf("unit-u%d", i)), ServerUUID: uuid(i)})
	}
	rule.W = v.Request.Durability.Waits(len(rule.Members))
	v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: uuid(0), W: rule.W, Members: rule.Members}}
	for i := range n {
		name := fmt.Sprintf("u%d", i)
		pod := types.UID("pod-" + name)
		id, err := gtid.ParseUUID(uuid(i))
		if err != nil {
			panic(err)
		}
		m := Member{
			Member: topology.Member{
				Name: name, UnitUID: types.UID("unit-" + name), Host: name, Port: 3306, Priority: 1, Owned: true, HadData: true, PodUID: pod, PodReady: true,
			},
			Seen: &topology.Observed{
				At: testNow, PodUID: pod, Epoch: 7, Answered: true, ReadOnly: i > 0, ServerID: uuid(i), Version: "8.4.6",
				Record: &topology.Record{Replication: testUID, Epoch: 7},
			},
			Server: &Server{UUID: id, Executed: gtids(0, "1-10")},
		}
		if i == 0 {
			m.Seen.Record.Role, m.Seen.Record.Rule, m.Seen.Record.Open = topology.RoleSource, rule, true
			m.Server.SemiSync = SemiSync{Enabled: rule.W > 0, Active: rule.W > 0, WaitFor: rule.W, Clients: int32(n - 1)} //nolint:gosec // A handful.
			for j := 1; j < n; j++ {
				m.Server.Receivers = append(m.Server.Receivers, Receiver{ServerUUID: uuid(j), Acknowledging: true})
			}
		} else {
			m.Seen.Record.Role = topology.RoleReplica
			m.Seen.Record.Upstream = topology.Upstream{Name: "u0", Host: "u0", Port: 3306, ServerID: uuid(0)}
			m.Server.Channel = &Channel{Host: "u0", Port: 3306, SourceUUID: uuid(0), Receiving: true, Applying: true, Retrieved: gtids(0, "1-10")}
			m.Server.SemiSync.Acknowledges = true
		}
		v.Members = append(v.Members, m)
		v.Recorded.Members = append(v.Recorded.Members, v1alpha1.ReplicationMemberStatus{Name: name, UnitUID: m.UnitUID, PodUID: pod, ServerID: uuid(i)})
	}
	v.Memory.Settled = testNow.Add(-time.Minute)
	return v
}

// edit of a view.
type edit func(v *View)

func with(v View, edits ...edit) View {
	for _, e := range edits {
		e(&v)
	}
	if v.Memory.SettledUnder == nil {
		v.Memory.SettledUnder = v.Recorded.Durability
	}
	return v
}

// each edit of one member.
func member(i int, e func(m *Member)) edit { return func(v *View) { e(&v.Members[i]) } }

// away: the agent of u<i> does not answer, and no kubelet speaks for it.
func away(i int) edit {
	return member(i, func(m *Member) { m.Seen, m.Server, m.Trouble, m.PodReady = nil, nil, "no answer", false })
}

// serverDown: its agent answers, its server does not.
func serverDown(i int) edit {
	return member(i, func(m *Member) {
		seen := *m.Seen
		seen.Answered, seen.Down, seen.Trouble = false, true, "it is down"
		m.Seen, m.Server, m.PodReady = &seen, nil, false
	})
}

// unlooked: its agent answers, and has not heard of its server: it was just started, or the
// server hangs.
func unlooked(i int) edit {
	return member(i, func(m *Member) {
		seen := *m.Seen
		seen.Answered, seen.Down, seen.Trouble = false, false, "context deadline exceeded"
		m.Seen, m.Server = &seen, nil
	})
}

// refuses: a call of that kind was refused by the agent of u<i> in this pass.
func refuses(i int, kind topology.StepKind) edit {
	return member(i, func(m *Member) {
		m.Refusals = append(m.Refusals, topology.Refusal{Kind: kind, Message: "an operation has the unit"})
	})
}

// asked: somebody names u<i> as the source.
func asked(i int) edit { return func(v *View) { v.Request.Source = v.Members[i].Name } }

// deaf: a replica's receiver has lost its source.
func deaf(i int) edit { return member(i, func(m *Member) { m.Server.Channel.Receiving = false }) }

func enabled(v *View) {
	v.Request.Failover = topology.Failover{Enabled: true, Delay: 30 * time.Second, MinimumInterval: 10 * time.Minute}
}

func async(v *View) {
	v.Request.Sync = false
	v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: uuid(0)}}
	v.Members[0].Seen.Record.Rule = topology.Rule{}
	v.Members[0].Server.SemiSync = SemiSync{}
	for i := 1; i < len(v.Members); i++ {
		v.Members[i].Server.SemiSync.Acknowledges = false
	}
}

// failingFor: the source has failed for so long.
func failingFor(d time.Duration) edit {
	return func(v *View) { v.Memory.FailingSince = v.Now.Add(-d) }
}

// isolatedAt an epoch, as a vote is.
func isolatedAt(i int, epoch int64) edit {
	return member(i, func(m *Member) {
		m.Seen.Epoch = epoch
		m.Seen.Record = &topology.Record{Replication: testUID, Epoch: epoch, Role: topology.RoleIsolated}
		if m.Server != nil && m.Server.Channel != nil {
			c := *m.Server.Channel
			c.Receiving = false
			m.Server.Channel = &c
		}
		if m.Server != nil {
			m.Server.SemiSync.Acknowledges = false
		}
		m.Seen.ReadOnly = true
	})
}

// operating: an operation of this process is under way.
func operating(t v1alpha1.ReplicationOperationType, phase, to, reason string) edit {
	return func(v *View) {
		v.Recorded.Epoch = 8
		kind := strings.ToLower(string(t))
		v.Recorded.Operation = &v1alpha1.ReplicationOperation{
			ID: kind + "-8-" + reason, Type: t, Phase: phase, From: "u0", To: to, Epoch: 8,
			StartedAt: new(metav1.NewTime(v.Now)), Deadline: new(metav1.NewTime(v.Now.Add(30 * time.Second))),
		}
		v.Memory.Own(v.Recorded.Operation)
	}
}

// line is a plan in one line: state, reason, then what is changed or called.
func line(p topology.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s", p.State, p.Reason)
	if c := p.Change; c != nil {
		fmt.Fprintf(&b, " save %s", c.Kind)
		if c.To.Operation != nil {
			fmt.Fprintf(&b, " %s %s->%s", c.To.Operation.ID, c.To.Operation.From, c.To.Operation.To)
		}
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, " %s(%s", s.Kind, s.Member)
		if s.Upstream.Name != "" {
			fmt.Fprintf(&b, "<-%s", s.Upstream.Name)
		}
		if s.Acknowledge {
			b.WriteString(" ack")
		}
		if s.Kind == topology.StepPromote {
			fmt.Fprintf(&b, " w=%d", s.Rule.W)
			if s.Open {
				b.WriteString(" open")
			}
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
