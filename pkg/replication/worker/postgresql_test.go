// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// onThree is a history of two promotions.
var onThree = wal.MustHistory(3, wal.Switch{Timeline: 1, At: 0x3000000}, wal.Switch{Timeline: 2, At: 0x5000000})

const onThreeText = "1\t0/3000000\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n"

// primarySays is the answer of a primary on timeline 3.
func primarySays() *agentclient.Observation {
	return &agentclient.Observation{Status: &agentclient.Status{PodUID: "pod"}, Answered: true, ServerID: system, PostgreSQL: &agentclient.PostgreSQLObservation{
		Timeline: 3, History: onThreeText, HistoryKnown: true, WriteLSN: "0/6000000", Hints: true, SynchronousStandbyNames: `ANY 1 ("u1","u2")`,
	}}
}

// standbySays is the answer of a standby of it.
func standbySays() *agentclient.Observation {
	return &agentclient.Observation{Status: &agentclient.Status{PodUID: "pod"}, Answered: true, ReadOnly: true, ServerID: system, PostgreSQL: &agentclient.PostgreSQLObservation{
		InRecovery: true, Timeline: 3, History: onThreeText, HistoryKnown: true, ReceivedLSN: "0/5F00000", ReplayedLSN: "0/5E00000",
		Receiver: &agentclient.PostgreSQLReceiver{Status: "streaming", Host: "u0", Port: 5432},
	}}
}

// stoppedSays is the answer about a primary that was stopped.
func stoppedSays() *agentclient.Observation {
	return &agentclient.Observation{Status: &agentclient.Status{PodUID: "pod", Down: true}, Error: "it is down", ServerID: system, PostgreSQL: &agentclient.PostgreSQLObservation{
		History: onThreeText, HistoryKnown: true, Control: &agentclient.PostgreSQLControlData{State: "shut down", Timeline: 3, CheckpointLSN: "0/5000080", SystemID: system},
	}}
}

func TestWhatAPostgreSQLSays(t *testing.T) {
	primary := func(change func(*postgresql.Server)) *postgresql.Server {
		s := &postgresql.Server{Primary: true, History: onThree, Written: 0x6000000, Hints: true, Sync: settings.Quorum("u0", 1, []string{"u1", "u2"})}
		if change != nil {
			change(s)
		}
		return s
	}
	standby := func(change func(*postgresql.Server)) *postgresql.Server {
		s := &postgresql.Server{History: onThree, Received: 0x5F00000, Replayed: 0x5E00000, Receiver: &postgresql.Receiver{Host: "u0", Port: 5432}}
		change(s)
		return s
	}
	stopped := func(change func(*postgresql.Server)) *postgresql.Server {
		s := &postgresql.Server{History: onThree, Control: &postgresql.Control{ShutDown: true, Timeline: 3, Checkpoint: 0x5000080}}
		change(s)
		return s
	}
	for name, test := range map[string]struct {
		says   func() *agentclient.Observation
		change func(o *agentclient.Observation)
		want   *postgresql.Server
		// odd and err are parts of what is said about what cannot be read.
		odd, err string
	}{
		"a primary": {says: primarySays, want: primary(nil)},
		"one that answers is not stopped, whatever its files say": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Control = &agentclient.PostgreSQLControlData{State: "shut down", Timeline: 2, CheckpointLSN: "0/1"}
		}, want: primary(nil)},
		"whoever receives from it": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Standbys = []agentclient.PostgreSQLStandby{
				{ApplicationName: "u1", State: "streaming", SyncState: "quorum", FlushLSN: "0/5F00000", Counted: true, Reloaded: true},
				{ApplicationName: "u2", State: "catchup", SyncState: "quorum", FlushLSN: "0/4000000", Counted: true},
				{ApplicationName: "u2/provision", State: "backup"},
			}
		}, want: primary(func(s *postgresql.Server) {
			s.Standbys = []postgresql.Standby{
				{Application: "u1", Streaming: true, Counted: true, Reloaded: true, Flushed: 0x5F00000}, {Application: "u2", Counted: true, Flushed: 0x4000000}, {Application: "u2/provision"},
			}
		})},
		"a slot whose WAL is lost": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Slots = []agentclient.PostgreSQLSlot{
				{Name: "unit_member_u1", Active: true, WALStatus: "reserved"}, {Name: "unit_member_u2", WALStatus: "lost"}, {Name: "cdc", Logical: true, WALStatus: "unreserved"},
				{Name: "of_a_server_that_does_not_say"},
			}
		}, want: primary(func(s *postgresql.Server) {
			s.Slots = []postgresql.Slot{
				{Name: "unit_member_u1", Active: true}, {Name: "unit_member_u2", Lost: true}, {Name: "cdc", Logical: true}, {Name: "of_a_server_that_does_not_say"},
			}
		})},
		"timeline 1 has an empty history": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Timeline, o.PostgreSQL.History = 1, ""
		}, want: primary(func(s *postgresql.Server) { s.History = wal.MustHistory(1) })},
		"a history that is not known": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.History, o.PostgreSQL.HistoryKnown = "", false
		}, want: primary(func(s *postgresql.Server) { s.History = wal.History{} })},
		"a history that cannot be read is not known": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.History = "1\t0/3000000\n2\n"
		}, want: primary(func(s *postgresql.Server) { s.History = wal.History{} }), odd: "its history cannot be read: "},
		"a timeline that is none": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Timeline = 1<<32 + 3
		}, want: primary(func(s *postgresql.Server) { s.History = wal.History{} }), odd: "4294967299 is no timeline"},
		"timeline 0": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Timeline, o.PostgreSQL.History = 0, ""
		}, want: primary(func(s *postgresql.Server) { s.History = wal.History{} }), odd: "0 is no timeline"},
		"commits that wait for nobody": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.SynchronousStandbyNames = ""
		}, want: primary(func(s *postgresql.Server) { s.Sync = settings.Sync{} })},
		"names that cannot be read are those of strangers": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.SynchronousStandbyNames = `SOME 1 ("u1"`
		}, want: primary(func(s *postgresql.Server) {
			s.Sync = settings.Sync{Method: settings.First, Wait: 1, Names: []string{`SOME 1 ("u1"`}}
		})},
		"a primary that does not say how far it is": {says: primarySays, change: func(o *agentclient.Observation) { o.PostgreSQL.WriteLSN = "" }, err: "does not say how far"},
		"a position that is none":                   {says: primarySays, change: func(o *agentclient.Observation) { o.PostgreSQL.WriteLSN = "6000000" }, err: "no position"},
		"a standby's position that is none": {says: primarySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Standbys = []agentclient.PostgreSQLStandby{{ApplicationName: "u1", State: "streaming", FlushLSN: "far"}}
		}, err: "no position"},
		"a MySQL": {says: primarySays, change: func(o *agentclient.Observation) { o.PostgreSQL, o.MySQL = nil, &agentclient.MySQLObservation{} }, err: "not that of a PostgreSQL"},

		"a standby":            {says: standbySays, want: standby(func(*postgresql.Server) {})},
		"a standby that waits": {says: standbySays, change: func(o *agentclient.Observation) { o.PostgreSQL.Receiver = nil }, want: standby(func(s *postgresql.Server) { s.Receiver = nil })},
		"a receiver that begins": {says: standbySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.Receiver = &agentclient.PostgreSQLReceiver{Status: "starting"}
		},
			want: standby(func(s *postgresql.Server) { s.Receiver = &postgresql.Receiver{} })},
		"a standby that cannot say yet what it received": {says: standbySays, change: func(o *agentclient.Observation) {
			o.PostgreSQL.ReceivedLSN, o.PostgreSQL.Receiver = "", nil
		}, want: standby(func(s *postgresql.Server) { s.Received, s.Receiver = wal.None, nil })},
		"a standby that has replayed nothing":   {says: standbySays, change: func(o *agentclient.Observation) { o.PostgreSQL.ReplayedLSN = "0/0" }, want: standby(func(s *postgresql.Server) { s.Replayed = wal.None })},
		"what was received that cannot be read": {says: standbySays, change: func(o *agentclient.Observation) { o.PostgreSQL.ReceivedLSN = "?" }, err: "no position"},
		"what was replayed that cannot be read": {says: standbySays, change: func(o *agentclient.Observation) { o.PostgreSQL.ReplayedLSN = "0/123456789" }, err: "no position"},

		"a primary that is stopped": {says: stoppedSays, want: stopped(func(*postgresql.Server) {})},
		"a standby that is stopped": {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Control.State = "shut down in recovery" }, want: stopped(func(*postgresql.Server) {})},
		"a server that crashed": {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Control.State = "in production" },
			want: stopped(func(s *postgresql.Server) { s.Control.ShutDown = false })},
		"one whose history is not known": {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.History, o.PostgreSQL.HistoryKnown = "", false },
			want: stopped(func(s *postgresql.Server) { s.History = wal.History{} })},
		"one that logs what pg_rewind needs": {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Hints = true }, want: stopped(func(s *postgresql.Server) { s.Hints = true })},
		"a checkpoint that is none":          {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Control.CheckpointLSN = "x" }, err: "no position"},
		"a control file without a timeline":  {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Control.Timeline = 0 }, err: "0 is no timeline"},
		"no control file":                    {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL.Control = nil }},
		"no answer at all":                   {says: stoppedSays, change: func(o *agentclient.Observation) { o.PostgreSQL = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.says()
			if test.change != nil {
				test.change(o)
			}
			got, odd, err := postgresqlServer(o)
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want one of %q", err, test.err)
			}
			if test.odd == "" && odd != "" || !strings.Contains(odd, test.odd) {
				t.Errorf("odd is %q, want some of %q", odd, test.odd)
			}
			if d := cmp.Diff(test.want, got, cmp.Comparer(wal.History.Equal), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// What cannot be read is reported, and only an answer of which nothing is left counts as none.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(o *agentclient.Observation)
		answered bool
		trouble  string
	}{
		"nothing is wrong": {change: func(*agentclient.Observation) {}, answered: true},
		"its history":      {change: func(o *agentclient.Observation) { o.PostgreSQL.History = "?" }, answered: true, trouble: "its history cannot be read"},
		"its position":     {change: func(o *agentclient.Observation) { o.PostgreSQL.WriteLSN = "?" }, trouble: "its answer cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMembers(PostgreSQL(), &Loaded{Members: []topology.Member{{Name: "u0"}}})
			o := primarySays()
			test.change(o)
			m.answered(0, time.Now(), o, nil)
			if seen := m.list[0].seen; seen.Answered != test.answered || !strings.HasPrefix(seen.Trouble, test.trouble) || test.trouble == "" && seen.Trouble != "" {
				t.Errorf("answered %v: %q", seen.Answered, seen.Trouble)
			}
			if known := m.servers.(postgresqlServers)[0] != nil; known != test.answered {
				t.Errorf("the server is known: %v", known)
			}
		})
	}
}

// Names that nobody can read are no rule, and not that of waiting for nobody either.
func TestNamesThatCannotBeReadAreNoRule(t *testing.T) {
	for _, text := range []string{`SOME 1 ("u1"`, " ", `ANY 0 ("u1")`, strings.Repeat(",", settings.MaxSyncLength+1)} {
		got := synchronous(text)
		if got.IsZero() || got.Equal(settings.Sync{}) || got.Equal(settings.Quorum("u0", 1, []string{text})) || len(got.String()) > 200 {
			t.Errorf("%.20q is read as %.60s", text, got)
		}
	}
}

func TestWorkersHaveAnEngine(t *testing.T) {
	w := newWorld(t, 1)
	w.engine = nil
	if _, err := w.worker().Run(t.Context(), &w.memory); err == nil || len(w.calls) > 0 {
		t.Errorf("error %v\n%s", err, w.trace())
	}
}

// What a promotion is asked for is what was decided.
func TestAPromotionIsToldItsTimelineAndSlots(t *testing.T) {
	w := newPostgreSQLWorld(t, 3)
	p := &pass{Worker: w.worker(), loaded: &w.loaded, memory: &w.memory}
	w.clusters["u1"].primary = false
	r := p.make(t.Context(), topology.Step{
		Kind: topology.StepPromote, Member: "u1", Epoch: 4, Timeline: 7, Slots: []string{"u0", "u2"}, Open: true,
		Rule: topology.Rule{W: 1, Members: []v1alpha1.DurabilityMember{{Name: "u2"}}},
	})
	if r.err != nil {
		t.Fatal(r.err)
	}
	w.called("Promote u1 w=1 timeline=7 slots=u0,u2")
}
