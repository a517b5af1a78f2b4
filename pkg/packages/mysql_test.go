// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"database/sql"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// startFor renders a package as the unit controller does.
func startFor(t *testing.T, request Request, change func(*configtemplate.Facts)) engine.Start {
	t.Helper()
	p, err := Resolve(artifacts(t), request)
	if err != nil {
		t.Fatal(err)
	}
	managed := false
	files := render(t, p, string(request.Type), variant{version: request.Version, facts: func(f *configtemplate.Facts) {
		change(f)
		managed = f.Managed
	}})
	return engine.Start{Files: files, ConfigHash: "test", Managed: managed}
}

// serverVersion is the first version number that a program prints.
func serverVersion(t *testing.T, program string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	version := regexp.MustCompile(`[0-9]+\.[0-9]+(\.[0-9]+)?`).FindString(string(output))
	if version == "" {
		t.Fatalf("no version in %q", output)
	}
	return version
}

// The real server takes every variant, without a word about options that are
// deprecated or unknown.
func TestMySQLTakesTheConfiguration(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		e := mysql.New(box.Env(t))
		mysqld, err := box.Env(t).Program("mysqld")
		if err != nil {
			t.Fatal(err)
		}
		request := Request{Type: "mysql", Version: serverVersion(t, mysqld, "--version")}
		for _, mode := range archModes["mysql"] {
			for _, memory := range []int64{0, 256 << 20, 512 << 20, 4 << 30} {
				t.Run(fmt.Sprintf("%s at %d MiB", mode, memory>>20), func(t *testing.T) {
					start := startFor(t, request, func(f *configtemplate.Facts) {
						f.ArchMode, f.Managed, f.Memory = mode, mode != "", memory
						f.LogMount = "/tmp"
					})
					if err := e.Prepare(t.Context(), start); err != nil {
						t.Fatal(err)
					}
					command, err := e.Command(t.Context(), start)
					if err != nil {
						t.Fatal(err)
					}
					output, err := exec.CommandContext(t.Context(), command.Path, append(command.Args, "--validate-config")...).CombinedOutput()
					if err != nil {
						t.Errorf("%v\n%s", err, output)
					}
					noComplaints(t, string(output))
				})
			}
		}
	})
}

// noComplaints looks for what a server says of options it does not like.
func noComplaints(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		lower := strings.ToLower(line)
		// What the agent adds to the command line of every managed unit.
		if strings.Contains(lower, "unknown variable 'loose-group-replication-") {
			continue
		}
		for _, complaint := range []string{"deprecated", "unknown", "[error]", "unrecognized", "ignor", "invalid", "plugin-load", "changed limits"} {
			if strings.Contains(lower, complaint) {
				t.Errorf("the server complains: %s", line)
			}
		}
	}
}

func TestMySQLRunsWithTheConfiguration(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "root"
		box.Secret(t, "root", "test-password")
		e := mysql.New(box.Env(t))
		mysqld, err := box.Env(t).Program("mysqld")
		if err != nil {
			t.Fatal(err)
		}
		request := Request{Type: "mysql", Version: serverVersion(t, mysqld, "--version")}
		facts := func(mode string, memory int64) func(*configtemplate.Facts) {
			return func(f *configtemplate.Facts) { f.ArchMode, f.Managed, f.Memory = mode, mode != "", memory }
		}
		box.Initialize(t, e, startFor(t, request, facts("", 512<<20)))
		for _, tc := range []struct {
			mode string
			want map[string]string
		}{
			{"", map[string]string{
				"super_read_only": "0", "gtid_mode": "ON", "innodb_buffer_pool_size": "134217728", "max_connections": "100",
				"binlog_format": "ROW", "sync_binlog": "1", "relay_log_recovery": "0", "sync_relay_log": "1", "skip_name_resolve": "1",
				"innodb_redo_log_capacity": "104857600", "binlog_expire_logs_seconds": "604800", "port": "3306",
			}},
			{"rpl_semi_sync", map[string]string{
				"super_read_only": "1", "rpl_semi_sync_source_enabled": "0", "rpl_semi_sync_source_timeout": "4294967295",
				"rpl_semi_sync_source_wait_point": "AFTER_SYNC", "rpl_semi_sync_replica_enabled": "0",
			}},
			{"group_replication", map[string]string{
				"super_read_only": "1", "group_replication_start_on_boot": "0", "group_replication_bootstrap_group": "0",
				"replica_preserve_commit_order": "1",
			}},
		} {
			t.Run("mode "+tc.mode, func(t *testing.T) {
				server := box.Start(t, e, startFor(t, request, facts(tc.mode, 512<<20)))
				defer server.Stop()
				config := driver.NewConfig()
				config.User, config.Passwd, config.Net, config.Addr = "root", "test-password", "tcp", "127.0.0.1:3306"
				config.TLSConfig = "skip-verify"
				db, err := sql.Open("mysql", config.FormatDSN())
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				got := map[string]string{}
				for name := range tc.want {
					var value string
					if err := db.QueryRowContext(t.Context(), "SELECT @@global."+name).Scan(&value); err != nil {
						t.Fatal(err)
					}
					got[name] = value
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				var clone string
				if err := db.QueryRowContext(t.Context(), "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'").Scan(&clone); err != nil || clone != "ACTIVE" {
					t.Errorf("the clone plugin is %q, %v", clone, err)
				}
				noComplaints(t, server.Log())
				t.Logf("resident: %s", resident(t, server.Pid()))
			})
		}
	})
}
