// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// yielded: a replacement of the source's data was let begin. Nothing is promised, the
// source waits for nobody, and the others follow nobody.
func yielded(v View) View {
	v.Request.Replacing = "call"
	v.Recorded.Durability = nil
	v.Recorded.Data.Generation = 1
	v.Recorded.Data.Replacement = &v1alpha1.ReplicationReplacement{ServerID: uuid(0), Generation: 1, By: "call"}
	s := &v.Members[0]
	s.Seen.Generation = 1
	s.Seen.Record.Rule, s.Server.SemiSync, s.Server.Receivers = topology.Rule{}, SemiSync{}, nil
	for i := 1; i < len(v.Members); i++ {
		isolatedAt(i, 7)(&v)
		v.Members[i].Seen.Record.Generation = 1
	}
	return v
}

// over: the call has a result, or is gone.
func over(v *View) { v.Request.Replacing = "" }

// restored: the source's volume holds another server, with half of what was there before.
func restored(generation int64) edit {
	return member(0, func(m *Member) {
		id, err := gtid.ParseUUID(uuid(8))
		if err != nil {
			panic(err)
		}
		m.Seen.ServerID, m.Seen.Generation = uuid(8), generation
		m.Server.UUID, m.Server.Executed, m.Server.Purged = id, gtids(0, "1-5"), gtids(0, "1-5")
	})
}

// outdatedBy a restore that was judged: the others have the data of before.
func outdatedBy(v View) View {
	v = yielded(v)
	over(&v)
	restored(2)(&v)
	v.Recorded.Data = v1alpha1.ReplicationData{SystemID: uuid(8), Generation: 2, Outdated: []string{uuid(1), uuid(2)}}
	v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: uuid(8)}}
	v.Recorded.Members[0].ServerID = uuid(8)
	v.Members[0].Seen.Record.Generation = 2
	return v
}

func TestAReplacementOfTheSourcesData(t *testing.T) {
	waits := func(v *View) { v.Recorded.Data.Replacement.By = "" }
	follows := func(i int) edit {
		return func(v *View) {
			whole := healthy(len(v.Members))
			v.Members[i] = whole.Members[i]
		}
	}
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"the call was given up, and its agent goes on: what became of the data is not known yet": {
			with(yielded(healthy(3)), over, busy(0)), "SourceInOperation/SourceInOperation"},
		"the source waits for nobody before it is let begin: what loads data would wait for ever": {
			with(yielded(healthy(3)), waits, member(0, func(m *Member) {
				m.Seen.Record.Rule = topology.RuleOf(healthy(3).Recorded.Durability[0])
				m.Server.SemiSync = healthy(3).Members[0].Server.SemiSync
			})), "SourceInOperation/SourceInOperation Promote(u0 w=0 open)"},
		"commits that wait are not acknowledged by that": {
			with(yielded(healthy(3)), waits, member(0, func(m *Member) {
				m.Seen.Record.Rule = topology.RuleOf(healthy(3).Recorded.Durability[0])
				m.Server.SemiSync = healthy(3).Members[0].Server.SemiSync
				m.Server.SemiSync.Waiting = 1
			})), "SourceInOperation/SourceInOperation Demote(u0)"},
		"the others follow nobody before it is let begin": {
			with(yielded(healthy(3)), waits, follows(1), follows(2)), "SourceInOperation/SourceInOperation Isolate(u1) Isolate(u2)"},
		"one that cannot be asked is waited for":      {with(yielded(healthy(3)), waits, away(2)), "SourceInOperation/SourceInOperation"},
		"then the call that may begin is recorded":    {with(yielded(healthy(3)), waits), "SourceInOperation/SourceInOperation save Data"},
		"while it runs nothing is done":               {yielded(healthy(3)), "SourceInOperation/SourceInOperation"},
		"while it runs its new server is no lost one": {with(yielded(healthy(3)), restored(2)), "SourceInOperation/SourceInOperation"},
		"a member in a new pod is not told to follow": {with(yielded(healthy(3)), member(1, func(m *Member) {
			m.Seen.Record, m.PodUID, m.Seen.PodUID = nil, "pod-2", "pod-2"
		})), "SourceInOperation/SourceInOperation Isolate(u1)"},
		"nor while it is paused": {with(yielded(healthy(3)), func(v *View) { v.Request.Paused = true },
			member(1, func(m *Member) { m.Seen.Record = nil })), "Paused/Paused"},
		"another call does not begin by the permission of the one before": {
			with(yielded(healthy(3)), func(v *View) { v.Request.Replacing = "next" }), "/ save Data"},
		"it has failed: the same data is replicated again":         {with(yielded(healthy(3)), over), "/ save Data"},
		"its outcome is not known before the source answers":       {with(yielded(healthy(3)), over, serverDown(0), enabled, failingFor(time.Hour)), "SourceFailed/SourceFailed"},
		"nor is there a failover then in rpl_async":                {with(yielded(with(healthy(3), async)), over, serverDown(0), enabled, failingFor(time.Hour)), "SourceFailed/SourceFailed"},
		"an empty server is none that was put there on request":    {with(yielded(healthy(3)), over, member(0, empty), member(0, func(m *Member) { m.Seen.Generation, m.Seen.Pristine = 2, true })), "SourceLostData/LostData"},
		"nor is another server on data that nobody has replaced":   {with(yielded(healthy(3)), over, restored(1)), "SourceLostData/LostData"},
		"another server when nothing was to be replaced is a loss": {with(healthy(3), restored(9)), "SourceLostData/LostData"},
		"a person has made another member the source meanwhile": {with(yielded(healthy(3)), over, func(v *View) {
			v.Recorded.Data.Replacement.ServerID = uuid(2)
		}), "/ save Data"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s\nwant %s", got, p.Message, tc.want)
			}
		})
	}
}

// Whoever waits for a restore reads what keeps it from beginning.
func TestAReplacementSaysWhyItMayNotBeginYet(t *testing.T) {
	waits := func(v *View) { v.Recorded.Data.Replacement.By = "" }
	ruled := func(waiting int32) edit {
		return member(0, func(m *Member) {
			m.Seen.Record.Rule = topology.RuleOf(healthy(3).Recorded.Durability[0])
			m.Server.SemiSync = healthy(3).Members[0].Server.SemiSync
			m.Server.SemiSync.Waiting = waiting
		})
	}
	follows := func(v *View) { v.Members[1] = healthy(3).Members[1] }
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"a member refuses to be isolated": {with(yielded(healthy(3)), waits, follows, refuses(1, topology.StepIsolate)), "waiting until u1 (an operation has the unit) can receive nothing"},
		"a member does not answer":        {with(yielded(healthy(3)), waits, away(2)), "waiting until u2 (its agent does not answer: no answer) can receive nothing"},
		"the source refuses its rule":     {with(yielded(healthy(3)), waits, ruled(0), refuses(0, topology.StepPromote)), "u0 could not be made to wait for nobody: an operation has the unit"},
		"the source refuses to be closed": {with(yielded(healthy(3)), waits, ruled(1), refuses(0, topology.StepDemote)), "u0 could not be closed, for its commits wait: an operation has the unit"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if !found(p, ReasonReplacing, tc.want) {
				t.Errorf("got %s: %s", line(p), p.Message)
			}
		})
	}
}

// What is recorded of a replacement, from its beginning to its end.
func TestWhatIsRecordedOfAReplacement(t *testing.T) {
	data := func(edits ...func(d *v1alpha1.ReplicationData)) v1alpha1.ReplicationData {
		d := v1alpha1.ReplicationData{SystemID: uuid(0), Generation: 1}
		for _, e := range edits {
			e(&d)
		}
		return d
	}
	replacement := func(by string) func(d *v1alpha1.ReplicationData) {
		return func(d *v1alpha1.ReplicationData) {
			d.Replacement = &v1alpha1.ReplicationReplacement{ServerID: uuid(0), Generation: 1, By: "call"}
			if by == "" {
				d.Replacement.By = ""
			}
		}
	}
	due := func(v *View) {
		v.Request.Replacing, v.Recorded.Data.Generation, v.Members[0].Seen.Generation = "call", 1, 1
	}
	renewed := func(d *v1alpha1.ReplicationData) {
		d.SystemID, d.Generation, d.Outdated = uuid(8), 2, []string{uuid(1), uuid(2)}
	}
	for name, tc := range map[string]struct {
		view View
		want v1alpha1.ReplicationData
	}{
		"what was there before":            {with(healthy(3), due), data(replacement(""))},
		"who may begin":                    {with(yielded(healthy(3)), func(v *View) { v.Recorded.Data.Replacement.By = "" }), data(replacement("call"))},
		"a failure leaves nothing behind":  {with(yielded(healthy(3)), over), data()},
		"a success names what is outdated": {with(yielded(healthy(3)), over, restored(2)), data(renewed)},
		"and those that do not answer":     {with(yielded(healthy(3)), over, restored(2), away(1)), data(renewed)},
		"after one that failed": {with(yielded(healthy(3)), over, restored(4), func(v *View) {
			// It went forward and back, which has raised the volume's generation twice.
			v.Recorded.Data.Replacement.Generation = 3
		}), data(renewed)},
		"one that is made anew is outdated no longer": {with(outdatedBy(healthy(3)), func(v *View) {
			v.Recorded.Members[1].ServerID = uuid(7)
		}, member(1, func(m *Member) { m.Seen.ServerID = uuid(7) })), data(renewed, func(d *v1alpha1.ReplicationData) { d.Outdated = []string{uuid(2)} })},
		"the data of a member that a person made the source counts again": {with(outdatedBy(healthy(3)), func(v *View) {
			v.Recorded.Data.Outdated = []string{uuid(2), uuid(8)}
		}), data(renewed, func(d *v1alpha1.ReplicationData) { d.Outdated = nil })},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(tc.view)
			if p.Change == nil {
				t.Fatalf("nothing is recorded: %s: %s", line(p), p.Message)
			}
			if d := cmp.Diff(tc.want, p.Change.To.Data); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if tc.want.Replacement != nil && len(p.Change.To.Durability) > 0 {
				t.Errorf("%v is promised still", p.Change.To.Durability)
			}
		})
	}
}

// After a replacement that succeeded the others are made copies one after the other, and
// nobody but them.
func TestMembersWithTheDataOfBeforeAreMadeAnew(t *testing.T) {
	remade := func(v *View) {
		// u1 is a copy of u0 by now.
		id, err := gtid.ParseUUID(uuid(7))
		if err != nil {
			panic(err)
		}
		m := &v.Members[1]
		m.Seen.ServerID, m.Server.UUID, m.Server.Executed = uuid(7), id, gtids(0, "1-5")
		m.Server.Channel = nil
		v.Recorded.Members[1].ServerID = uuid(7)
		v.Recorded.Data.Outdated = []string{uuid(2)}
	}
	attached := func(v *View) {
		m := &v.Members[1]
		m.Seen.Record = &topology.Record{
			Replication: testUID, Epoch: 7, Generation: 2, Role: topology.RoleReplica, Upstream: topology.Upstream{Name: "u0", Host: "u0", Port: 3306, ServerID: uuid(8)},
		}
		m.Server.Channel = &Channel{Host: "u0", Port: 3306, SourceUUID: uuid(8), Receiving: true, Applying: true}
		m.Server.SemiSync.Acknowledges = true
		rule := v1alpha1.ReplicationDurabilityEntry{Source: uuid(8), W: 1, Members: []v1alpha1.DurabilityMember{{Name: "u1", UnitUID: "unit-u1", ServerUUID: uuid(7)}}}
		v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{rule}
		s := &v.Members[0]
		s.Seen.Record.Rule, s.Server.SemiSync = topology.RuleOf(rule), SemiSync{Enabled: true, Active: true, WaitFor: 1, Clients: 1}
		s.Server.Receivers = []Receiver{{ServerUUID: uuid(7), Acknowledging: true}}
	}
	unrecorded := func(i int) edit { return member(i, func(m *Member) { m.Seen.Record = nil }) }
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"the first of them":                      {outdatedBy(healthy(3)), "SemiSyncDegraded/Unacknowledged Provision(u1<-u0)"},
		"only the first of them is called":       {with(outdatedBy(healthy(3)), unrecorded(1), unrecorded(2)), "SemiSyncDegraded/Unacknowledged Isolate(u1)"},
		"the second when the first has its copy": {with(outdatedBy(healthy(3)), remade), "SemiSyncDegraded/Unacknowledged Follow(u1<-u0) Provision(u2<-u0)"},
		"a later generation of a volume says nothing": {with(outdatedBy(healthy(3)), remade, attached, member(1, func(m *Member) { m.Seen.Generation = 0 }),
			member(2, func(m *Member) { m.Seen.Generation = 9 })), "Provisioning/Provisioning Provision(u2<-u0)"},
		"not one whose own transactions were reported before": {with(outdatedBy(healthy(3)), func(v *View) {
			v.Recorded.Members[1].Errant = &v1alpha1.ReplicationErrant{GTIDs: uuid(1) + ":1", Evidence: "kept"}
		}), "SemiSyncDegraded/Unacknowledged Provision(u2<-u0)"},
		"none of them is promoted": {with(outdatedBy(healthy(3)), func(v *View) { v.Request.Source = "u1" }), "SwitchoverDue/TargetUnfit Provision(u1<-u0)"},
		"nor in a failover":        {with(outdatedBy(with(healthy(3), async)), serverDown(0), enabled, failingFor(time.Hour)), "SourceFailed/SourceFailed"},
		"nor do they keep one that has its copy from it": {with(outdatedBy(healthy(3)), remade, attached, serverDown(0), deaf(1), enabled, failingFor(time.Hour)),
			"InOperation/Fencing save Begin failover-8-SourceFailed u0->"},
		"or are in its way when it is elected": {with(outdatedBy(healthy(3)), remade, attached, away(0), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" }),
			operating(v1alpha1.OperationFailover, topology.PhaseFencing, "", ReasonSourceFailed), isolatedAt(1, 8), isolatedAt(2, 8)),
			"InOperation/Fencing save Commit failover-8-SourceFailed u0->u1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s %v\nwant %s", got, p.Message, p.Findings, tc.want)
			}
		})
	}
}

func TestWhoIsReadWhileTheSourcesDataIsReplaced(t *testing.T) {
	type labels = map[string]topology.Role
	for name, tc := range map[string]struct {
		view View
		want labels
	}{
		"what clients would write to the source would be lost": {yielded(healthy(3)), labels{"u1": topology.RoleReplica, "u2": topology.RoleReplica}},
		"after a failure": {with(yielded(healthy(3)), over), labels{"u0": topology.RoleSource}},
		"data of before is not read next to that of now": {outdatedBy(healthy(3)), labels{"u0": topology.RoleSource}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Decide(tc.view).Labels); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
