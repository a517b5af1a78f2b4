// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestSetVariableOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		set := func(variables map[string]operation.Value) *operation.SetVariable {
			return &operation.SetVariable{Variables: variables}
		}
		action := operation.ActionSetVariable

		t.Run("the document's example", func(t *testing.T) {
			result := r.run(action, set(map[string]operation.Value{
				"max_connections": text("500"), "innodb_buffer_pool_size": text("256M"), "log_bin": text("ON")}))
			if got := r.scalar("SELECT CONCAT_WS(' ', @@max_connections, @@innodb_buffer_pool_size, @@log_bin)"); got != "500 268435456 1" {
				t.Errorf("got %s", got)
			}
			if result["restartRequired"] != "" {
				t.Errorf("got %v", result)
			}
		})
		t.Run("each kind of variable takes its values as option files write them", func(t *testing.T) {
			r.run(action, set(map[string]operation.Value{
				"long-query-time":               text("0.25"),
				"slow_query_log":                {Text: "true", Kind: operation.Bool},
				"binlog_row_image":              text("minimal"),
				"init_connect":                  text("SET @a = 'b\\c'"),
				"sql_mode":                      text(""),
				"max_allowed_packet":            text("32M"),
				"general_log":                   {Text: "0", Kind: operation.Number},
				"default_collation_for_utf8mb4": text("utf8mb4_general_ci"),
			}))
			got := r.scalar("SELECT CONCAT_WS('|', @@global.long_query_time, @@global.slow_query_log, @@global.binlog_row_image, @@global.init_connect, @@global.sql_mode, @@global.max_allowed_packet)")
			if got != `0.250000|1|MINIMAL|SET @a = 'b\c'||33554432` {
				t.Errorf("got %s", got)
			}
		})
		t.Run("a variable that is read at start is recorded", func(t *testing.T) {
			result := r.run(action, set(map[string]operation.Value{"innodb_ft_min_token_size": text("2"), "max_connections": text("501")}))
			if result["restartRequired"] != "innodb_ft_min_token_size" || !strings.Contains(result["message"], "next restart") {
				t.Errorf("got %v", result)
			}
		})
		t.Run("one bad variable leaves all as they were", func(t *testing.T) {
			for _, tc := range []struct {
				name, value, reason, words string
			}{
				{"log_bin", "OFF", "ReadOnlyVariable", "log_bin"},
				{"max_conections", "1", "UnknownVariable", "max_conections"},
				{"binlog_format_x", "1", "UnknownVariable", "binlog_format_x"},
				{"super_read_only", "OFF", "OwnedVariable", "super_read_only"},
				{"timestamp", "1", "UnknownVariable", "timestamp"},
				{"binlog_row_image", "hunter2", "Refused", "binlog_row_image"},
			} {
				r.fails(action, set(map[string]operation.Value{
					tc.name: text(tc.value), "max_connections": text("600")}), tc.reason, tc.words)
			}
			if got := r.scalar("SELECT @@max_connections"); got != "501" {
				t.Errorf("max_connections is %s", got)
			}
		})
		t.Run("the next start has them, and leaves no transaction", func(t *testing.T) {
			r.Restart()
			if got := r.scalar("SELECT CONCAT_WS(' ', @@max_connections, @@innodb_ft_min_token_size, @@global.slow_query_log, @@gtid_executed)"); got != "501 2 1 " {
				t.Errorf("got %q", got)
			}
		})
	})
}
