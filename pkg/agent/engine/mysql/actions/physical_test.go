// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func fullBackup(destination string) *operation.PhysicalBackup {
	return &operation.PhysicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: destination}
}

// fill makes a table whose sum can be compared.
func (r *rig) fill(database string, rows int) {
	r.t.Helper()
	r.exec("CREATE DATABASE "+database, "CREATE TABLE "+database+".t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(300))",
		"SET SESSION cte_max_recursion_depth = 1000000",
		"INSERT INTO "+database+".t (v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "+strconv.Itoa(rows)+") SELECT SHA2(i, 512) FROM n")
}

// sum of the table that fill makes.
func (r *rig) sum(database string) string {
	r.t.Helper()
	return r.scalar("SELECT CONCAT(COUNT(*), ' ', SUM(CRC32(CONCAT(id, v)))) FROM " + database + ".t")
}

// beside fails if anything was left on the data volume or in /tmp.
func (r *rig) beside() {
	r.t.Helper()
	if left := enginetest.BesideData(r.t, r.env, "tmp", restoredFile); len(left) > 0 {
		r.t.Errorf("left beside the data: %v", left)
	}
	// The directory of files with secrets is the manager's to remove.
	for _, pattern := range []string{"unit-private-*", "unit-operation-*/*"} {
		if left, err := filepath.Glob(filepath.Join(r.env.TmpDir, pattern)); err != nil || len(left) > 0 {
			r.t.Errorf("left in %s: %v, %v", r.env.TmpDir, left, err)
		}
	}
}

func TestPhysicalBackupAndRestoreOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.fill("d", 20000)
		r.exec("SET PERSIST max_connections = 77", "CREATE USER app@'%' IDENTIFIED BY 'app'")
		want, id := r.sum("d"), r.scalar("SELECT @@server_uuid")
		executed := strings.Join(strings.Fields(r.scalar("SELECT @@gtid_executed")), "")
		result := r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()))
		r.beside()
		m := manifestOf(t, result["location"])
		if m.Kind != backup.Physical || m.GTIDExecuted != executed || m.SystemID != id || m.EngineVersion == "" {
			t.Errorf("the manifest: %+v", m.Meta)
		}
		restore := &operation.Restore{Source: result["location"], Overwrite: true}
		t.Run("data stays unless it is to be overwritten", func(t *testing.T) {
			r.fails(operation.ActionRestore, &operation.Restore{Source: r.backups()}, "WouldOverwrite")
			r.fails(operation.ActionRestore, &operation.Restore{Source: r.backups(), TargetDatabase: "x", Overwrite: true}, "InvalidParameters")
		})
		t.Run("a damaged backup changes nothing", func(t *testing.T) {
			p := fullBackup(r.backups() + "damaged")
			p.Compression = operation.NoCompression
			r.run(operation.ActionPhysicalBackup, p)
			path := strings.TrimPrefix(p.Destination, "file://") + "/" + dataFile
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			stops := r.Stops
			r.fails(operation.ActionRestore, &operation.Restore{Source: p.Destination, Overwrite: true}, backup.ReasonCorrupt)
			if r.Stops != stops || r.sum("d") != want {
				t.Error("the server was stopped or its data changed")
			}
			r.beside()
		})
		enginetest.Replacing{
			Operated: r.Operated, Action: r.actions()[operation.ActionRestore], Op: func() *optest.Op { return r.op(operation.ActionRestore, restore) },
			Change: func(*testing.T) { r.exec("DELETE FROM d.t ORDER BY id LIMIT 1000") }, Sum: func(*testing.T) string { return r.sum("d") }, New: want, Clean: func(*testing.T) { r.beside() },
		}.Conform(t)
		t.Run("the restored server is the unit's, with an identity of its own", func(t *testing.T) {
			r.exec("DROP DATABASE d", "DROP USER app@'%'")
			if err := os.Remove(filepath.Join(r.env.SecretDir, "root")); err != nil {
				t.Fatal(err)
			}
			box.Secret(t, "root", "changed since")
			r.run(operation.ActionRestore, restore)
			if got := r.sum("d"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			now := r.scalar("SELECT @@server_uuid")
			if now == id || r.Identities[len(r.Identities)-1] != now {
				t.Errorf("server_uuid %s, identities %v", now, r.Identities)
			}
			if got := r.scalar("SELECT CONCAT(@@max_connections, ' ', GTID_SUBSET('" + executed + "', @@gtid_executed))"); got != "77 1" {
				t.Errorf("got %s", got)
			}
			for user, password := range map[string]string{"root": "changed since", "app": "app"} {
				if out, err := box.Run(t, "mysql", "--no-defaults", "-h127.0.0.1", "-u"+user, "-p"+password, "-e", "SELECT 1"); err != nil {
					t.Errorf("login of %s: %v: %s", user, err, out)
				}
			}
			r.exec("INSERT INTO d.t (v) VALUES ('more')")
			r.Restart()
			r.beside()
		})
		t.Run("what a copy cannot hold is named", func(t *testing.T) {
			r.exec("CREATE TABLE d.m (i INT) ENGINE = MyISAM")
			r.fails(operation.ActionPhysicalBackup, fullBackup(r.backups()), "Unsupported", "d.m (MyISAM)")
			r.exec("DROP TABLE d.m")
		})
	})
}

func TestACopyNeedsRoom(t *testing.T) {
	if err := roomFor(1, t.TempDir(), "").Check(); err != nil {
		t.Error(err)
	}
	err := roomFor(1<<60, t.TempDir(), "buy a disk").Check()
	if operations.ReasonOf(err) != operation.ReasonNotEnoughSpace || !strings.Contains(err.Error(), "buy a disk") || !strings.Contains(err.Error(), "1268213655067531673") {
		t.Errorf("got %v", err)
	}
}

func TestACopyThatFillsTheDiskSaysSo(t *testing.T) {
	r := roomFor(4711, "/data", "buy a disk")
	for name, err := range map[string]error{
		"the kernel told the agent":  fmt.Errorf("unpacking: %w", &fs.PathError{Op: "write", Path: "t.ibd", Err: syscall.ENOSPC}),
		"the server has estimated":   fmt.Errorf("cloning t.ibd: %w", cloneEnded(&driver.MySQLError{Number: errCloneSpace, Message: "Available space 3.97 MiB is not enough."})),
		"the kernel told the server": operations.Failed("CloneFailed", "Error writing file 't.ibd' (OS errno 28 - No space left on device)"),
	} {
		got := r.Filled(err)
		for _, words := range []string{"4711 bytes", "/data", "buy a disk", "t.ibd"} {
			if operations.ReasonOf(got) != operation.ReasonNotEnoughSpace || !strings.Contains(got.Error(), words) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
	if other := errors.New("other"); !errors.Is(r.Filled(other), other) || operations.ReasonOf(r.Filled(other)) != operations.ReasonFailed {
		t.Errorf("another error became %v", r.Filled(other))
	}
}

func TestAServerThatHasGoneIsSaidToHave(t *testing.T) {
	if err := withServerGone(driver.ErrInvalidConn); operations.ReasonOf(err) != operation.ReasonServerNotRunning {
		t.Errorf("got %v", err)
	}
	if err := withServerGone(nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsMadeBesideTheDataEndsWhenItsRoomDoes(t *testing.T) {
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := roomFor(1<<60, t.TempDir(), "").Watched(t.Context(), wait); operations.ReasonOf(err) != operation.ReasonNotEnoughSpace {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := roomFor(1, t.TempDir(), "").Watched(ctx, wait); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it says %v", err)
	}
	failed := errors.New("failed")
	if err := roomFor(1, t.TempDir(), "").Watched(t.Context(), func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("failed, it says %v", err)
	}
}

func TestLogsAreNoData(t *testing.T) {
	for name, want := range map[string]bool{
		"binlog.000001": true, "relay.1234567": true, "ibdata1": false, "t.ibd": false, "binlog.index": false, "undo_001": false, ".000001": false, "a.12345": false,
	} {
		if got := isLog(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestATarIsRemovedAsItIsWrittenAndComesBack(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), t.TempDir()
	files := map[string]string{"a": "1", "d/b": "", "d/#e/c.ibd": strings.Repeat("x", 70000)}
	for name, content := range files {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := writeTar(t.Context(), &b, from); err != nil {
		t.Fatal(err)
	}
	if size, err := treeSize(from); err != nil || size != 0 {
		t.Errorf("%d bytes are left, %v", size, err)
	}
	if err := readTar(t.Context(), &b, to); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name := range files {
		content, err := os.ReadFile(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(content)
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Error(diff)
	}
}
