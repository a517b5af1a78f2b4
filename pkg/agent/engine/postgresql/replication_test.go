// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func TestPlanSlots(t *testing.T) {
	source := engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Members: members("a-0", "a-1", "a-2")}}
	found := []slot{
		{name: "unit_member_a_1", active: true, kept: 1 << 40},
		{name: "unit_member_a_2", kept: 100},
		{name: "unit_member_b_0"},
		{name: "unit_member_b_1", active: true},
		{name: "unit_agent_wal_0123", kept: 1 << 40},
		{name: "somebodys"},
	}
	for _, tc := range []struct {
		name         string
		record       engine.RoleRecord
		found        []slot
		keep         int64
		create, drop []string
	}{
		{"a source makes one for every other member", source, nil, 0, []string{"unit_member_a_1", "unit_member_a_2"}, nil},
		{"those of non-members go when nobody uses them", source, found, 0, nil, []string{"unit_member_b_0"}},
		{"a lost one is dropped, and made again by the next plan", source, []slot{{name: "unit_member_a_1", lost: true}, {name: "unit_member_a_2"}}, 0, nil, []string{"unit_member_a_1"}},
		{"without a limit of the server's an absent member's is dropped in time", source, found, 99, nil, []string{"unit_member_a_2", "unit_member_b_0"}},
		{"a replica keeps no WAL for anybody", engine.RoleRecord{Role: engine.RoleReplica}, found, 0, nil, []string{"unit_member_a_2", "unit_member_b_0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			create, drop := planSlots("a-0", tc.record, tc.found, tc.keep)
			if diff := cmp.Diff([][]string{tc.create, tc.drop}, [][]string{create, drop}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseHistory(t *testing.T) {
	got, err := parseHistory("1\t0/3000148\tno recovery target specified\n\n2\t16/B374D848\tbefore 2026\n")
	if err != nil || len(got) != 2 || got[0] != (fork{1, 0x3000148}) || got[1] != (fork{2, 0x16B374D848}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"1\n", "x\t0/1\t\n", "1\tx\t\n"} {
		if got, err := parseHistory(bad); err == nil {
			t.Errorf("%q: got %v", bad, got)
		}
	}
}

func TestMayFollow(t *testing.T) {
	on := func(timeline int64, position lsn, history ...fork) branch {
		return branch{systemID: "7", timeline: timeline, position: position, history: history}
	}
	for _, tc := range []struct {
		name            string
		local, upstream branch
		expected        engine.Upstream
		// sentinel and text of the refusal; both empty if it may.
		sentinel error
		text     string
	}{
		{"behind on the same timeline", on(1, 0x100), on(1, 0x200), engine.Upstream{}, nil, ""},
		{"at the same place", on(1, 0x200), on(1, 0x200), engine.Upstream{ServerID: "7", Timeline: 1}, nil, ""},
		{"ahead on the same timeline", on(1, 0x300), on(1, 0x200), engine.Upstream{}, engine.ErrWouldLose, "timeline 1 up to 0/300, b only up to 0/200"},
		{"the upstream was promoted after what is here", on(1, 0x100), on(2, 0x500, fork{1, 0x200}), engine.Upstream{Timeline: 2}, nil, ""},
		{"exactly where the upstream was promoted", on(1, 0x200), on(2, 0x500, fork{1, 0x200}), engine.Upstream{}, nil, ""},
		{"a former primary that wrote after the upstream was promoted", on(1, 0x201), on(2, 0x500, fork{1, 0x200}), engine.Upstream{}, engine.ErrWouldLose, "timeline 1 up to 0/201, b only up to 0/200"},
		{"over two promotions", on(1, 0x150), on(3, 0x500, fork{1, 0x200}, fork{2, 0x300}), engine.Upstream{}, nil, ""},
		{"on the middle one", on(2, 0x300, fork{1, 0x200}), on(3, 0x500, fork{1, 0x200}, fork{2, 0x300}), engine.Upstream{}, nil, ""},
		{"on a newer timeline than the upstream", on(2, 0x300, fork{1, 0x200}), on(1, 0x500), engine.Upstream{}, engine.ErrWouldLose, "never been on"},
		{"two servers were promoted to the same number", on(2, 0x300, fork{1, 0x200}), on(2, 0x500, fork{1, 0x250}), engine.Upstream{}, engine.ErrWouldLose, "left timeline 1 at 0/200, b at 0/250"},
		{"a timeline the upstream skipped", on(2, 0x300, fork{1, 0x200}), on(3, 0x500, fork{1, 0x200}), engine.Upstream{}, engine.ErrWouldLose, "never been on"},
		{"another database", branch{systemID: "8", timeline: 1}, on(1, 0x200), engine.Upstream{}, nil, "provisioned"},
		{"not the database that the caller means", on(1, 0x100), on(1, 0x200), engine.Upstream{ServerID: "9"}, nil, "expected was 9"},
		{"the upstream is not promoted yet", on(1, 0x100), on(1, 0x200), engine.Upstream{Timeline: 2}, engine.ErrNotYet, "not yet on 2"},
		{"the upstream was promoted since", on(1, 0x100), on(3, 0x200, fork{1, 0x150}, fork{2, 0x180}), engine.Upstream{Timeline: 2}, nil, "promoted since"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.expected.Name = "b"
			err := mayFollow(tc.local, tc.upstream, tc.expected)
			if tc.text == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.text) || tc.sentinel != nil && !errors.Is(err, tc.sentinel) {
				t.Errorf("got %v, want %q", err, tc.text)
			}
		})
	}
}

// controlOutput is what pg_controldata of 17 prints, shortened.
const controlOutput = `pg_control version number:            1700
Database system identifier:           7441234567890123456
Database cluster state:               shut down in recovery
pg_control last modified:             Sat Nov 28 19:00:00 2026
Latest checkpoint location:           0/5000060
Latest checkpoint's REDO location:    0/5000028
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/6000000
Min recovery ending loc's timeline:   3
max_connections setting:              300
max_worker_processes setting:         8
max_wal_senders setting:              16
max_prepared_xacts setting:           10
max_locks_per_xact setting:           64
`

func TestControlData(t *testing.T) {
	c := parseControlData(controlOutput)
	got, err := c.report()
	if err != nil {
		t.Fatal(err)
	}
	want := &engine.PostgreSQLControlData{State: "shut down in recovery", Timeline: 3, CheckpointLSN: "0/5000060", SystemID: "7441234567890123456"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := parseControlData("Datenbanksystemidentifikation: 1\n").report(); err == nil {
		t.Error("another language was understood")
	}
	t.Run("a standby starts with what its primary had", func(t *testing.T) {
		wanted := map[string]int{"max_connections": 200, "max_worker_processes": 9, "max_wal_senders": 16, "max_prepared_transactions": 0, "max_locks_per_transaction": 64}
		got := raise(c, wanted)
		if len(got) != 2 || got[0] != (setting{"max_connections", "300"}) || got[1] != (setting{"max_prepared_transactions", "10"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestReceivedPositions(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, tc := range []struct {
		name            string
		r               received
		receive, replay lsn
		known           bool
	}{
		{"it replays its own WAL", received{replay: text("0/100")}, 0x100, 0x100, false},
		{"it has replayed its own WAL", received{replay: text("0/100"), waiting: true}, 0x100, 0x100, true},
		{"it receives", received{receive: text("0/200"), replay: text("0/100")}, 0x200, 0x100, true},
		{"the receiver began again at the beginning of a file", received{receive: text("0/100"), replay: text("0/180")}, 0x180, 0x180, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			receive, replay, known, err := tc.r.positions()
			if err != nil || receive != tc.receive || replay != tc.replay || known != tc.known {
				t.Errorf("got %s, %s, %v, %v", receive, replay, known, err)
			}
		})
	}
}

// Columns that a version lacks are not asked for.
func TestStatementsByVersion(t *testing.T) {
	for major := 12; major <= 18; major++ {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			for _, query := range []string{slotsQuery(major), memberSlotsQuery(major)} {
				if got, want := strings.Contains(query, "wal_status"), major >= 13; got != want {
					t.Errorf("wal_status: %v in %s", got, query)
				}
			}
			channel := engine.ChannelAccount{User: "unit_replication", Password: "0123456789abcdef0123456789abcdef"}
			for _, exists := range []bool{false, true} {
				statements, err := channelStatements(major, channel, exists)
				text := strings.Join(statements, "\n")
				if err != nil || strings.Contains(text, channel.Password) || !strings.Contains(text, `ALTER ROLE "unit_replication" LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256$`) ||
					strings.Contains(text, "CREATE ROLE") == exists {
					t.Errorf("got %s, %v", text, err)
				}
			}
		})
	}
}

func TestFirstDifference(t *testing.T) {
	want := []setting{{"hot_standby", "on"}, {"primary_conninfo", "a"}, {"primary_slot_name", "b"}}
	for _, tc := range []struct {
		name    string
		inForce map[string]string
		want    string
	}{
		{"all in force", map[string]string{"primary_conninfo": "a", "primary_slot_name": "b"}, ""},
		{"one is not", map[string]string{"primary_conninfo": "a", "primary_slot_name": ""}, "primary_slot_name"},
		{"what is not asked for does not count", map[string]string{"synchronous_standby_names": "x", "primary_conninfo": "a"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := firstDifference(want, tc.inForce); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestCheckSource(t *testing.T) {
	sync := engine.DurabilitySync
	for _, tc := range []struct {
		name   string
		record engine.RoleRecord
		ok     bool
	}{
		{"async", engine.RoleRecord{Role: engine.RoleSource}, true},
		{"sync", engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: sync, W: 1, Members: members("b")}}, true},
		{"sync without members", engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: sync, W: 1}}, false},
		{"sync that waits for none", engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: sync, Members: members("b")}}, false},
		{"a replica", engine.RoleRecord{Role: engine.RoleReplica}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := checkSource(tc.record); (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
