// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// eachWithWAL is Each for the servers whose incremental backups are made of WAL. Of
// the others it makes sure that they keep none.
func eachWithWAL(t *testing.T, test func(t *testing.T, p *pod)) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, bounded)
		if p.major() < firstSummaries {
			test(t, p)
			return
		}
		p.must(op("f", physical(t.TempDir(), operation.Full), nil))
		if got := p.slots(); len(got) != 0 {
			t.Errorf("slots %v", got)
		}
	})
}

// slots that the server has, with where their WAL begins.
func (p *pod) slots() map[string]string {
	p.t.Helper()
	slots := map[string]string{}
	text := p.value("postgres", "SELECT json_object_agg(slot_name, restart_lsn) FROM pg_replication_slots WHERE NOT temporary")
	if text != "" {
		if err := json.Unmarshal([]byte(text), &slots); err != nil {
			p.t.Fatal(err)
		}
	}
	return slots
}

// chainOf takes backups at one destination.
type chainOf struct {
	p      *pod
	dir    string
	key    map[string][]byte
	number int
}

func (c *chainOf) run(kind operation.BackupType) (map[string]string, error) {
	c.p.t.Helper()
	c.number++
	params := physical(c.dir, kind)
	params.Destination += fmt.Sprint(c.number)
	if c.key != nil {
		params.Encryption = operation.AES256
	}
	return c.p.run(op("b", params, c.key))
}

// take one and return its manifest.
func (c *chainOf) take(kind operation.BackupType) *backup.Manifest {
	c.p.t.Helper()
	result, err := c.run(kind)
	if err != nil {
		c.p.t.Fatal(err)
	}
	l, err := backup.ParseLocation(result["location"])
	if err != nil {
		c.p.t.Fatal(err)
	}
	raw, err := os.ReadFile(c.manifest())
	if err != nil {
		c.p.t.Fatal(err)
	}
	m, err := backup.DecodeManifest(raw, l)
	if err != nil {
		c.p.t.Fatal(err)
	}
	return m
}

// manifest of the last one.
func (c *chainOf) manifest() string {
	return filepath.Join(c.dir, fmt.Sprint(c.number)+backup.ManifestSuffix)
}

// broken fails unless an incremental backup says why it cannot be.
func (c *chainOf) broken(why string) {
	c.p.t.Helper()
	_, err := c.run(operation.Incremental)
	if operations.ReasonOf(err) != "ChainBroken" || !strings.Contains(err.Error(), "take a full backup") || !strings.Contains(err.Error(), why) {
		c.p.t.Errorf("got %v, want %q", err, why)
	}
	if _, err := os.Stat(c.manifest()); err == nil {
		c.p.t.Error("there is a backup")
	}
}

// work leaves something to back up.
func (p *pod) work() {
	p.t.Helper()
	p.sql("app", "UPDATE deep.t SET v = v || 'more' WHERE id % 100 = 7", "INSERT INTO deep.t (v) SELECT 'new' FROM generate_series(1, 10)")
}

func TestTheLogSinceABackupIsKeptByASlotThatBackupsMove(t *testing.T) {
	eachWithWAL(t, func(t *testing.T, p *pod) {
		p.fill()
		near, far, third := &chainOf{p: p, dir: t.TempDir()}, &chainOf{p: p, dir: t.TempDir()}, &chainOf{p: p, dir: t.TempDir()}
		position := func(of *chainOf) string {
			t.Helper()
			l, err := backup.ParseLocation(location(of.dir))
			if err != nil {
				t.Fatal(err)
			}
			store, err := backup.Open(t.Context(), l, backup.Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			return p.slots()[slotFor(nil, store, l).name]
		}
		full := near.take(operation.Full)
		if got := position(near); got != full.StopLSN {
			t.Errorf("after a full backup that ends at %s the slot is at %s", full.StopLSN, got)
		}
		p.work()
		inc := near.take(operation.Incremental)
		if got := position(near); got != inc.StopLSN || inc.StartLSN != full.StopLSN || inc.StopLSN == inc.StartLSN {
			t.Errorf("after one from %s to %s the slot is at %s", inc.StartLSN, inc.StopLSN, got)
		}
		if len(inc.Files) != 1 || inc.File(walFile) == nil || inc.Properties["incremental"] != "wal" || inc.Base.Name != full.Name() {
			t.Errorf("%+v", inc)
		}

		t.Run("a backup that does not come about moves none and leaves none", func(t *testing.T) {
			p.work()
			for c, kind := range map[*chainOf]operation.BackupType{near: operation.Incremental, far: operation.Full} {
				// Nobody can write a manifest here.
				if err := os.Mkdir(filepath.Join(c.dir, fmt.Sprint(c.number+1)+backup.ManifestSuffix), 0o700); err != nil {
					t.Fatal(err)
				}
				if _, err := c.run(kind); err == nil || !strings.Contains(err.Error(), backup.ManifestSuffix) {
					t.Fatal(err)
				}
			}
			if got := p.slots(); len(got) != 1 || position(near) != inc.StopLSN {
				t.Errorf("%v", got)
			}
		})
		t.Run("each of two destinations has one", func(t *testing.T) {
			far.take(operation.Full)
			p.work()
			near.take(operation.Incremental)
			p.work()
			far.take(operation.Incremental)
			if got := p.slots(); len(got) != 2 {
				t.Errorf("%v", got)
			}
			third.take(operation.Full)
			if got := p.slots(); len(got) != 2 || position(near) != "" {
				t.Errorf("%v", got)
			}
			near.broken("no slot")
			p.work()
			far.take(operation.Incremental)
			third.take(operation.Incremental)
		})
		t.Run("without a limit there is none", func(t *testing.T) {
			p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"max_slot_wal_keep_size": str("-1")}}, nil))
			far.broken("max_slot_wal_keep_size is unlimited")
			result, err := third.run(operation.Full)
			if err != nil || !strings.Contains(result["message"], "no incremental one can continue it: max_slot_wal_keep_size is unlimited") {
				t.Errorf("%v, %v", result, err)
			}
			if got := p.slots(); len(got) != 0 {
				t.Errorf("%v", got)
			}
		})
		t.Run("WAL beyond the limit is gone, and so is the slot", func(t *testing.T) {
			p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"max_slot_wal_keep_size": str("1GB")}}, nil))
			near.take(operation.Full)
			p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"max_slot_wal_keep_size": str("1MB")}}, nil))
			for range 3 {
				p.work()
				p.sql("postgres", "SELECT pg_switch_wal()")
			}
			p.sql("postgres", "CHECKPOINT")
			near.broken("more than max_slot_wal_keep_size")
			if got := p.slots(); len(got) != 0 {
				t.Errorf("%v", got)
			}
			p.must(op("v", &operation.SetVariable{Variables: map[string]operation.Value{"max_slot_wal_keep_size": str("1GB")}}, nil))
			near.broken("no slot")
		})
		t.Run("a slot that was dropped is not missed silently", func(t *testing.T) {
			near.take(operation.Full)
			p.sql("postgres", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT temporary")
			near.broken("no slot")
		})
		t.Run("a full backup begins a chain again", func(t *testing.T) {
			near.take(operation.Full)
			p.work()
			sum := p.checksum("app", "deep.t")
			last := near.take(operation.Incremental)
			p.must(op("r", &operation.Restore{Source: last.Location().String(), Overwrite: true}, nil))
			if got := p.checksum("app", "deep.t"); got != sum {
				t.Errorf("got %s, want %s", got, sum)
			}
			if got := p.slots(); len(got) != 0 {
				t.Errorf("the restored server keeps WAL: %v", got)
			}
			near.broken("restored or cloned")
		})
	})
}

func TestChainsOfTheLogComeBackEncryptedAndWhole(t *testing.T) {
	eachWithWAL(t, func(t *testing.T, p *pod) {
		p.fill()
		key := map[string][]byte{"encryption.key": []byte(strings.Repeat("k", 32))}
		c := &chainOf{p: p, dir: t.TempDir(), key: key}
		c.take(operation.Full)
		var sums []string
		var backups []*backup.Manifest
		for range 2 {
			p.work()
			sums = append(sums, p.checksum("app", "deep.t"))
			backups = append(backups, c.take(operation.Incremental))
		}
		nothing := c.take(operation.Incremental)
		p.sql("app", "DROP TABLE deep.t")
		restore := func(m *backup.Manifest) error {
			_, err := p.run(op("r", &operation.Restore{Source: m.Location().String(), Overwrite: true}, key))
			return err
		}

		raw, err := os.ReadFile(c.manifest())
		if err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct{ key, value, reason string }{
			"one that does not begin where its base ends":   {"startLSN", "0/1000000", "ChainBroken"},
			"one that ends before it says that it does":     {"stopLSN", "F/0", "DataUnusable"},
			"one that says nothing readable of where it is": {"stopLSN", "here", "ManifestInvalid"},
		} {
			t.Run(name, func(t *testing.T) {
				var m map[string]any
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				m[tc.key] = tc.value
				changed, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if changed, err = backup.SignManifest(changed, key["encryption.key"]); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(c.manifest(), changed, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := restore(nothing); operations.ReasonOf(err) != tc.reason {
					t.Error(err)
				}
				if got := p.value("app", "SELECT to_regclass('public.log_old')"); got != "log_old" {
					t.Errorf("the old database does not serve: %q", got)
				}
				p.clean()
			})
		}
		if err := os.WriteFile(c.manifest(), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			m   *backup.Manifest
			sum string
		}{{nothing, sums[1]}, {backups[0], sums[0]}, {backups[1], sums[1]}} {
			if err := restore(tc.m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.sum, p.checksum("app", "deep.t")); diff != "" {
				t.Errorf("%s: %s", tc.m.Name(), diff)
			}
		}
	})
}

func TestWhatWasCommittedBeforeABackupOfTheLogIsInIt(t *testing.T) {
	eachWithWAL(t, func(t *testing.T, p *pod) {
		p.sql("postgres", "CREATE TABLE n (i bigserial PRIMARY KEY, v text)")
		c := &chainOf{p: p, dir: t.TempDir()}
		c.take(operation.Full)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			conn := p.conn("postgres")
			wg.Go(func() {
				defer postgresql.Disconnect(context.Background(), conn)
				for ctx.Err() == nil {
					// It fails when the test has enough.
					_, _ = conn.Exec(ctx, "INSERT INTO n (v) SELECT repeat('x', 1000) FROM generate_series(1, 50)")
				}
			})
		}
		var last *backup.Manifest
		var committed string
		for range 3 {
			committed = p.value("postgres", "SELECT count(*) FROM n")
			last = c.take(operation.Incremental)
		}
		cancel()
		wg.Wait()
		p.must(op("r", &operation.Restore{Source: last.Location().String(), Overwrite: true}, nil))
		if got := p.value("postgres", "SELECT count(*) >= "+committed+" FROM n"); got != "true" {
			t.Errorf("%s rows were committed, %s are back", committed, p.value("postgres", "SELECT count(*) FROM n"))
		}
		if got := p.value("postgres", "SELECT count(*) % 50 FROM n"); got != "0" {
			t.Error("half a transaction is back")
		}
	})
}

func TestTheLogOfAStandbyIsTakenUpToWhatItHasReplayed(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		primary := newPod(t, box, "primary", 5432, bounded)
		if primary.major() >= firstSummaries {
			return // its incremental backups are the server's own
		}
		standby := newPod(t, box, "standby", 5433, bounded)
		standby.follow(primary)
		primary.fill()
		standby.caughtUp(primary)
		c := &chainOf{p: standby, dir: t.TempDir()}
		c.take(operation.Full)
		var last *backup.Manifest
		var sum string
		for range 3 {
			primary.work()
			standby.caughtUp(primary)
			sum = primary.checksum("app", "deep.t")
			last = c.take(operation.Incremental)
		}
		other := newPod(t, box, "other", 5434, "")
		other.must(op("r", &operation.Restore{Source: last.Location().String(), Overwrite: true}, nil))
		if got := other.checksum("app", "deep.t"); got != sum {
			t.Errorf("got %s, want %s", got, sum)
		}

		standby.sql("postgres", "SELECT pg_promote()")
		c.broken("timeline 2")
		c.take(operation.Full)
		standby.work()
		sum = standby.checksum("app", "deep.t")
		last = c.take(operation.Incremental)
		other.must(op("r", &operation.Restore{Source: last.Location().String(), Overwrite: true}, nil))
		if got := other.checksum("app", "deep.t"); got != sum {
			t.Errorf("after the promotion: got %s, want %s", got, sum)
		}
	})
}
