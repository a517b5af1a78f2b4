// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strconv"
	"strings"
)

// version is what clients see as admin-version, and the program as its own.
const version = "2.7.1-stand-in"

// A variable of ProxySQL.
type variable struct {
	kind  kind
	value string
	// atStart is true of those that are read when the server starts only.
	atStart bool
}

type kind int

const (
	text kind = iota
	number
	boolean
	// constant cannot be set.
	constant
)

// variables have the defaults of 2.7.1.
var variables = parseVariables("mysql-", `
	auditlog_filename=
	auditlog_filesize=104857600
	auto_increment_delay_multiplex=5
	auto_increment_delay_multiplex_timeout_ms=10000
	autocommit_false_is_transaction=false
	autocommit_false_not_reusable=false
	automatic_detect_sqli=false
	binlog_reader_connect_retry_msec=3000
	client_found_rows=true
	client_host_cache_size=0
	client_host_error_counts=0
	client_multi_statements=true
	client_session_track_gtid=true
	commands_stats=true
	connect_retries_delay=1
	connect_retries_on_failure=10
	connect_timeout_client=10000
	connect_timeout_server=3000
	connect_timeout_server_max=10000
	connection_delay_multiplex_ms=0
	connection_max_age_ms=0
	connection_warming=false
	connpoll_reset_queue_length=50
	default_authentication_plugin=mysql_native_password
	default_charset=utf8
	default_collation_connection=utf8_general_ci
	default_max_latency_ms=1000
	default_query_delay=0
	default_query_timeout=86400000
	default_reconnect=true
	default_schema=information_schema
	enable_client_deprecate_eof=true
	enable_load_data_local_infile=false
	enable_server_deprecate_eof=true
	enforce_autocommit_on_reads=false
	eventslog_default_log=0
	eventslog_filename=
	eventslog_filesize=104857600
	eventslog_format=1
	firewall_whitelist_enabled=false
	firewall_whitelist_errormsg=Firewall blocked this query
	forward_autocommit=false
	free_connections_pct=10
	handle_unknown_charset=1
	handle_warnings=1
	have_compress=true
	have_ssl=true
	hostgroup_manager_verbose=1
	init_connect=
	interfaces!=0.0.0.0:6033
	keep_multiplexing_variables=tx_isolation,transaction_isolation,version
	kill_backend_connection_when_disconnect=true
	log_mysql_warnings_enabled=false
	log_unhealthy_connections=true
	long_query_time=1000
	max_allowed_packet=67108864
	max_connections=2048
	max_stmts_cache=10000
	max_stmts_per_connection=20
	max_transaction_idle_time=14400000
	max_transaction_time=14400000
	mirror_max_concurrency=16
	mirror_max_queue_length=32000
	monitor_connect_interval=120000
	monitor_connect_timeout=600
	monitor_enabled=true
	monitor_groupreplication_healthcheck_interval=5000
	monitor_groupreplication_healthcheck_timeout=800
	monitor_groupreplication_healthcheck_max_timeout_count=3
	monitor_groupreplication_max_transactions_behind_count=3
	monitor_history=7200000
	monitor_local_dns_cache_refresh_interval=60000
	monitor_local_dns_cache_ttl=300000
	monitor_password=monitor
	monitor_ping_interval=10000
	monitor_ping_max_failures=3
	monitor_ping_timeout=1000
	monitor_query_interval=60000
	monitor_query_timeout=100
	monitor_read_only_interval=1500
	monitor_read_only_max_timeout_count=3
	monitor_read_only_timeout=500
	monitor_replication_lag_interval=10000
	monitor_replication_lag_timeout=1000
	monitor_replication_lag_use_percona_heartbeat=
	monitor_slave_lag_when_null=60
	monitor_threads_max=128
	monitor_threads_min=8
	monitor_threads_queue_maxsize=128
	monitor_username=monitor
	monitor_wait_timeout=true
	monitor_writer_is_also_reader=true
	multiplexing=true
	ping_interval_server_msec=120000
	ping_timeout_server=500
	poll_timeout=2000
	poll_timeout_on_failure=100
	query_cache_size_MB=256
	query_cache_soft_ttl_pct=0
	query_cache_stores_empty_result=true
	query_digests=true
	query_digests_lowercase=false
	query_digests_max_digest_length=2048
	query_digests_max_query_length=65000
	query_digests_normalize_digest_text=false
	query_digests_replace_null=true
	query_digests_track_hostname=false
	query_processor_iterations=0
	query_processor_regex=1
	query_retries_on_failure=1
	query_rules_fast_routing_algorithm=1
	reset_connection_algorithm=2
	server_capabilities=569899
	server_version=8.0.11
	servers_stats=true
	session_idle_ms=1
	session_idle_show_processlist=true
	sessions_sort=true
	set_parser_algorithm=1
	set_query_lock_on_hostgroup=1
	show_processlist_extended=0
	shun_on_failures=5
	shun_recovery_time_sec=10
	ssl_p2s_ca=
	ssl_p2s_capath=
	ssl_p2s_cert=
	ssl_p2s_cipher=
	ssl_p2s_crl=
	ssl_p2s_crlpath=
	ssl_p2s_key=
	stacksize!=1048576
	stats_time_backend_query=false
	stats_time_query_processor=false
	tcp_keepalive_time=120
	threads!=4
	threshold_query_length=524288
	threshold_resultset_size=4194304
	throttle_connections_per_sec_to_hostgroup=1000000
	throttle_max_bytes_per_second_to_client=0
	throttle_ratio_server_to_client=0
	unshun_algorithm=0
	use_tcp_keepalive=true
	verbose_query_error=false
	wait_timeout=28800000
`, "admin-", `
	admin_credentials=admin:admin
	checksum_mysql_query_rules=true
	checksum_mysql_servers=true
	checksum_mysql_users=true
	cluster_check_interval_ms=1000
	cluster_check_status_frequency=10
	cluster_password=
	cluster_username=
	coredump_generation_interval_ms=30000
	coredump_generation_threshold=10
	mysql_ifaces!=0.0.0.0:6032
	prometheus_memory_metrics_interval=61
	read_only=false
	refresh_interval=2000
	restapi_enabled=false
	restapi_port=6070
	ssl_keylog_file=
	stats_credentials=stats:stats
	stats_mysql_connection_pool=60
	stats_mysql_connections=60
	stats_mysql_query_cache=60
	stats_mysql_query_digest_to_disk=0
	stats_system_cpu=60
	stats_system_memory=60
	vacuum_stats=true
	web_enabled=false
	web_port=6080
	web_verbosity=0
`)

// parseVariables reads lists of name=default, each after its prefix; name!=default is
// read at start only. What a default looks like is its kind.
func parseVariables(lists ...string) map[string]variable {
	all := map[string]variable{"admin-version": {constant, version, false}}
	for pair := range slices.Chunk(lists, 2) {
		for line := range strings.Lines(pair[1]) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if !ok {
				continue
			}
			v := variable{value: value}
			name, v.atStart = strings.CutSuffix(name, "!")
			if _, err := strconv.Atoi(value); err == nil {
				v.kind = number
			}
			if value == "true" || value == "false" {
				v.kind = boolean
			}
			all[pair[0]+name] = v
		}
	}
	return all
}

// valid returns the value as it is in force once it is set, and whether it can be.
func (v variable) valid(value string) (string, bool) {
	switch v.kind {
	case number:
		n, err := strconv.ParseUint(value, 10, 31)
		return strconv.FormatUint(n, 10), err == nil
	case boolean:
		switch strings.ToLower(value) {
		case "true", "1":
			return "true", true
		case "false", "0":
			return "false", true
		}
		return "", false
	case constant:
		return "", false
	}
	return value, true
}
