// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/operation"
)

// setByTheOperator is the one value that the keys of a configuration have which
// belong to the operator. The API server names it in its refusal of any other:
// 'spec.configuration.server_id: Unsupported value: 5: supported values: "set by
// the operator"'.
const setByTheOperator = "set by the operator"

// spelled are variables by the globs of pkg/operation that they match: a schema
// has no patterns for keys, and a CEL rule sees no keys of values that may be any
// JSON.
var spelled = map[string][]string{
	"rpl_semi_sync_*": {
		"rpl_semi_sync_source_enabled", "rpl_semi_sync_source_timeout", "rpl_semi_sync_source_wait_for_replica_count",
		"rpl_semi_sync_source_wait_no_replica", "rpl_semi_sync_source_wait_point", "rpl_semi_sync_replica_enabled",
		"rpl_semi_sync_master_enabled", "rpl_semi_sync_master_timeout", "rpl_semi_sync_master_wait_for_slave_count",
		"rpl_semi_sync_master_wait_no_slave", "rpl_semi_sync_master_wait_point", "rpl_semi_sync_slave_enabled",
	},
	"group_replication_*": {
		"group_replication_bootstrap_group", "group_replication_communication_stack", "group_replication_consistency",
		"group_replication_enforce_update_everywhere_checks", "group_replication_force_members", "group_replication_group_name",
		"group_replication_group_seeds", "group_replication_ip_allowlist", "group_replication_ip_whitelist",
		"group_replication_local_address", "group_replication_single_primary_mode", "group_replication_start_on_boot",
	},
	"*_port":                  {"admin_port", "mysqlx_port", "report_port"},
	"*_bind_address":          {"mysqlx_bind_address"},
	"*_tmpdir":                {"innodb_tmpdir", "replica_load_tmpdir", "slave_load_tmpdir"},
	"innodb_*_dir":            {"innodb_data_home_dir", "innodb_doublewrite_dir", "innodb_log_group_home_dir", "innodb_temp_tablespaces_dir"},
	"innodb_*_directory":      {"innodb_undo_directory"},
	"keyring_*":               {"keyring_file_data"},
	"ssl_*":                   {"ssl_ca", "ssl_ca_file", "ssl_capath", "ssl_cert", "ssl_cert_file", "ssl_cipher", "ssl_ciphers", "ssl_crl", "ssl_crl_file", "ssl_crlpath", "ssl_key", "ssl_key_file"},
	"tls_*":                   {"tls_ciphersuites", "tls_version"},
	"admin_ssl_*":             {"admin_ssl_ca", "admin_ssl_cert", "admin_ssl_key"},
	"admin_tls_*":             {"admin_tls_ciphersuites", "admin_tls_version"},
	"mysqlx_ssl_*":            {"mysqlx_ssl_ca", "mysqlx_ssl_cert", "mysqlx_ssl_key"},
	"persist_*":               {"persist_only_admin_x509_subject", "persist_sensitive_variables_in_plaintext"},
	"recovery_*":              {"recovery_min_apply_delay", "recovery_target", "recovery_target_timeline"},
	"unix_socket_*":           {"unix_socket_directories"},
	"admin-*_ifaces":          {"admin-mysql_ifaces", "admin-pgsql_ifaces", "admin-telnet_admin_ifaces", "admin-telnet_stats_ifaces"},
	"*-interfaces":            {"mysql-interfaces"},
	"*-have_ssl":              {"mysql-have_ssl"},
	"*-ssl_*":                 {"mysql-ssl_p2s_ca", "mysql-ssl_p2s_cert", "mysql-ssl_p2s_cipher", "mysql-ssl_p2s_key"},
	"admin-admin_credentials": {"admin-admin_credentials"},
	"admin-stats_credentials": {"admin-stats_credentials"},
	"admin-ssl_*":             {"admin-ssl_keylog_file"},
	"admin-tls_*":             nil,
}

// own adds the operator's keys to the schema of a UnitSet's configuration: at its
// top, and among the server's variables in options and admin_options, which leave
// out the prefixes of ProxySQL's names.
func own(configuration map[string]any) {
	options, admin := map[string]any{}, map[string]any{}
	for _, name := range ownedNames() {
		key := map[string]any{"x-kubernetes-preserve-unknown-fields": true, "enum": []any{setByTheOperator}}
		if short, ok := strings.CutPrefix(name, "admin-"); ok {
			admin[short] = key
			continue
		}
		options[strings.TrimPrefix(name, "mysql-")] = key
	}
	top := map[string]any{}
	for name, key := range options {
		top[name] = key
	}
	open := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": properties}
	}
	top["options"], top["admin_options"] = open(options), open(admin)
	delete(configuration, "additionalProperties")
	for key, value := range open(top) {
		configuration[key] = value
	}
}

// ownedNames are the variables of all types that belong to the operator.
func ownedNames() []string {
	var names []string
	for _, typ := range []string{operation.MySQL, operation.PostgreSQL, operation.ProxySQL} {
		for _, glob := range operation.OwnedVariables(typ) {
			if strings.Contains(glob, "*") {
				names = append(names, spelled[glob]...)
			} else {
				names = append(names, glob)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
