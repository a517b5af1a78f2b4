// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// someBytes is how a message names what is missing.
var someBytes = regexp.MustCompile(`\b[0-9]{4,} bytes`)

// diskFull fills the data volume of a unit before and during what needs room on it.
func diskFull(t *testing.T, v *victim) {
	folder := v.folder("disk")
	v.succeeds(t, v.backup(t, folder))
	restore := func(t *testing.T, leave int64, during bool) {
		old := v.mark(t)
		empty := func() {}
		if !during {
			empty = v.full(t, leave)
		}
		reached, release := v.way.hold(gets(".tar"))
		defer release()
		call := v.start(t, v1alpha1.ActionRestore, v.from(folder))
		if during {
			held(t, reached)
			empty = v.full(t, leave)
		}
		defer empty()
		release()
		v.saysFull(t, call)
		v.unchanged(t, old)
		v.nothingBeside(t)
		empty()
		v.mark(t)
	}
	t.Run("a restore on a volume that is too small is refused with the bytes and the way out", func(t *testing.T) { restore(t, 32<<20, false) })
	t.Run("a restore that fills the volume leaves the old data serving", func(t *testing.T) { restore(t, 8<<20, true) })
	t.Run("after that a backup and its restore succeed", func(t *testing.T) {
		v.succeeds(t, v.backup(t, folder))
		v.comesBack(t, folder)
	})
}

// copyFull fills the data volume of a MySQL before and during the copy that its
// physical backup makes.
func copyFull(t *testing.T, v *victim) {
	t.Run("a copy for which there is no room is refused with the bytes and the way out", func(t *testing.T) {
		folder := v.folder("no-room")
		empty := v.full(t, 32<<20)
		defer empty()
		v.saysFull(t, v.backup(t, folder))
		empty()
		v.afterwards(t, folder, 0)
	})
	t.Run("a copy that fills the volume is given up", func(t *testing.T) {
		folder := v.folder("filling")
		volume := v.volume(t)
		defer func() { _ = volume.Close() }()
		server, err := hostProcess(v.name, serverProcess(string(v.kind)))
		if err != nil {
			t.Fatal(err)
		}
		old := v.mark(t)
		call := v.backup(t, folder)
		// The server, which copies, stands still while its disk is taken.
		copying(t, volume)
		if err := syscall.Kill(server, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		empty := v.full(t, 4<<20)
		defer empty()
		if err := syscall.Kill(server, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		v.saysFull(t, call)
		v.nothingBeside(t)
		empty()
		v.unchanged(t, old)
		v.afterwards(t, folder, 0)
	})
}

// copying returns as soon as files are written for a copy of the data.
func copying(t *testing.T, volume volume) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := volume.Stat(".unit-agent/backup/data/ibdata1"); err == nil {
			return
		}
	}
	t.Fatal("no copy was begun")
}

// saysFull demands a failure that names the bytes and what may be done.
func (v *victim) saysFull(t *testing.T, call string) {
	t.Helper()
	status, reason := v.ends(t, call)
	if status.Result != v1alpha1.ResultFailed || !strings.Contains(reason, "Space") ||
		!someBytes.MatchString(status.Message) || !strings.Contains(status.Message, "storage") {
		t.Errorf("%s %s: %s", status.Result, reason, status.Message)
	}
}

// serverKilled kills the server in the middle of its backups.
func serverKilled(t *testing.T, v *victim) {
	t.Run("a server that is killed in the middle of a dump", func(t *testing.T) {
		folder := v.folder("killed-dump")
		unlock := v.lock(t)
		defer unlock()
		call := v.start(t, v1alpha1.ActionLogicalBackup, v.to(folder))
		v.dumpWaits(t, call)
		kill(t, v.name, serverProcess(string(v.kind)))
		v.serves(t)
		v.honest(t, call, folder)
	})
	t.Run("a server that is killed in the middle of a physical backup", func(t *testing.T) {
		folder := v.folder("killed-copy")
		var call string
		if v.kind == v1alpha1.UnitTypeMySQL {
			volume := v.volume(t)
			defer func() { _ = volume.Close() }()
			call = v.backup(t, folder)
			copying(t, volume)
			kill(t, v.name, serverProcess(string(v.kind)))
		} else {
			reached, release := v.way.hold(isPart(0))
			defer release()
			call = v.backup(t, folder)
			held(t, reached)
			kill(t, v.name, serverProcess(string(v.kind)))
			release()
		}
		v.serves(t)
		v.honest(t, call, folder)
		v.nothingBeside(t)
	})
}

// serves waits until the server answers.
func (v *victim) serves(t *testing.T) {
	t.Helper()
	command := []string{"mysql", "-N", "-B", "-e", "SELECT 1"}
	if v.kind == v1alpha1.UnitTypePostgreSQL {
		command = []string{"psql", "-X", "-At", "-c", "SELECT 1"}
	}
	eventually(t, 2*time.Minute, v.name+" to answer", func(ctx context.Context) error {
		_, err := v.e.exec(ctx, opsNamespace, v.name, string(v.kind), "", command...)
		return err
	})
}

// lock the rows, so that no dump of them comes to its end. The server's end is the
// lock's, too.
func (v *victim) lock(t *testing.T) (unlock func()) {
	t.Helper()
	command := []string{"mysql", "shop", "-e", "LOCK TABLES orders WRITE; SELECT SLEEP(900)"}
	held := "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
	if v.kind == v1alpha1.UnitTypePostgreSQL {
		command = []string{"psql", "-X", "-d", "shop", "-c", "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(900)"}
		held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = v.e.exec(ctx, opsNamespace, v.name, string(v.kind), "", command...)
	}()
	v.counts(t, "the lock", held)
	return func() {
		cancel()
		<-done
	}
}

// dumpWaits until the call's dump waits for the lock. MySQL's waits outside the server, so
// that no client waits behind it, and names who has the lock.
func (v *victim) dumpWaits(t *testing.T, call string) {
	t.Helper()
	if v.kind == v1alpha1.UnitTypePostgreSQL {
		v.counts(t, "a dump that waits for the lock", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
		return
	}
	eventually(t, time.Minute, "a dump that waits for the lock", func(ctx context.Context) error {
		status, err := v.e.callStatus(ctx, call)
		if err == nil && !strings.Contains(status.Progress, "waiting for a moment without long statements: LOCK TABLES of ") {
			err = fmt.Errorf("phase %s: %s %s", status.Phase, status.Progress, status.Message)
		}
		return err
	})
}

func (v *victim) counts(t *testing.T, what, query string) {
	t.Helper()
	eventually(t, time.Minute, what, func(context.Context) error {
		if n := v.sql(t, "", query); n == "0" {
			return fmt.Errorf("there is none")
		}
		return nil
	})
}
