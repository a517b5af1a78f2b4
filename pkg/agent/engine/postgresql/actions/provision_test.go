// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAnInterruptedProvisionStartsOverUntilItsCopyIsWhole(t *testing.T) {
	for phase, want := range map[string]operations.Recovery{
		"": operations.RecoverWithSecrets, sidedata.PhaseBuild: operations.RecoverWithSecrets,
		sidedata.PhaseExchange: operations.RecoverAtOnce, sidedata.PhaseReleased: operations.RecoverAtOnce, sidedata.PhaseBack: operations.RecoverAtOnce,
	} {
		if got := (provision{}).Recover(phase); got != want {
			t.Errorf("in phase %q: %s, want %s", phase, got, want)
		}
	}
}

func TestACopyOfAMemberThatWasGivenAPartMeanwhileIsNotUsed(t *testing.T) {
	for role, want := range map[engine.Role]string{
		engine.RoleSource: "RoleChanged", engine.RoleReplica: "RoleChanged", engine.RoleIsolated: "", "": "",
	} {
		a := provision{unit{operations.Deps{Store: state.NewStore(t.TempDir(), state.Files{})}}}
		if err := a.sameRole(); err != nil {
			t.Errorf("a unit that has been told nothing: %v", err)
		}
		desired := state.Desired{}
		desired.Record = engine.RoleRecord{ReplicationUID: "r", Role: role}
		if err := a.Store.WriteDesired(desired); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := a.sameRole(); err != nil {
			got = operations.ReasonOf(err)
		}
		if got != want {
			t.Errorf("as %q: %q, want %q", role, got, want)
		}
	}
}

func TestTheProgressOfABaseBackupIsRead(t *testing.T) {
	for line, want := range map[string]string{
		"47182/95423 kB (49%), 0/1 tablespace":                        "48314368/97713152",
		"0/95423 kB (0%), 0/1 tablespace (...ita/replace/data/base/)": "0/97713152",
		"pg_basebackup: error: could not connect":                     "",
		"99999999999999999999/1 kB (0%), 0/1 tablespace":              "",
	} {
		got := ""
		if done, total, ok := copied(line); ok {
			got = fmt.Sprintf("%d/%d", done, total)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// writes to a donor until it is stopped, and says how much.
func (p *pod) writes(table string) (stop func() int) {
	p.t.Helper()
	p.sql("postgres", "CREATE TABLE "+table+" (i int PRIMARY KEY, v text)")
	ctx, cancel := context.WithCancel(p.t.Context())
	conn := p.conn("postgres")
	written := 0
	var writing sync.WaitGroup
	writing.Go(func() {
		defer conn.Close(context.Background())
		for ctx.Err() == nil {
			if _, err := conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, repeat(md5(%d::text), 30))", table, written, written)); err == nil {
				written++
			}
		}
	})
	return func() int { cancel(); writing.Wait(); return written }
}

// burst writes more WAL than a server keeps for nobody.
func (p *pod) burst() {
	p.t.Helper()
	for i := range 5 {
		p.sql("postgres", fmt.Sprintf("CREATE TABLE burst_%d AS SELECT i, repeat(md5(i::text), 10) AS v FROM generate_series(1, 20000) i", i), "SELECT pg_switch_wal()", "CHECKPOINT")
	}
}

// standbyWithoutUpstream fails unless p is one.
func (p *pod) standbyWithoutUpstream() {
	p.t.Helper()
	got := map[string]string{}
	want := map[string]string{
		"pg_is_in_recovery()": "true", "current_setting('primary_conninfo')": "", "(SELECT count(*) FROM pg_stat_wal_receiver)": "0",
		"(SELECT count(*) FROM pg_replication_slots)": "0", "current_setting('synchronous_standby_names')": "",
	}
	for query := range want {
		got[query] = p.value("postgres", "SELECT "+query)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Error(diff)
	}
	for name, there := range map[string]bool{standbySignal: true, recoverySignal: false, "backup_manifest": false, "backup_label": false} {
		if _, err := os.Lstat(filepath.Join(p.env.DataDir(), name)); (err == nil) != there {
			p.t.Errorf("%s: %v, want it there: %t", name, err, there)
		}
	}
}

func TestProvisionOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		donor, p := newPod(t, box, "donor", 5432, ""), newPod(t, box, "copy", 5433, "")
		donor.fill()
		donor.promote(donor, p)
		if err := newLineage(donor.env.DataDir()); err != nil {
			t.Fatal(err)
		}
		donor.sql("postgres", "ALTER SYSTEM SET maintenance_work_mem = '77MB'", "ALTER SYSTEM SET primary_conninfo = 'host=elsewhere'",
			"SELECT pg_create_physical_replication_slot('somebodys', true)")
		p.sql("postgres", "ALTER SYSTEM SET work_mem = '7MB'")
		slot := func() string {
			return donor.value("postgres", "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'unit_member_copy_0'")
		}

		t.Run("is refused to a server that takes writes", func(t *testing.T) {
			if _, err := p.run(op("p", donor.from(), channelPassword())); operations.ReasonOf(err) != "Refused" {
				t.Error(err)
			}
		})
		p.isolate()
		t.Run("is refused where it cannot be", func(t *testing.T) {
			for name, tc := range map[string]struct {
				reason   string
				password string
				change   func(*operation.Provision)
			}{
				"no password":        {"NoPassword", "", func(*operation.Provision) {}},
				"a wrong password":   {"SourceRefused", "wrong-secret", func(*operation.Provision) {}},
				"the donor is away":  {"SourceUnreachable", channel.Password, func(x *operation.Provision) { x.Donor.Port = 1 }},
				"another one's data": {"DonorChanged", channel.Password, func(x *operation.Provision) { x.Donor.ServerID = "4711" }},
			} {
				params := donor.from()
				tc.change(params)
				_, err := p.run(op("p", params, map[string][]byte{operation.SecretSourcePassword: []byte(tc.password)}))
				if operations.ReasonOf(err) != tc.reason || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), channel.Password) {
					t.Errorf("%s: %v", name, err)
				}
			}
			outside := t.TempDir()
			donor.sql("postgres", "CREATE TABLESPACE outside LOCATION '"+outside+"'")
			if _, err := p.run(op("p", donor.from(), channelPassword())); operations.ReasonOf(err) != "Tablespaces" || !strings.Contains(err.Error(), "outside") {
				t.Error(err)
			}
			donor.sql("postgres", "DROP TABLESPACE outside")
			p.clean()
			p.standbyWithoutUpstream()
			if p.Stops != 0 {
				t.Errorf("the server was stopped %d times", p.Stops)
			}
		})
		t.Run("of a pristine unit is a standby of the donor, whatever is written meanwhile", func(t *testing.T) {
			stop, begun := donor.writes("meanwhile"), donor.value("postgres", "SELECT pg_current_wal_lsn()")
			o := op("p", donor.from(), channelPassword())
			result := p.must(o)
			written := stop()
			if diff := cmp.Diff(map[string]string{
				"donor": "donor-0", "donorServerID": donor.systemID(), "donorGeneration": "7", "message": "copied from 127.0.0.1:5432",
			}, result); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{sidedata.PhaseBuild, sidedata.PhaseExchange, sidedata.PhaseReleased, sidedata.PhaseServing}, o.Phases()); diff != "" {
				t.Error(diff)
			}
			p.standbyWithoutUpstream()
			if p.systemID() != donor.systemID() || p.timeline() != donor.timeline() {
				t.Errorf("server %s on timeline %s, want %s on %s", p.systemID(), p.timeline(), donor.systemID(), donor.timeline())
			}
			theirs, err := lineage(donor.env.DataDir())
			if ours, ourErr := lineage(p.env.DataDir()); ours != theirs || ours == "" || errors.Join(err, ourErr) != nil {
				t.Errorf("lineage %q, want %q: %v, %v", ours, theirs, err, ourErr)
			}
			if got := p.value("postgres", "SELECT concat_ws(' ', current_setting('work_mem'), current_setting('maintenance_work_mem'))"); got != "7MB 64MB" {
				t.Errorf("the settings are %s", got)
			}
			if got := donor.value("postgres", "SELECT '"+slot()+"'::pg_lsn > '"+begun+"'::pg_lsn"); got != "true" {
				t.Errorf("the slot keeps WAL from %s, the copy began at %s", slot(), begun)
			}
			// What the slot keeps since the copy is what it takes to catch up.
			donor.burst()
			p.followMember(donor)
			if written == 0 {
				t.Error("nothing was written meanwhile")
			}
			for table, database := range map[string]string{"meanwhile": "postgres", "burst_4": "postgres", "deep.t": "app"} {
				if got, want := p.checksum(database, table), donor.checksum(database, table); got != want {
					t.Errorf("%s: got %s, want %s", table, got, want)
				}
			}
			if err := p.login(channel.User, channel.Password); err != nil {
				t.Error(err)
			}
			p.clean()
		})
		t.Run("replaces the data of a former primary if that is permitted", func(t *testing.T) {
			p.promote()
			p.sql("postgres", "CREATE TABLE its_own (i int)")
			p.isolate()
			other := p.replacing(donor)
			other.ServerID = "4711"
			for name, params := range map[string]*operation.Provision{"without permission": donor.from(), "of another server": other} {
				if _, err := p.run(op("p", params, channelPassword())); operations.ReasonOf(err) != operation.ReasonWouldOverwrite {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := p.value("postgres", "SELECT to_regclass('its_own')"); got == "" {
				t.Error("its data is gone")
			}
			p.must(op("p", p.replacing(donor), channelPassword()))
			p.standbyWithoutUpstream()
			if got := p.value("postgres", "SELECT to_regclass('its_own')"); got != "" {
				t.Errorf("%s is still there", got)
			}
			if p.timeline() != donor.timeline() {
				t.Errorf("timeline %s, want %s", p.timeline(), donor.timeline())
			}
			p.followMember(donor)
			p.clean()
		})
		t.Run("does not wait for commits that wait for it, nor acknowledge them", func(t *testing.T) {
			p.isolate()
			donor.Start.Record.Durability = engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: []engine.DurabilityMember{{Name: p.env.Name}}}
			if err := donor.engine.(engine.Replicator).SetDurability(t.Context(), donor.Start.Record); err != nil {
				t.Fatal(err)
			}
			committed := make(chan error, 1)
			conn := donor.conn("postgres")
			go func() {
				_, err := conn.Exec(t.Context(), "CREATE TABLE waiting (i int)")
				committed <- errors.Join(err, conn.Close(context.Background()))
			}()
			agenttest.Eventually(t, "a commit waits", func() bool {
				return donor.value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1"
			})
			p.must(op("p", p.replacing(donor), channelPassword()))
			select {
			case err := <-committed:
				t.Errorf("the commit was acknowledged, and nobody follows: %v", err)
			default:
			}
			p.followMember(donor)
			if err := <-committed; err != nil {
				t.Error(err)
			}
			donor.Start.Record.Durability.Mode = engine.DurabilityAsync
			if err := donor.engine.(engine.Replicator).SetDurability(t.Context(), donor.Start.Record); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("leaves the donor as it was", func(t *testing.T) {
			if got := donor.value("postgres", "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots"); got != "somebodys unit_member_copy_0" {
				t.Errorf("slots %s", got)
			}
		})
	})
}

func TestProvisionThatIsInterruptedOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		donor := newPod(t, box, "donor", 5432, "")
		donor.fill()
		// The donor's volume is not the unit's, whose is small.
		data := box.Vars["DATA_DIR_MOUNT"]
		box.Vars["DATA_DIR_MOUNT"] = filepath.Join(enginetest.SmallDir, "data")
		p := newPod(t, box, "copy", 5433, "")
		box.Vars["DATA_DIR_MOUNT"] = data
		donor.promote(donor, p)
		want := donor.checksum("app", "deep.t")
		p.sql("postgres", "CREATE TABLE old AS SELECT 1 AS i")
		p.isolate()
		old := func(t *testing.T) {
			t.Helper()
			if got := p.value("postgres", "SELECT i FROM old"); got != "1" {
				t.Errorf("the old data is gone: %q", got)
			}
			p.clean()
		}
		params := p.replacing(donor)

		t.Run("the volume has not enough space, or is filled by others", func(t *testing.T) {
			filler := filepath.Join(enginetest.SmallDir, "filler")
			fill := func() {
				f, err := os.Create(filler)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				var fs unix.Statfs_t
				if err := errors.Join(unix.Statfs(enginetest.SmallDir, &fs), unix.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-20<<20)); err != nil {
					t.Fatal(err)
				}
			}
			o := op("p", params, channelPassword())
			_, err := New(p.deps())[operation.ActionProvision].Run(t.Context(), &meanwhile{Op: o, at: "copying", do: fill})
			if operations.ReasonOf(err) != operation.ReasonNotEnoughSpace {
				t.Errorf("while it is copied: %v", err)
			}
			old(t)
			o = op("p", params, channelPassword())
			if _, err := p.run(o); operations.ReasonOf(err) != operation.ReasonNotEnoughSpace || len(o.Phases()) > 0 {
				t.Errorf("before: %v, phases %v", err, o.Phases())
			}
			old(t)
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		})
		for at, name := range map[string]string{"copying": "while it is copied", "recovering": "while it is recovered"} {
			t.Run("the agent ends "+name+", and the next begins from scratch", func(t *testing.T) {
				ctx, agentEnds := context.WithCancel(t.Context())
				defer agentEnds()
				o := op("p", params, channelPassword())
				action := New(p.deps())[operation.ActionProvision]
				_, err := action.Run(ctx, &meanwhile{Op: o, at: at, do: agentEnds})
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if _, err := os.Lstat(unit{p.deps()}.sideDir()); err != nil {
					t.Errorf("nothing was left to be cleaned up: %v", err)
				}
				if got := p.value("postgres", "SELECT i FROM old"); got != "1" {
					t.Errorf("the old data is gone: %q", got)
				}
				if at == "recovering" {
					// The Replication has given it up meanwhile.
					if err := action.(operations.Abandoner).Abandon(t.Context(), o); err != nil {
						t.Error(err)
					}
					old(t)
					return
				}
				o.Fault = func(phase string) error {
					if phase == sidedata.PhaseExchange {
						return errors.New("the journal cannot be written")
					}
					return nil
				}
				if _, err := action.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "journal") {
					t.Errorf("the copy that was begun from scratch: %v", err)
				}
				old(t)
			})
		}
		t.Run("a server that does not run on the copy gets the old data back", func(t *testing.T) {
			p.Fault = func(step string) error {
				if step != "start" {
					return nil
				}
				p.Fault = nil
				return fmt.Errorf("%w: the test says so", operations.ErrNotStarted)
			}
			if _, err := p.run(op("p", params, channelPassword())); operations.ReasonOf(err) != operation.ReasonNewDataNotServing {
				t.Error(err)
			}
			old(t)
		})
		t.Run("the agent ends when the copy is in its place, and the next one continues without the password", func(t *testing.T) {
			ctx, agentEnds := context.WithCancel(t.Context())
			defer agentEnds()
			p.Fault = func(step string) error {
				if step != "identity" {
					return nil
				}
				p.Fault = nil
				agentEnds()
				return errors.New("the agent ended")
			}
			o := op("p", params, channelPassword())
			action := New(p.deps())[operation.ActionProvision]
			if _, err := action.Run(ctx, o); err == nil {
				t.Fatal("the agent has not ended")
			}
			o.SecretsValue = nil
			if result, err := action.Run(t.Context(), o); err != nil || result["donor"] != "donor-0" {
				t.Fatalf("%v, %v", result, err)
			}
			p.standbyWithoutUpstream()
			p.followMember(donor)
			if got := p.checksum("app", "deep.t"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			p.clean()
		})
		t.Run("a standby that does not come up is made again if that is permitted", func(t *testing.T) {
			p.isolate()
			params := p.replacing(donor)
			if err := p.StopServer(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(p.env.DataDir(), "base")); err != nil {
				t.Fatal(err)
			}
			other := *params
			other.ServerID = "4711"
			for reason, params := range map[string]*operation.Provision{operation.ReasonServerNotRunning: donor.from(), operation.ReasonWouldOverwrite: &other} {
				if _, err := p.run(op("p", params, channelPassword())); operations.ReasonOf(err) != reason {
					t.Errorf("%s: %v", reason, err)
				}
			}
			p.must(op("p", params, channelPassword()))
			p.standbyWithoutUpstream()
			p.followMember(donor)
			if got := p.checksum("app", "deep.t"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
}
