// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

// Sessions of the agent and of its tools set everything that a server-wide setting, made
// for clients, could impose on them. What a version does not know stands in a comment of
// the version that brought it.

// ReadLimits is the SET statement of a session that reads: of time, of rows, of the
// transaction. It needs no privilege, for sources of a clone are logged in to as a user.
const ReadLimits = "SET SESSION autocommit = 1, SESSION completion_type = 0, SESSION wait_timeout = 28800, " +
	"SESSION net_read_timeout = 86400, SESSION net_write_timeout = 86400, SESSION sql_safe_updates = 0, " +
	"SESSION sql_big_selects = 1, SESSION sql_select_limit = 18446744073709551615, SESSION sql_quote_show_create = 1" +
	"/*!50708 , SESSION max_execution_time = 0 *//*!50720 , SESSION transaction_read_only = 0 */"

// LoadLimits is the SET statement of a session that loads a dump: what a table was made
// with is right, whatever the server asks of new ones. A key, a row format or a foreign
// key that was legal then is legal now.
const LoadLimits = ReadLimits + ", SESSION lock_wait_timeout = 60, SESSION innodb_strict_mode = 0, SESSION explicit_defaults_for_timestamp = 1" +
	"/*!80013 , SESSION sql_require_primary_key = 0 *//*!80030 , SESSION sql_generate_invisible_primary_key = 0 */" +
	"/*!80400 , SESSION restrict_fk_on_non_standard_key = 0 */"
