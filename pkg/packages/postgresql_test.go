// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// The real server takes every variant and means by it what the template does.
func TestPostgreSQLRunsWithTheConfiguration(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "postgres"
		box.Secret(t, "postgres", "test-password")
		e := postgresql.New(box.Env(t))
		request := Request{Type: "postgresql", Version: postgresVersion(t, box)}
		version, err := configtemplate.ParseVersion(request.Version)
		if err != nil {
			t.Fatal(err)
		}
		facts := func(mode string, memory int64) func(*configtemplate.Facts) {
			return func(f *configtemplate.Facts) {
				f.ArchMode, f.Managed, f.Memory = mode, mode != "", memory
				f.DataSize = 10 << 30
			}
		}
		box.Initialize(t, e, startFor(t, request, facts("", 512<<20)))
		for _, mode := range archModes["postgresql"] {
			for _, memory := range []int64{0, 128 << 20, 512 << 20, 1 << 30} {
				t.Run(fmt.Sprintf("%s at %d MiB", mode, memory>>20), func(t *testing.T) {
					server := box.Start(t, e, startFor(t, request, facts(mode, memory)))
					defer server.Stop()
					conn, err := pgx.Connect(t.Context(), "postgres://postgres:test-password@127.0.0.1:5432/postgres?sslmode=disable")
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close(t.Context())
					want := map[string]string{
						"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "wal_level": "replica",
						"wal_log_hints": "on", "data_checksums": "on", "max_connections": "200", "max_wal_senders": "16",
						"password_encryption": "scram-sha-256", "logging_collector": "off", "huge_pages": "off",
						"archive_mode": "on", "archive_command": "true",
						"shared_buffers": map[int64]string{0: "256MB", 128 << 20: "32MB", 512 << 20: "128MB", 1 << 30: "256MB"}[memory],
					}
					if version.Major >= 13 {
						want["max_slot_wal_keep_size"] = "2GB"
					}
					if version.Major >= 17 {
						want["summarize_wal"] = "on"
					}
					got := map[string]string{}
					for name := range want {
						var value string
						if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						got[name] = value
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					var broken int
					if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL").Scan(&broken); err != nil || broken > 0 {
						t.Errorf("%d lines of the configuration are wrong, %v", broken, err)
					}
					if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL").Scan(&broken); err != nil || broken > 0 {
						t.Errorf("%d lines of pg_hba.conf are wrong, %v", broken, err)
					}
				})
			}
		}
	})
}

// A package archives nothing yet: what its command was called for is recycled.
func TestPostgreSQLRecyclesItsWAL(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "postgres"
		box.Secret(t, "postgres", "test-password")
		e := postgresql.New(box.Env(t))
		start := startFor(t, Request{Type: "postgresql", Version: postgresVersion(t, box)}, func(f *configtemplate.Facts) { f.Memory, f.DataSize = 128<<20, 1<<30 })
		box.Initialize(t, e, start)
		server := box.Start(t, e, start)
		conn, err := pgx.Connect(t.Context(), "postgres://postgres:test-password@127.0.0.1:5432/postgres?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var first string
		if err := conn.QueryRow(t.Context(), "SELECT pg_walfile_name(pg_current_wal_lsn())").Scan(&first); err != nil {
			t.Fatal(err)
		}
		// More than wal_keep_size, which is the reserve for standbys.
		for range 8 {
			for _, s := range []string{"CREATE TABLE t (i int)", "DROP TABLE t", "SELECT pg_switch_wal()"} {
				if _, err := conn.Exec(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		const recycled = `SELECT s.failed_count = 0 AND s.archived_count >= 8
  AND NOT EXISTS (SELECT FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')
  AND NOT EXISTS (SELECT FROM pg_ls_waldir() WHERE name = $1) FROM pg_stat_archiver AS s`
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			// A checkpoint removes what was archived before it.
			if _, err := conn.Exec(t.Context(), "CHECKPOINT"); err != nil {
				t.Fatal(err)
			}
			var ok bool
			if err := conn.QueryRow(t.Context(), recycled, first).Scan(&ok); err != nil {
				t.Fatal(err)
			}
			if ok {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s is kept\n%s", first, server.Log())
			}
		}
		server.Stop()
	})
}

// postgresVersion asks the server in the box. Debian's lies beside PATH.
func postgresVersion(t *testing.T, box *enginetest.Box) string {
	t.Helper()
	path, err := box.Env(t).Program("postgres")
	if err != nil {
		output, findErr := exec.CommandContext(t.Context(), "find", "/usr/lib/postgresql", "-name", "postgres", "-type", "f").Output()
		if findErr != nil || len(output) == 0 {
			t.Fatalf("%v; %v", err, findErr)
		}
		path = strings.TrimSpace(string(output))
	}
	return serverVersion(t, path, "--version")
}
