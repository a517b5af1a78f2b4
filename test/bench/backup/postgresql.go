// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// postgresLogin is the agent's: by operating-system identity.
var postgresLogin = []string{"PGHOST=/var/run/postgresql", "PGUSER=unit_agent", "PGDATABASE=postgres", "PGCLIENTENCODING=UTF8"}

var postgresql = database{
	files: map[string][]byte{"postgresql.conf": []byte(`wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
shared_buffers = 512MB
max_wal_size = 4GB
synchronous_commit = off
autovacuum = off
`)},
	fill:     fillPostgreSQL,
	measured: measurePostgreSQL,
	logical: rival{
		name:    "pg_dump",
		environ: postgresLogin,
		tool:    []string{"pg_dump", "--format=custom", "--compress=0", "--no-password", "bench"},
	},
	physical: rival{
		name:    "pg_basebackup",
		environ: postgresLogin,
		tool:    []string{"pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--no-password"},
	},
}

// psql runs statements, each a transaction of its own, and returns the rows.
func (u *unit) psql(ctx context.Context, database, statements string) (string, error) {
	return u.run(ctx, strings.NewReader(statements), "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"host=/var/run/postgresql user=unit_agent dbname="+database)
}

func measurePostgreSQL(ctx context.Context, u *unit) (int64, error) {
	out, err := u.psql(ctx, "postgres", "SELECT pg_database_size('bench')")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(out, 10, 64)
}

// fillPostgreSQL makes the same orders as fillMySQL.
func fillPostgreSQL(ctx context.Context, u *unit, size int64) error {
	if _, err := u.psql(ctx, "postgres", "CREATE DATABASE bench"); err != nil {
		return err
	}
	phrase := fmt.Sprintf("(ARRAY['%s'])[1 + floor(random() * %d)::int]", strings.Join(phrases, "', '"), len(phrases))
	if _, err := u.psql(ctx, "bench", `CREATE TABLE orders (id bigint, customer int NOT NULL, created timestamp NOT NULL, amount numeric(12,2) NOT NULL,
  token char(32) NOT NULL, note varchar(1000) NOT NULL);
CREATE TABLE seed AS SELECT id, `+note("concat_ws(' ', ", phrase, "floor(random() * 1000000)::int")+` AS note FROM generate_series(1, `+strconv.Itoa(seedRows)+`) id`); err != nil {
		return err
	}
	for n := 0; ; n++ {
		have, err := measurePostgreSQL(ctx, u)
		if err != nil {
			return err
		}
		if have >= size {
			break
		}
		if _, err := u.psql(ctx, "bench", fmt.Sprintf(`INSERT INTO orders SELECT %d + id, (%[1]d + id) / 40, timestamp '2026-01-01' + (%[1]d + id) * interval '1 second',
  random() * 10000, md5(random()::text), note FROM seed`, n*seedRows)); err != nil {
			return err
		}
	}
	_, err := u.psql(ctx, "bench", "ALTER TABLE orders ADD PRIMARY KEY (id); CREATE INDEX ON orders (customer); VACUUM ANALYZE; CHECKPOINT")
	return err
}
