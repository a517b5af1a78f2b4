// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestVariablesOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		set := func(variables map[string]operation.Value) (map[string]string, error) {
			return p.run(op("v", &operation.SetVariable{Variables: variables}, nil))
		}
		show := func(name string) string { return p.value("postgres", "SELECT current_setting('"+name+"')") }

		t.Run("are set at once or with the next start, and it says which", func(t *testing.T) {
			result, err := set(map[string]operation.Value{
				"max_connections":       {Text: "77", Kind: operation.Number},
				"work_mem":              str("64M"),
				"log_line_prefix":       str(`it's \ "%m" `),
				"search_path":           str(`"$user", public, "odd,one"`),
				"autovacuum":            {Text: "false", Kind: operation.Bool},
				"random_page_cost":      {Text: "1.5", Kind: operation.Number},
				"DateStyle":             str("SQL, DMY"),
				"server_version_num":    str(p.value("postgres", "SELECT current_setting('server_version_num')")),
				"bgwriter_lru_maxpages": str("200"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if result["restartRequired"] != "max_connections" || result["applied"] != "DateStyle,autovacuum,bgwriter_lru_maxpages,log_line_prefix,random_page_cost,search_path,server_version_num,work_mem" {
				t.Errorf("result %v", result)
			}
			for name, want := range map[string]string{
				"work_mem": "64MB", "log_line_prefix": `it's \ "%m" `, "search_path": `"$user", public, "odd,one"`, "autovacuum": "off",
				"random_page_cost": "1.5", "DateStyle": "SQL, DMY", "max_connections": "100", "bgwriter_lru_maxpages": "200",
			} {
				if got := show(name); got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
		})
		t.Run("are all left as they were if one is refused", func(t *testing.T) {
			for _, tc := range []struct{ name, value, reason string }{
				{"wal_buffers", "lots", "Refused"},
				{"synchronous_commit", "perhaps", "Refused"},
				{"no_such_variable", "1", "UnknownVariable"},
				{"block_size", "1", "ReadOnlyVariable"},
				{"primary_conninfo", "password=hunter2secret", "OwnedVariable"},
				{"synchronous_standby_names", "*", "OwnedVariable"},
				{"ssl", "off", "OwnedVariable"},
				{"logging_collector", "on", "OwnedVariable"},
				{"shared_preload_libraries", "pg_stat_statments", "Refused"},
				{"session_preload_libraries", "$libdir/nowhere", "Refused"},
			} {
				result, err := set(map[string]operation.Value{"bgwriter_lru_maxpages": str("9"), "archive_timeout": str("9"), "DateStyle": str("ISO, MDY"), tc.name: str(tc.value)})
				if operations.ReasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.name) || strings.Contains(err.Error(), "hunter2secret") {
					t.Errorf("%s: %v, %v", tc.name, result, err)
				}
				p.sql("postgres", "SELECT pg_reload_conf()")
				if got := p.value("postgres", "SELECT string_agg(name || '=' || setting, ' ' ORDER BY seqno) FROM pg_file_settings WHERE name IN ('bgwriter_lru_maxpages', 'archive_timeout')"); got != "bgwriter_lru_maxpages=200" {
					t.Errorf("after %s: %s", tc.name, got)
				}
				if got := show("DateStyle"); got != "SQL, DMY" {
					t.Errorf("after %s DateStyle is %s", tc.name, got)
				}
			}
		})
		t.Run("survive a restart", func(t *testing.T) {
			if err := p.StopServer(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := p.StartServer(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{"max_connections": "77", "work_mem": "64MB", "search_path": `"$user", public, "odd,one"`} {
				if got := show(name); got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
		})
	})
}
