// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// A table of the configuration. It is in every layer; in MEMORY there is its twin
// runtime_NAME too, which shows RUNTIME.
type table struct{ name, columns string }

var tables = []table{
	{"global_variables", `variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL`},
	{"mysql_servers", `
		hostgroup_id INT NOT NULL DEFAULT 0 CHECK (hostgroup_id >= 0),
		hostname VARCHAR NOT NULL,
		port INT NOT NULL DEFAULT 3306 CHECK (port BETWEEN 0 AND 65535),
		gtid_port INT NOT NULL DEFAULT 0 CHECK (gtid_port BETWEEN 0 AND 65535),
		status VARCHAR NOT NULL DEFAULT 'ONLINE' CHECK (UPPER(status) IN ('ONLINE', 'SHUNNED', 'OFFLINE_SOFT', 'OFFLINE_HARD')),
		weight INT NOT NULL DEFAULT 1 CHECK (weight BETWEEN 0 AND 10000000),
		compression INT NOT NULL DEFAULT 0 CHECK (compression IN (0, 1)),
		max_connections INT NOT NULL DEFAULT 1000 CHECK (max_connections >= 0),
		max_replication_lag INT NOT NULL DEFAULT 0 CHECK (max_replication_lag BETWEEN 0 AND 126144000),
		use_ssl INT NOT NULL DEFAULT 0 CHECK (use_ssl IN (0, 1)),
		max_latency_ms INT NOT NULL DEFAULT 0 CHECK (max_latency_ms >= 0),
		comment VARCHAR NOT NULL DEFAULT '',
		PRIMARY KEY (hostgroup_id, hostname, port)`},
	{"mysql_replication_hostgroups", `
		writer_hostgroup INT NOT NULL PRIMARY KEY CHECK (writer_hostgroup >= 0),
		reader_hostgroup INT NOT NULL UNIQUE CHECK (reader_hostgroup >= 0 AND reader_hostgroup <> writer_hostgroup),
		check_type VARCHAR COLLATE NOCASE NOT NULL DEFAULT 'read_only' CHECK (check_type IN
			('read_only', 'innodb_read_only', 'super_read_only', 'read_only|innodb_read_only', 'read_only&innodb_read_only')),
		comment VARCHAR NOT NULL DEFAULT ''`},
	{"mysql_group_replication_hostgroups", `
		writer_hostgroup INT NOT NULL PRIMARY KEY CHECK (writer_hostgroup >= 0),
		backup_writer_hostgroup INT NOT NULL UNIQUE CHECK (backup_writer_hostgroup >= 0),
		reader_hostgroup INT NOT NULL UNIQUE CHECK (reader_hostgroup > 0),
		offline_hostgroup INT NOT NULL UNIQUE CHECK (offline_hostgroup >= 0),
		active INT NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
		max_writers INT NOT NULL DEFAULT 1 CHECK (max_writers >= 0),
		writer_is_also_reader INT NOT NULL DEFAULT 0 CHECK (writer_is_also_reader IN (0, 1, 2)),
		max_transactions_behind INT NOT NULL DEFAULT 0 CHECK (max_transactions_behind >= 0),
		comment VARCHAR NOT NULL DEFAULT ''`},
	{"mysql_users", `
		username VARCHAR NOT NULL,
		password VARCHAR,
		active INT NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
		use_ssl INT NOT NULL DEFAULT 0 CHECK (use_ssl IN (0, 1)),
		default_hostgroup INT NOT NULL DEFAULT 0,
		default_schema VARCHAR,
		schema_locked INT NOT NULL DEFAULT 0 CHECK (schema_locked IN (0, 1)),
		transaction_persistent INT NOT NULL DEFAULT 1 CHECK (transaction_persistent IN (0, 1)),
		fast_forward INT NOT NULL DEFAULT 0 CHECK (fast_forward IN (0, 1)),
		backend INT NOT NULL DEFAULT 1 CHECK (backend IN (0, 1)),
		frontend INT NOT NULL DEFAULT 1 CHECK (frontend IN (0, 1)),
		max_connections INT NOT NULL DEFAULT 10000 CHECK (max_connections >= 0),
		attributes VARCHAR NOT NULL DEFAULT '',
		comment VARCHAR NOT NULL DEFAULT '',
		PRIMARY KEY (username, backend), UNIQUE (username, frontend)`},
	{"mysql_query_rules", `
		rule_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
		active INT NOT NULL DEFAULT 0 CHECK (active IN (0, 1)),
		username VARCHAR, schemaname VARCHAR, flagIN INT NOT NULL DEFAULT 0,
		client_addr VARCHAR, proxy_addr VARCHAR, proxy_port INT, digest VARCHAR,
		match_digest VARCHAR, match_pattern VARCHAR,
		negate_match_pattern INT NOT NULL DEFAULT 0 CHECK (negate_match_pattern IN (0, 1)),
		re_modifiers VARCHAR DEFAULT 'CASELESS', flagOUT INT, replace_pattern VARCHAR,
		destination_hostgroup INT DEFAULT NULL,
		cache_ttl INT, cache_empty_result INT, cache_timeout INT, reconnect INT, timeout INT, retries INT, delay INT,
		next_query_flagIN INT, mirror_flagOUT INT, mirror_hostgroup INT, error_msg VARCHAR, OK_msg VARCHAR,
		sticky_conn INT, multiplex INT, gtid_from_hostgroup INT, log INT,
		apply INT NOT NULL DEFAULT 0 CHECK (apply IN (0, 1)),
		attributes VARCHAR NOT NULL DEFAULT '', comment VARCHAR`},
}

// A module is what one statement LOAD or SAVE moves: whole tables, or the variables
// whose names have a prefix.
type module struct {
	name   string
	tables []string
	prefix string
}

var modules = []module{
	{name: "MYSQL SERVERS", tables: []string{"mysql_servers", "mysql_replication_hostgroups", "mysql_group_replication_hostgroups"}},
	{name: "MYSQL USERS", tables: []string{"mysql_users"}},
	{name: "MYSQL QUERY RULES", tables: []string{"mysql_query_rules"}},
	{name: "MYSQL VARIABLES", tables: []string{"global_variables"}, prefix: "mysql-"},
	{name: "ADMIN VARIABLES", tables: []string{"global_variables"}, prefix: "admin-"},
}

// monitorTables are in the schema monitor; statisticsTables in stats, and the only ones
// that the user stats has.
var (
	monitorTables = []table{
		{"mysql_server_connect_log", `hostname VARCHAR NOT NULL, port INT NOT NULL, time_start_us INT NOT NULL, connect_success_time_us INT DEFAULT 0, connect_error VARCHAR`},
		{"mysql_server_ping_log", `hostname VARCHAR NOT NULL, port INT NOT NULL, time_start_us INT NOT NULL, ping_success_time_us INT DEFAULT 0, ping_error VARCHAR`},
		{"mysql_server_read_only_log", `hostname VARCHAR NOT NULL, port INT NOT NULL, time_start_us INT NOT NULL, success_time_us INT DEFAULT 0, read_only INT, error VARCHAR`},
	}
	statisticsTables = []table{
		{"stats_mysql_global", `Variable_Name VARCHAR NOT NULL PRIMARY KEY, Variable_Value VARCHAR NOT NULL`},
	}
)
