// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func physical(dir string, kind operation.BackupType) *operation.PhysicalBackup {
	return &operation.PhysicalBackup{BackupType: kind, Compression: operation.Zstd, Destination: location(dir)}
}

func TestPhysicalBackupOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "adm"
		box.Secret(t, "adm", "first-secret")
		p := newPod(t, box, "a", 5432, "")
		p.fill()
		p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"work_mem": str("7M")}}, nil))
		dir := t.TempDir()
		before := p.checksum("app", "deep.t")
		backed := p.must(op("b", physical(dir, operation.Full), nil))
		p.sql("app", "CREATE TABLE public.later (i int)")

		t.Run("the server is not replaced unless it is meant, nor in part", func(t *testing.T) {
			for _, tc := range []struct {
				reason  string
				restore operation.Restore
			}{
				{"WouldOverwrite", operation.Restore{Source: location(dir)}},
				{"InvalidParameters", operation.Restore{Source: location(dir), Overwrite: true, TargetDatabase: "x"}},
				{"InvalidParameters", operation.Restore{Source: location(dir), Overwrite: true, Databases: []string{"app"}}},
				{"BackupNotFound", operation.Restore{Source: location(t.TempDir()), Overwrite: true}},
			} {
				if _, err := p.run(op("r", &tc.restore, nil)); operations.ReasonOf(err) != tc.reason {
					t.Errorf("%+v: %v", tc.restore, err)
				}
			}
		})
		enginetest.Replacing{
			Operated: p.Operated, Action: New(p.deps())[operation.ActionRestore],
			Op: func() *optest.Op { return op("r", &operation.Restore{Source: location(dir), Overwrite: true}, nil) },
			Change: func(*testing.T) {
				p.sql("app", "DELETE FROM deep.t WHERE id IN (SELECT id FROM deep.t ORDER BY id LIMIT 1000)")
			},
			Sum: func(*testing.T) string { return p.checksum("app", "deep.t") }, New: before, Clean: func(*testing.T) { p.clean() },
		}.Conform(t)
		t.Run("comes back, with the accounts of today, on a timeline of its own", func(t *testing.T) {
			if err := os.Remove(filepath.Join(p.env.SecretDir, "adm")); err != nil {
				t.Fatal(err)
			}
			box.Secret(t, "adm", "second-secret")
			timeline := p.value("postgres", "SELECT timeline_id FROM pg_control_checkpoint()")
			p.sql("app", "CREATE TABLE IF NOT EXISTS public.later (i int)")
			o := op("r", &operation.Restore{Source: backed["location"], Overwrite: true}, nil)
			p.must(o)
			if diff := cmp.Diff([]string{sidedata.PhaseBuild, sidedata.PhaseExchange, sidedata.PhaseReleased, sidedata.PhaseServing}, o.Phases()); diff != "" {
				t.Error(diff)
			}
			if got := p.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := p.value("app", "SELECT to_regclass('public.later')"); got != "" {
				t.Errorf("what was made later is there: %s", got)
			}
			if got := p.value("postgres", "SELECT timeline_id FROM pg_control_checkpoint()"); got == timeline {
				t.Errorf("timeline %s still", got)
			}
			if got := p.value("postgres", "SELECT current_setting('work_mem')"); got != "7MB" {
				t.Errorf("work_mem %s", got)
			}
			if err := p.login("adm", "second-secret"); err != nil {
				t.Error(err)
			}
			if err := p.login("adm", "first-secret"); err == nil {
				t.Error("the password of the backup's day logs in")
			}
			p.sql("app", "INSERT INTO deep.t (v) VALUES ('x')")
			p.clean()
		})
		t.Run("a damaged one leaves everything as it is", func(t *testing.T) {
			paths, err := filepath.Glob(filepath.Join(dir, "*", "base.tar*"))
			if err != nil || len(paths) != 1 {
				t.Fatal(paths, err)
			}
			content, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			if err := os.WriteFile(paths[0], content, 0o600); err != nil {
				t.Fatal(err)
			}
			pid := p.Server.Pid()
			if _, err := p.run(op("r", &operation.Restore{Source: location(dir), Overwrite: true}, nil)); operations.ReasonOf(err) != "BackupCorrupt" {
				t.Error(err)
			}
			if p.Server == nil || p.Server.Pid() != pid {
				t.Error("the server was touched")
			}
			p.clean()
		})
	})
}

// bounded lets a server keep WAL for incremental backups.
const bounded = "max_slot_wal_keep_size = 1GB\n"

func TestIncrementalBackupsOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, bounded)
		dir := t.TempDir()
		number := 0
		incremental := func() (map[string]string, error) {
			number++
			params := physical(dir, operation.Incremental)
			params.Destination += fmt.Sprint("incremental-", number)
			return p.run(op("i", params, nil))
		}
		broken := func(why string) {
			t.Helper()
			if _, err := incremental(); operations.ReasonOf(err) != "ChainBroken" || !strings.Contains(err.Error(), "take a full backup") {
				t.Errorf("%s: %v", why, err)
			}
		}
		if p.major() >= firstSummaries {
			broken("summaries are off")
			p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"summarize_wal": {Text: "true", Kind: operation.Bool}}}, nil))
		}
		broken("there is no base")
		p.fill()
		p.must(op("f", physical(dir, operation.Full), nil))

		var sums, locations []string
		for i := range 3 {
			p.sql("app", "UPDATE deep.t SET v = v || 'more' WHERE id % 100 = 7", "INSERT INTO deep.t (v) SELECT 'new' FROM generate_series(1, 10)")
			sums = append(sums, p.checksum("app", "deep.t"))
			result, err := incremental()
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			locations = append(locations, result["location"])
		}
		p.sql("app", "DROP TABLE deep.t")
		for _, i := range []int{2, 0} {
			p.must(op("r", &operation.Restore{Source: locations[i], Overwrite: true}, nil))
			if got := p.checksum("app", "deep.t"); got != sums[i] {
				t.Errorf("restored %d: got %s, want %s", i, got, sums[i])
			}
			p.clean()
		}
		// The server went back behind the newest backup: its history is another, though
		// neither its system id says so nor always its timeline.
		broken("the server has left the timeline of its backups")
		if got := p.value("postgres", "SELECT timeline_id FROM pg_control_checkpoint()"); got != "3" {
			t.Errorf("after two restores the timeline is %s", got)
		}
		params := physical(dir, operation.Full)
		params.Destination += "anew"
		p.must(op("f", params, nil))
		p.sql("app", "INSERT INTO deep.t (v) VALUES ('newest')")
		sum := p.checksum("app", "deep.t")
		result, err := incremental()
		if err != nil {
			t.Fatal(err)
		}
		p.must(op("r", &operation.Restore{Source: result["location"], Overwrite: true}, nil))
		if got := p.checksum("app", "deep.t"); got != sum {
			t.Errorf("got %s, want %s", got, sum)
		}
	})
}

func TestACopyThatTheServerKeepsNoLogForEndsAtOnceOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "max_slot_wal_keep_size = 16MB\nmax_wal_size = 32MB\nmin_wal_size = 32MB\n")
		p.sql("postgres", "CREATE TABLE t AS SELECT i, repeat('x', 200) AS v FROM generate_series(1, 100000) i")
		o := op("b", physical(t.TempDir(), operation.Full), nil)
		_, err := New(p.deps())[o.Action()].Run(t.Context(), &meanwhile{Op: o, at: "copying", do: func() {
			for range 6 {
				p.sql("postgres", "UPDATE t SET v = v || 'x'", "SELECT pg_switch_wal()", "CHECKPOINT")
			}
			agenttest.Eventually(t, "the slot is gone", func() bool {
				return p.value("postgres", "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name LIKE 'unit_agent_backup%'") == "0"
			})
		}})
		if operations.ReasonOf(err) != "NoSlot" || !strings.Contains(err.Error(), "max_slot_wal_keep_size") {
			t.Errorf("reason %s: %v", operations.ReasonOf(err), err)
		}
	})
}
