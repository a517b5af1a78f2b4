// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// variables to set. Their values are never repeated in an error: some are passwords.
func (a *args) variables() map[string]Value {
	const key, want = "variables", "a mapping of names to strings, numbers or booleans"
	v, there := a.value(key)
	if !there {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		a.refuse(key, "is %s; it wants %s", kindOf(v), want)
		return nil
	}
	if len(m) == 0 {
		a.refuse(key, "is empty; it wants %s", want)
		return nil
	}
	const most = 256
	if len(m) > most {
		a.refuse(key, "has more than %d entries", most)
		return nil
	}
	out, as := map[string]Value{}, map[string]string{}
	for _, name := range sortedKeys(m) {
		full := key + "." + name
		value, ok := asScalar(m[name])
		switch {
		case !variablePattern.MatchString(name):
			a.refuse(key+"."+quote(name), "is no name of a variable")
			continue
		case as[canonicalVariable(a.typ, name)] != "":
			a.refuse(full, "is the same variable as %s", as[canonicalVariable(a.typ, name)])
			continue
		case OwnedVariable(a.typ, name):
			a.refuse(full, "belongs to the operator and cannot be set")
			continue
		case !ok:
			a.refuse(full, "is %s; it wants a string, a number or a boolean", kindOf(m[name]))
			continue
		case !printable(value.Text):
			a.refuse(full, "holds control characters")
			continue
		case len(value.Text) > 8192:
			a.refuse(full, "is longer than 8192 bytes")
			continue
		}
		as[canonicalVariable(a.typ, name)] = name
		out[name] = value
	}
	return out
}

// canonicalVariable is the server's own spelling: mysqld takes - for _, as option
// files do.
func canonicalVariable(typ, name string) string {
	name = strings.ToLower(name)
	if typ == MySQL {
		name = strings.ReplaceAll(name, "-", "_")
	}
	return name
}

// owned variables, by type, as globs: what decides who may write, who replicates
// from whom, where the server listens, where its files are, whom it trusts, and that what it
// logs reaches its container. Replications, the configuration and the agent write them.
var owned = map[string][]string{
	MySQL: {
		"read_only", "super_read_only", "offline_mode", "innodb_read_only",
		"rpl_semi_sync_*", "group_replication_*",
		"server_id", "server_uuid", "gtid_mode", "enforce_gtid_consistency", "gtid_purged", "gtid_executed", "gtid_next", "gtid_owned",
		"port", "*_port", "bind_address", "*_bind_address", "admin_address", "report_host", "skip_networking",
		"datadir", "basedir", "plugin_dir", "tmpdir", "*_tmpdir", "socket", "mysqlx_socket", "pid_file", "secure_file_priv", "init_file",
		"innodb_*_dir", "innodb_*_directory", "innodb_directories", "innodb_data_file_path", "innodb_temp_data_file_path",
		"log_error", "general_log_file", "slow_query_log_file", "log_bin_basename", "log_bin_index", "relay_log", "relay_log_basename", "relay_log_index",
		"character_sets_dir", "lc_messages_dir", "keyring_*",
		"ssl_*", "tls_*", "admin_ssl_*", "admin_tls_*", "mysqlx_ssl_*", "have_ssl", "require_secure_transport",
		"persisted_globals_load", "persist_*",
	},
	PostgreSQL: {
		"primary_conninfo", "primary_slot_name", "synchronous_standby_names", "cluster_name",
		"restore_command", "archive_cleanup_command", "recovery_*", "default_transaction_read_only", "transaction_read_only", "hot_standby", "in_hot_standby",
		"port", "listen_addresses", "unix_socket_*",
		"data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "logging_collector", "log_directory", "stats_temp_directory",
		"ssl", "ssl_*",
	},
	ProxySQL: {
		"admin-admin_credentials", "admin-stats_credentials", "admin-*_ifaces", "*-interfaces", "datadir",
		"*-have_ssl", "*-ssl_*", "admin-ssl_*", "admin-tls_*",
	},
}

// OwnedVariables of a type, as globs.
func OwnedVariables(typ string) []string { return slices.Clone(owned[typ]) }

// OwnedVariable tells whether a variable belongs to the operator.
func OwnedVariable(typ, name string) bool {
	name = canonicalVariable(typ, name)
	return slices.ContainsFunc(owned[typ], func(glob string) bool {
		ok, _ := path.Match(glob, name)
		return ok
	})
}
