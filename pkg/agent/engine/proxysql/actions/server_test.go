// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/proxysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestMain(m *testing.M) { enginetest.Main(m, proxysql.New) }

var start = engine.Start{Files: map[string][]byte{"proxysql.cnf": []byte(`
datadir = "/nowhere"
admin_variables = { admin_credentials = "$(ADMIN_CREDENTIALS)"; mysql_ifaces = "0.0.0.0:6032" }
mysql_variables = { threads = 2; interfaces = "0.0.0.0:6033" }
`)}, ConfigHash: "h"}

// tables where a variable is: memory, runtime, disk.
var tables = []string{"main.global_variables", "runtime_global_variables", "disk.global_variables"}

func values(t *testing.T, e engine.Engine, name string) []string {
	t.Helper()
	var out []string
	err := e.(*proxysql.Engine).Admin(t.Context(), func(conn *sql.Conn) error {
		for _, table := range tables {
			v, err := read(t.Context(), conn, table, name)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVariablesOfARealServer(t *testing.T) {
	enginetest.Each(t, "proxysql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["MON_USER"] = "mon"
		box.Secret(t, "mon", "monitor-secret")
		env := box.Env(t)
		e := proxysql.New(env)
		box.Initialize(t, e, start)
		server := box.Start(t, e, start)
		action := New(operations.Deps{Env: env, Engine: e})[operation.ActionSetVariable]
		set := func(variables map[string]operation.Value) (map[string]string, error) {
			return action.Run(t.Context(), &optest.Op{ParamsValue: &operation.SetVariable{Variables: variables}})
		}
		text := func(s string) operation.Value { return operation.Value{Text: s, Kind: operation.String} }

		t.Run("are in memory, at runtime and on disk", func(t *testing.T) {
			result, err := set(map[string]operation.Value{
				"mysql-max_connections":    {Text: "321", Kind: operation.Number},
				"mysql-max_allowed_packet": text("8M"),
				"mysql-monitor_enabled":    {Text: "false", Kind: operation.Bool},
				"mysql-init_connect":       text("SET @a = 'it''s'"),
				"admin-refresh_interval":   text("3000"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := "admin-refresh_interval,mysql-init_connect,mysql-max_allowed_packet,mysql-max_connections,mysql-monitor_enabled"; result["applied"] != want {
				t.Errorf("result %v", result)
			}
			for name, want := range map[string]string{
				"mysql-max_connections": "321", "mysql-max_allowed_packet": "8388608", "mysql-monitor_enabled": "false",
				"mysql-init_connect": "SET @a = 'it''s'", "admin-refresh_interval": "3000",
			} {
				if diff := cmp.Diff([]string{want, want, want}, values(t, e, name)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
		t.Run("are all left as they were if one is refused", func(t *testing.T) {
			for _, tc := range []struct{ name, value, reason string }{
				{"mysql-max_transaction_time", "soon", "Refused"},
				{"mysql-no_such_variable", "1", "UnknownVariable"},
				{"sqliteserver-mysql_ifaces", "x", "UnknownVariable"},
				{"admin-admin_credentials", "a:b", "OwnedVariable"},
				{"mysql-interfaces", "0.0.0.0:1", "OwnedVariable"},
				{"mysql-monitor_password", "hunter2secret", "OwnedVariable"},
			} {
				result, err := set(map[string]operation.Value{"mysql-max_connections": text("77"), tc.name: text(tc.value)})
				if operations.ReasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.name) || strings.Contains(err.Error(), "hunter2secret") {
					t.Errorf("%s: %v, %v", tc.name, result, err)
				}
				if diff := cmp.Diff([]string{"321", "321", "321"}, values(t, e, "mysql-max_connections")); diff != "" {
					t.Errorf("after %s: %s", tc.name, diff)
				}
			}
		})
		t.Run("that a start reads are saved for it", func(t *testing.T) {
			result, err := set(map[string]operation.Value{"mysql-threads": text("3"), "mysql-max_connections": text("322")})
			if err != nil {
				t.Fatal(err)
			}
			if result["restartRequired"] != "mysql-threads" || result["applied"] != "mysql-max_connections" {
				t.Errorf("result %v", result)
			}
		})
		t.Run("survive a restart", func(t *testing.T) {
			server.Stop()
			box.Start(t, e, start)
			for name, want := range map[string]string{"mysql-threads": "3", "mysql-max_connections": "322", "mysql-monitor_enabled": "false"} {
				if got := values(t, e, name)[1]; got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
		})
	})
}
