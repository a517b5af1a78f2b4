// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/backup/cli"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// verifiedWith is a logical backup that is verified, of files that a test can read.
func verifiedWith(destination string) *operation.LogicalBackup {
	return &operation.LogicalBackup{BackupType: operation.Full, Compression: operation.NoCompression, Destination: destination, Verify: true}
}

func verifiedCopy(destination string) *operation.PhysicalBackup {
	return &operation.PhysicalBackup{BackupType: operation.Full, Compression: operation.NoCompression, Destination: destination, Verify: true}
}

// clean fails if a verification has left anything.
func (r *rig) clean() {
	r.t.Helper()
	if _, err := os.Stat(r.env.SideDir("verify")); !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("the restored data was left: %v", err)
	}
}

// verifiedAlone is what unit-agent backup verify says of a backup where no unit is.
func verifiedAlone(t *testing.T, address string) string {
	t.Helper()
	work := t.TempDir()
	command := cli.Command(cli.Engines{New: func(env engine.Env) (engine.Engine, error) { return mysql.New(env), nil }, Actions: New})
	var out bytes.Buffer
	command.SetArgs([]string{"verify", address, "--restore", "--work", work})
	command.SetOut(&out)
	command.SetErr(io.Discard)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	return out.String()
}

func TestABackupIsVerifiedByRestoringItOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.makeZoo()
		r.fill("d", 1000)
		verified := func(result map[string]string, words ...string) {
			t.Helper()
			for _, w := range words {
				if !strings.Contains(result["verified"], w) {
					t.Errorf("%q is not in what was verified: %s", w, result["verified"])
				}
			}
			r.clean()
		}
		logical := r.run(operation.ActionLogicalBackup, verifiedWith(r.backups()+"logical/full"))
		verified(logical, "compared with what the server had")
		if strings.Contains(logical["verified"], "not compared") {
			t.Errorf("nobody writes, and not all is compared: %s", logical["verified"])
		}
		t.Run("and by hand without the unit", func(t *testing.T) {
			if text := verifiedAlone(t, logical["location"]); !strings.Contains(text, "compared with what the server had") {
				t.Error(text)
			}
			plain := fullBackup(r.backups() + "plain")
			for _, table := range zooOfOtherEngines {
				r.exec("DROP TABLE zoo." + table)
			}
			if text := verifiedAlone(t, r.run(operation.ActionPhysicalBackup, plain)["location"]); !strings.Contains(text, "has no sums to compare with") {
				t.Error(text)
			}
		})
		t.Run("and so are incremental ones", func(t *testing.T) {
			r.run(operation.ActionPhysicalBackup, verifiedCopy(r.backups()+"physical/full"))
			r.clean()
			r.exec("UPDATE d.t SET v = REVERSE(v) WHERE id % 7 = 0", "CREATE TABLE d.later (i INT PRIMARY KEY)", "INSERT INTO d.later VALUES (1), (2)")
			physical := verifiedCopy(r.backups() + "physical/")
			physical.BackupType = operation.Incremental
			verified(r.run(operation.ActionPhysicalBackup, physical), "compared with what the server had")
		})
		for _, tc := range []struct {
			name, reason string
			words        []string
			alter        func(file string, content []byte) []byte
		}{
			{"a row that is another one", operation.ReasonVerificationFailed, []string{"table d.t has 1000 rows as before, but not the same"}, func(file string, content []byte) []byte {
				if file != dumpFile {
					return content
				}
				at := bytes.Index(content, []byte("(500,'"))
				if at < 0 {
					t.Fatal("the dump has no row 500")
				}
				content[at+6] ^= 1
				return content
			}},
			{"a row that is missing", operation.ReasonVerificationFailed, []string{"table d.t has 999 rows and had 1000"}, func(file string, content []byte) []byte {
				if file != dumpFile {
					return content
				}
				at := bytes.Index(content, []byte("(500,'"))
				end := bytes.Index(content, []byte("(501,'"))
				return append(content[:at:at], content[end:]...)
			}},
			{"a table that is missing", operation.ReasonVerificationFailed, []string{"table d.t is missing"}, func(file string, content []byte) []byte {
				if file != dumpFile {
					return content
				}
				from := bytes.Index(content, []byte("CREATE TABLE `t` (\n  `id`"))
				to := from + bytes.Index(content[from:], []byte("UNLOCK TABLES"))
				return append(content[:from:from], content[to:]...)
			}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				bad := enginetest.Retold(t, logical["location"], tc.alter)
				r.fails(operation.ActionVerify, &operation.Restore{Source: bad}, tc.reason, tc.words...)
				r.clean()
				if err := os.RemoveAll(strings.TrimPrefix(bad, "file://")); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(strings.TrimPrefix(bad, "file://") + backup.ManifestSuffix); err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Run("a file that was cut", func(t *testing.T) {
			path := strings.TrimPrefix(logical["location"], "file://") + "/" + dumpFile
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
			r.fails(operation.ActionVerify, &operation.Restore{Source: logical["location"]}, backup.ReasonCorrupt, dumpFile)
			r.clean()
		})
	})
}

// alter a table, unless others have it for long.
func alter(ctx context.Context, r *rig) error {
	db := r.db()
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET SESSION lock_wait_timeout = 10"); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "ALTER TABLE busy.t COMMENT = 'altered'")
	return err
}

func TestAVerificationBesideWritersHasNoFalseAlarmAndLeavesNothingWhenCancelledOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.fill("d", 50000)
		r.fill("busy", 1000)
		r.fill("queue", 10)
		r.exec("SET GLOBAL time_zone = '+03:00'")
		write := func() {
			r.exec("UPDATE busy.t SET v = REVERSE(v)", "DELETE FROM busy.t ORDER BY id LIMIT 1", "INSERT INTO queue.t (v) SELECT 'new'")
		}
		for action, params := range map[string]operation.Params{
			operation.ActionLogicalBackup:  verifiedWith(r.backups() + "l/"),
			operation.ActionPhysicalBackup: verifiedCopy(r.backups() + "p/"),
		} {
			t.Run(action, func(t *testing.T) {
				at := map[string]string{operation.ActionLogicalBackup: "dumping", operation.ActionPhysicalBackup: "copying"}[action]
				op := &meanwhile{Op: r.op(action, params), at: at}
				// The backup may have a row that was not there before, nor afterwards.
				op.do = func() {
					write()
					op.at, op.do = "summing the rows of queue.t", func() { r.exec("DELETE FROM queue.t WHERE v = 'new'") }
				}
				result, err := r.actions()[action].Run(t.Context(), op)
				if err != nil || !strings.Contains(result["verified"], "compared") {
					t.Errorf("%v, %s", err, result["verified"])
				}
				if why := manifestOf(t, result["location"]).Properties[propertyContinuable]; action == operation.ActionLogicalBackup && why != isContinuable {
					t.Errorf("no incremental backup can continue it: %s", why)
				}
				if strings.Contains(result["verified"], "not compared: busy.t") != (action == operation.ActionPhysicalBackup) {
					t.Errorf("verified: %s", result["verified"])
				}
				ctx, cancel := context.WithCancel(t.Context())
				op = &meanwhile{Op: r.op(action, params), at: "reading what was restored", do: func() {
					defer cancel()
					if err := alter(ctx, r); err != nil {
						t.Errorf("a table is locked while what was restored of it is looked at: %v", err)
					}
					if _, err := os.Stat(r.env.SideDir(copyDir)); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("the copy still takes the room of what is restored of it: %v", err)
					}
				}}
				if _, err := r.actions()[action].Run(ctx, op); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled: %v", err)
				}
				if err := r.actions()[action].(operations.Abandoner).Abandon(t.Context(), r.op(action, params)); err != nil {
					t.Error(err)
				}
				r.clean()
			})
		}
	})
}
