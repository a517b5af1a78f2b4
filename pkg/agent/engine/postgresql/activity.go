// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// maxActivity of each list.
const maxActivity = 20

// transactionsQuery lists clients' transactions that have been open for a second. One that
// has a number of its own has written something.
const transactionsQuery = `
SELECT pid, coalesce(usename, '')::text, coalesce(pg_catalog.host(client_addr), ''),
  extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::bigint, CASE WHEN backend_xid IS NULL THEN 0 ELSE 1 END
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM $1 AND xact_start <= pg_catalog.clock_timestamp() - interval '1 second'
ORDER BY xact_start, pid LIMIT $2`

// statementsQuery lists what clients run, as much of it as shows what it is.
const statementsQuery = `
SELECT pid, coalesce(usename, '')::text, coalesce(pg_catalog.host(client_addr), ''),
  greatest(extract(epoch FROM pg_catalog.clock_timestamp() - query_start), 0)::bigint, pg_catalog.left(query, 1024)
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM $1 AND state = 'active'
  AND query ~* '(alter|create|drop|truncate|reindex|cluster|refresh|vacuum)'
ORDER BY query_start, pid`

// Activity implements engine.MemberActivity.
func (e *Engine) Activity(ctx context.Context) (a engine.Activity, err error) {
	err = e.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, transactionsQuery, engine.AgentUser, maxActivity)
		if err != nil {
			return fmt.Errorf("listing transactions: %w", err)
		}
		if a.Transactions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[engine.Transaction]); err != nil {
			return fmt.Errorf("listing transactions: %w", err)
		}
		if rows, err = conn.Query(ctx, statementsQuery, engine.AgentUser); err != nil {
			return fmt.Errorf("listing statements: %w", err)
		}
		statements, err := pgx.CollectRows(rows, pgx.RowToStructByPos[engine.Statement])
		if err != nil {
			return fmt.Errorf("listing statements: %w", err)
		}
		for _, s := range statements {
			if s.Kind = definition(s.Kind); s.Kind != "" && len(a.Definitions) < maxActivity {
				a.Definitions = append(a.Definitions, s)
			}
		}
		return nil
	})
	return a, err
}

// What a statement that changes definitions begins with, and what may follow of its kind.
var (
	definitions = []string{"ALTER", "CREATE", "DROP", "TRUNCATE", "REINDEX", "CLUSTER", "REFRESH", "VACUUM"}
	objects     = []string{
		"AGGREGATE", "CAST", "COLLATION", "CONCURRENTLY", "CONVERSION", "DATABASE", "DOMAIN", "EVENT", "EXTENSION", "FOREIGN", "FULL", "FUNCTION",
		"GROUP", "INDEX", "LANGUAGE", "MATERIALIZED", "OPERATOR", "OR", "POLICY", "PROCEDURE", "PUBLICATION", "REPLACE", "ROLE", "RULE", "SCHEMA",
		"SEQUENCE", "SERVER", "STATISTICS", "SUBSCRIPTION", "SYSTEM", "TABLE", "TABLESPACE", "TEMP", "TEMPORARY", "TRIGGER", "TYPE", "UNIQUE",
		"UNLOGGED", "USER", "VIEW",
	}
)

// definition is the first words of a statement that changes definitions, empty of any other:
// words of SQL and none of a user's.
func definition(statement string) string {
	words := strings.FieldsFunc(strings.ToUpper(withoutComments(statement)), func(r rune) bool {
		return strings.ContainsRune(" \t\n\v\f\r;(,", r)
	})
	if len(words) == 0 || !slices.Contains(definitions, words[0]) {
		return ""
	}
	kind := words[:1]
	for _, word := range words[1:] {
		if len(kind) == 4 || !slices.Contains(objects, word) {
			break
		}
		kind = append(kind, word)
	}
	if kind[0] == "VACUUM" && !slices.Contains(kind, "FULL") {
		// It does not keep others from writing.
		return ""
	}
	return strings.Join(kind, " ")
}

// withoutComments is a statement without those before its first word.
func withoutComments(statement string) string {
	for {
		statement = strings.TrimLeft(statement, " \t\n\v\f\r;(")
		var end string
		switch {
		case strings.HasPrefix(statement, "--"):
			end = "\n"
		case strings.HasPrefix(statement, "/*"):
			end = "*/"
		default:
			return statement
		}
		_, rest, ok := strings.Cut(statement, end)
		if !ok {
			return ""
		}
		statement = rest
	}
}
