// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Each state, what leads to it, and what is done in it.
func TestStates(t *testing.T) {
	for name, tc := range map[string]struct {
		view View
		want string
		// reason and text of a finding; empty: not looked at.
		reason, text string
	}{
		"Healthy: nothing is called or recorded":                                {healthy(3), "Healthy/Healthy", "", ""},
		"Healthy: another account of the channels is given to the source first": {with(healthy(3), channels("old", "old", "old")), "/ Promote(u0 w=1 open)", "", ""},
		"Healthy: then to the replicas":                                         {with(healthy(3), channels("new", "old", "new")), "Healthy/Healthy Follow(u1<-u0 ack)", "", ""},
		"Healthy: not to replicas that the source would not let in with it": {with(healthy(3), channels("old", "old", "old"),
			member(0, func(m *Member) { m.Refusals = []topology.Refusal{{Kind: topology.StepPromote, Message: "busy"}} })), "Healthy/Healthy", "", ""},
		"Healthy: nor before the source's agent says that it has it":         {with(healthy(3), channels("", "old", "new")), "Healthy/Healthy", "", ""},
		"Healthy: agents that do not say which one they have are left alone": {with(healthy(3), channels("", "", "")), "Healthy/Healthy", "", ""},
		"Hibernated: nothing is done":                                        {with(healthy(3), away(0), away(1), away(2), func(v *View) { v.Request.Hibernated = true }), "Hibernated/Hibernated", "", ""},
		"Paused: nothing is done":                                            {with(healthy(3), away(0), enabled, failingFor(time.Hour), func(v *View) { v.Request.Paused = true }), "Paused/Paused", "", ""},
		"Paused: a new pod gets its recorded role": {with(healthy(3), func(v *View) { v.Request.Paused = true },
			member(1, func(m *Member) { m.Seen.Record = nil })), "Paused/Paused Follow(u1<-u0 ack)", "", ""},
		"Paused: a source that waits closed in its new pod is opened once enough can acknowledge": {with(healthy(3), func(v *View) { v.Request.Paused = true }, waitsClosed),
			"Paused/Paused Promote(u0 w=1 open)", "", ""},
		"Paused: it stays closed before that": {with(healthy(3), func(v *View) { v.Request.Paused = true }, waitsClosed, deaf(1), deaf(2), unattached(1), unattached(2)),
			"Paused/Paused", "", ""},
		"Paused: a source that was closed for good is not opened": {with(healthy(3), func(v *View) { v.Request.Paused = true }, isolatedAt(0, 7)),
			"Paused/Paused", "", ""},
		"Blind: no agent answers": {with(healthy(3), away(0), away(1), away(2), enabled, failingFor(time.Hour)), "Blind/NoAgentAnswers", "", ""},
		"Uninitialised: the first source is recorded before it is called": {with(healthy(3), pristine), "Uninitialised/NoSource save Adopt", "", ""},
		"Uninitialised: the server is waited for":                         {with(healthy(3), pristine, serverDown(0)), "Uninitialised/Waiting", "", ""},
		"Uninitialised: another member with data is waited for":           {with(healthy(3), pristine, serverDown(2)), "Uninitialised/Waiting", "", ""},
		"Uninitialised: one that never had data is not waited for": {with(healthy(3), pristine, serverDown(2),
			member(2, func(m *Member) { m.HadData = false })), "Uninitialised/NoSource save Adopt", "", ""},
		"Uninitialised: an empty or stale unit is not made the source": {with(healthy(3), pristine,
			member(1, func(m *Member) { m.Server.Executed = gtids(0, "1-11") })), "Uninitialised/OtherMembersHaveData", "", ""},
		"SplitBrain: the one that is not the source is closed": {with(healthy(3), member(1, func(m *Member) { m.Seen.ReadOnly = false })), "SplitBrain/SplitBrain Demote(u1)", "", ""},
		"SplitBrain: a former source that is closed but would open is closed for good": {with(healthy(3), member(1, func(m *Member) {
			m.Seen.Record = &topology.Record{Replication: testUID, Epoch: 6, Role: topology.RoleSource, Open: true}
		})), "/ Demote(u1)", "", ""},
		"SourceLostData: an empty source is not opened": {with(healthy(3), lostData), "SourceLostData/LostData", ReasonNotEnabled, "not enabled"},
		"SourceLostData: another one is promoted":       {with(healthy(3), lostData, enabled, failingFor(time.Minute)), "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "", ""},
		"SourceLostData: none begins while the only other member is isolated": {with(healthy(2), lostData, enabled, failingFor(time.Minute), member(1, func(m *Member) { m.Isolated = true })),
			"SourceLostData/LostData", ReasonNoCandidate, "u1: it is isolated"},
		"SourceStoppedByUser: no failover": {with(healthy(3), serverDown(0), enabled, failingFor(time.Hour), member(0, func(m *Member) { m.StoppedByUser = true })),
			"SourceStoppedByUser/StoppedByUser", "", ""},
		"SourceStoppedByUser: naming another source is a failover": {with(healthy(3), serverDown(0), member(0, func(m *Member) { m.StoppedByUser = true }), func(v *View) { v.Request.Source = "u2" }),
			"InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"SourceStoppedByUser: not of one whose agent has not answered for a moment, and whose server may run still": {with(healthy(3), away(0), deaf(1), deaf(2), asked(2), member(0, func(m *Member) { m.StoppedByUser = true })),
			"SourceStoppedByUser/StoppedByUser", ReasonDelay, "u2 is asked for, and replaces u0 when nobody has heard of it for 10s"},
		"SourceStoppedByUser: but of one that has not answered for long": {with(healthy(3), away(0), deaf(1), deaf(2), asked(2), failingFor(10*time.Second), member(0, func(m *Member) { m.StoppedByUser = true })),
			"InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"SourceUnreachable: a replica receives from it":        {with(healthy(3), away(0), enabled, failingFor(time.Hour)), "SourceUnreachable/Unreachable", "", ""},
		"SourceUnreachable: the kubelet says that it is ready": {with(healthy(3), away(0), member(0, func(m *Member) { m.PodReady = true }), deaf(1), deaf(2), enabled, failingFor(time.Hour)), "SourceUnreachable/Unreachable", "", ""},
		"SourceUnreachable: naming another source is no failover while a replica receives from it": {with(healthy(3), away(0), asked(2), failingFor(time.Hour)),
			"SourceUnreachable/Unreachable", ReasonUnreachable, "when the agent of u0 answers again; if it never will"},
		"SourceUnreachable: nor while the kubelet says that it is ready": {with(healthy(3), away(0), member(0, func(m *Member) { m.PodReady = true }), deaf(1), deaf(2), asked(2), failingFor(time.Hour)),
			"SourceUnreachable/Unreachable", ReasonUnreachable, "force-promote"},
		"SourceFailed: naming another source replaces one that is down at once": {with(healthy(3), serverDown(0), deaf(1), deaf(2), asked(2)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"SourceFailed: not one whose agent has not looked at it yet":            {with(healthy(3), unlooked(0), asked(2)), "SourceFailed/SourceFailed", ReasonDelay, "u2 is asked for, and replaces u0 when nobody has heard of it for 10s"},
		"SourceFailed: but one that has not answered for long":                  {with(healthy(3), unlooked(0), asked(2), failingFor(10*time.Second)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"SourceFailed: within a shorter delay of a failover the one that is asked for replaces it": {with(healthy(3), unlooked(0), enabled, asked(2), failingFor(5*time.Second), func(v *View) { v.Request.Failover.Delay = 5 * time.Second }),
			"InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"SourceFailed: nor one that nobody has heard of for a moment": {with(healthy(3), away(0), deaf(1), deaf(2), asked(2), failingFor(9*time.Second)), "SourceFailed/SourceFailed", ReasonDelay, "u2 is asked for"},
		"SourceFailed: and one that nobody has heard of for long":     {with(healthy(3), away(0), deaf(1), deaf(2), asked(2), failingFor(10*time.Second)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"WritesBlocked: the agent refuses the source its role": {with(healthy(3), member(0, func(m *Member) { m.Seen.Record, m.Seen.ReadOnly = nil, true }), refuses(0, topology.StepPromote)),
			"WritesBlocked/NotInForce", ReasonNotInForce, "u0 is the source and its agent refuses that role: an operation has the unit"},
		"Degraded: the agent refuses the source its rule": {with(healthy(3), member(0, func(m *Member) { m.Server.SemiSync.WaitFor = 2 }), refuses(0, topology.StepPromote)),
			"Degraded/NotInForce", ReasonNotInForce, "that commits wait for 1 of u1, u2 is recorded for u0 and not in force, for its agent refuses to promote it: an operation has the unit"},
		"SourceFailed: failover is not enabled": {with(healthy(3), serverDown(0), deaf(1), deaf(2), failingFor(time.Hour)), "SourceFailed/SourceFailed", ReasonNotEnabled, "name another member"},
		"SourceFailed: within its delay":        {with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(29*time.Second)), "SourceFailed/SourceFailed", ReasonDelay, "30s"},
		"SourceFailed: after its delay":         {with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(30*time.Second)), "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "", ""},
		"SourceFailed: the member that is asked for cannot be it, another can": {with(healthy(3), notPromised(1), serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Minute), member(1, func(m *Member) { m.Isolated = true }),
			func(v *View) { v.Request.Source = "u1" }), "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "", ""},
		"SourceFailed: the last failover was lately": {with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Minute), func(v *View) {
			v.Recorded.LastTransition = &v1alpha1.ReplicationTransition{Type: v1alpha1.OperationFailover, To: "u0", At: metav1.NewTime(testNow.Add(-5 * time.Minute)), Requested: "u0"}
		}), "SourceFailed/SourceFailed", ReasonTooSoon, "less than 10m ago: name another member"},
		"SwitchoverDue: the target cannot hold everything": {with(healthy(3), func(v *View) { v.Request.Source = "u1" }, member(1, func(m *Member) { m.Server.Channel.ApplierError = "duplicate key" })),
			"SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "duplicate key"},
		"SwitchoverDue: the lease is old": {with(healthy(3), func(v *View) { v.Request.Source, v.LeaseFresh = "u1", false }), "SwitchoverDue/LeaseNotRenewed", "", ""},
		"WritesBlocked: too few can acknowledge": {with(healthy(2), deaf(1), unattached(1), func(v *View) { v.Memory.BlockedSince = testNow.Add(-time.Minute) }),
			"WritesBlocked/WritesBlocked", "", ""},
		"SemiSyncDegraded: what was promised is broken": {with(healthy(3), member(0, func(m *Member) { m.Server.SemiSync.Unacknowledged = 3 })), "/ save Durability", "", ""},
		"SemiSyncDegraded: nobody has caught up": {with(healthy(2), func(v *View) {
			v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{{Source: uuid(0)}}
			v.Members[0].Seen.Record.Rule, v.Members[0].Server.SemiSync = topology.Rule{}, SemiSync{}
		}, away(1)), "SemiSyncDegraded/Unacknowledged", "", ""},
		"Provisioning: an empty member is made a copy":                                          {with(healthy(3), manyTransactions, member(2, empty), notPromised(2)), "Provisioning/Provisioning Provision(u2<-u0)", "", ""},
		"Provisioning: commits do not count on it before":                                       {with(healthy(3), manyTransactions, member(2, empty)), "/ save Durability", "", ""},
		"Degraded: a replica does not receive":                                                  {with(healthy(3), deaf(1)), "Degraded/NotReplicating", ReasonReplicating, "does not receive"},
		"Degraded: a replica does not answer":                                                   {with(healthy(3), away(2)), "Degraded/Unreachable", "", ""},
		"Degraded: an older member that is two series behind is not made to follow, or rebuilt": {with(healthy(3), joins("5.7.44")), "Degraded/VersionsApart", ReasonVersions, "8.1 to 8.4"},
		"Degraded: nor a newer one by two":                                                      {with(healthy(3), joins("9.7.0"), member(0, func(m *Member) { m.Seen.Version = "8.0.46" })), "Degraded/VersionsApart", ReasonVersions, "8.0.46"},
		"Healthy: a version that nobody can read is no reason":                                  {with(healthy(3), joins("unknown")), "Healthy/Healthy Follow(u2<-u0 ack)", "", ""},
		"Healthy: one series is what an upgrade comes through":                                  {with(healthy(3), joins("8.0.46")), "Healthy/Healthy Follow(u2<-u0 ack)", "", ""},
		"Healthy: to an innovation release as well":                                             {with(healthy(3), joins("9.3.0")), "Healthy/Healthy Follow(u2<-u0 ack)", "", ""},
		"Degraded: one that left degrades nothing":                                              {with(healthy(4), away(3), member(3, func(m *Member) { m.Leaving = true }), notPromised(3)), "Healthy/Healthy", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s\nwant %s", got, p.Message, tc.want)
			}
			if tc.reason != "" && !found(p, tc.reason, tc.text) {
				t.Errorf("no %s with %q: %s, %+v", tc.reason, tc.text, p.Message, p.Findings)
			}
		})
	}
}

// waitsClosed: the source has its role, and waits for those that acknowledge.
func waitsClosed(v *View) {
	m := &v.Members[0]
	r := *m.Seen.Record
	r.Open = false
	m.Seen.Record, m.Seen.ReadOnly = &r, true
}

// Somebody has to look again, for nothing happens in the API when members are attached.
func TestAPausedReplicationWhoseSourceWaitsClosedIsLookedAtAgain(t *testing.T) {
	p := Decide(with(healthy(3), func(v *View) { v.Request.Paused = true }, waitsClosed, deaf(1), deaf(2), unattached(1), unattached(2)))
	if p.Requeue != workInterval {
		t.Errorf("looked at again after %v, want %v", p.Requeue, workInterval)
	}
}

// A replica that is new to the set, and fetches what it lacks, protects nobody's commits
// before it is seen to have it all; no server announces that.
func TestAReplicaThatIsToAcknowledgeIsLookedAtAgainSoon(t *testing.T) {
	fetches := member(2, func(m *Member) {
		m.Server.SemiSync.Acknowledges = false
		m.Server.Executed = gtids(0, "1-5")
		m.Server.Channel.Retrieved = gtids(0, "6-7")
	})
	broken := member(2, func(m *Member) {
		m.Server.Channel.Receiving, m.Server.Channel.ReceiverError = false, "Access denied"
	})
	for name, tc := range map[string]struct {
		edits []edit
		want  time.Duration
	}{
		"it fetches":                        {[]edit{notPromised(2), fetches}, workInterval},
		"it connects":                       {[]edit{notPromised(2), fetches, deaf(2)}, workInterval},
		"its receiver has an error":         {[]edit{notPromised(2), fetches, broken}, restInterval},
		"commits wait for it already":       {[]edit{member(2, func(m *Member) { m.Server.Executed = gtids(0, "1-5") })}, restInterval},
		"commits wait for nobody's receipt": {[]edit{async, fetches}, restInterval},
	} {
		t.Run(name, func(t *testing.T) {
			if p := Decide(with(healthy(3), tc.edits...)); p.Requeue != tc.want || len(p.Steps) > 0 || p.Change != nil {
				t.Errorf("looked at again after %v, want %v; %s", p.Requeue, tc.want, line(p))
			}
		})
	}
}

// pristine: there has never been a source.
func pristine(v *View) {
	v.Recorded = topology.Recorded{}
	v.Memory = topology.Memory{}
	for i := range v.Members {
		m := &v.Members[i]
		m.Seen.Record, m.Seen.ReadOnly, m.Seen.Epoch = nil, true, 0
		m.Server.Channel, m.Server.Receivers, m.Server.SemiSync = nil, nil, SemiSync{}
	}
}

// lostData: the source came back with an empty server.
func lostData(v *View) {
	m := &v.Members[0]
	m.Seen.ServerID, m.Seen.ReadOnly, m.Seen.Record = uuid(9), true, nil
	empty(m)
	m.Seen.ReadOnly, m.Seen.Record = true, nil
	for i := 1; i < len(v.Members); i++ {
		v.Members[i].Server.Channel.Receiving = false
	}
}

// unattached: the source does not send to u<i>.
func unattached(i int) edit {
	return func(v *View) {
		var kept []Receiver
		for _, r := range v.Members[0].Server.Receivers {
			if r.ServerUUID != uuid(i) {
				kept = append(kept, r)
			}
		}
		v.Members[0].Server.Receivers = kept
		v.Members[0].Server.SemiSync.Clients--
	}
}

// notPromised: durability does not count u<i>, nor does the source.
func notPromised(i int) edit {
	return func(v *View) {
		e := &v.Recorded.Durability[0]
		var kept []v1alpha1.DurabilityMember
		for _, m := range e.Members {
			if m.Name != v.Members[i].Name {
				kept = append(kept, m)
			}
		}
		e.Members = kept
		e.W = v.Request.Durability.Waits(len(kept))
		s := &v.Members[0]
		s.Seen.Record.Rule = topology.RuleOf(*e)
		s.Server.SemiSync.WaitFor, s.Server.SemiSync.Enabled = e.W, e.W > 0
	}
}

func manyTransactions(v *View) {
	for i := range v.Members {
		v.Members[i].Server.Executed = gtids(0, "1-5000")
	}
}

// empty: its volume was lost, it has another server without data.
func empty(m *Member) {
	m.Seen.ServerID, m.Seen.Record = uuid(9), nil
	id, err := gtid.ParseUUID(uuid(9))
	if err != nil {
		panic(err)
	}
	m.Server = &Server{UUID: id}
}

// channels: the members have these accounts in force, and another one is asked for.
func channels(ids ...string) edit {
	return func(v *View) {
		v.Request.Channel = "new"
		for i, id := range ids {
			v.Members[i].Seen.Record.Channel = id
		}
	}
}

// joins: u2 has this version, and does not follow yet.
func joins(version string) edit {
	return member(2, func(m *Member) {
		m.Seen.Version = version
		m.Seen.Record.Role, m.Seen.Record.Upstream = topology.RoleIsolated, topology.Upstream{}
	})
}
