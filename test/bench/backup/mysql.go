// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

const copyDir = "rival"

// mysqlLogin is the agent's: by operating-system identity.
var mysqlLogin = []string{"--no-defaults", "--user=unit_agent", "--socket=/var/run/mysqld/mysqld.sock"}

var mysql = database{
	files: map[string][]byte{"my.cnf": []byte(`[mysqld]
server-id=1
log-bin=binlog
gtid-mode=ON
enforce-gtid-consistency=ON
plugin-load-add=mysql_clone.so
innodb-buffer-pool-size=512M
innodb-redo-log-capacity=256M
innodb-flush-log-at-trx-commit=2
`)},
	fill:     fillMySQL,
	measured: measureMySQL,
	logical: rival{
		name: "mysqldump",
		tool: append(append([]string{"mysqldump"}, mysqlLogin...),
			"--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob", "--no-tablespaces",
			"--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--set-gtid-purged=ON", "--source-data=2", "--databases", "bench"),
	},
	physical: rival{
		name: "CLONE LOCAL and tar",
		before: func(ctx context.Context, u *unit, threads int) error {
			dir := filepath.Join(enginetest.BoxDir, copyDir)
			return u.mysql(ctx, "SET GLOBAL clone_max_concurrency = "+strconv.Itoa(threads)+"; CLONE LOCAL DATA DIRECTORY = '"+dir+"'")
		},
		tool: []string{"tar", "-C", filepath.Join(enginetest.BoxDir, copyDir), "-cf", "-", "."},
		after: func(_ context.Context, u *unit) error {
			return os.RemoveAll(filepath.Join(u.top, enginetest.BoxDir, copyDir))
		},
	},
}

func (u *unit) mysql(ctx context.Context, statements string) error {
	_, err := u.run(ctx, strings.NewReader(statements), "mysql", mysqlLogin...)
	return err
}

func measureMySQL(ctx context.Context, u *unit) (int64, error) {
	out, err := u.run(ctx, strings.NewReader("SELECT SUM(file_size) FROM information_schema.innodb_tablespaces WHERE name LIKE 'bench/%'"),
		"mysql", append(mysqlLogin, "--skip-column-names")...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(out, 10, 64)
}

// seedRows are made by expressions; the other rows are those again, with numbers of
// their own. What repeats is further apart than any compressor looks back.
const seedRows = 100000

// fillMySQL makes orders. Neither redo nor binary log hold them, which is faster.
func fillMySQL(ctx context.Context, u *unit, size int64) error {
	quoted := make([]string, len(phrases))
	for i, p := range phrases {
		quoted[i] = "'" + p + "'"
	}
	phrase := fmt.Sprintf("ELT(1 + FLOOR(RAND() * %d), %s)", len(phrases), strings.Join(quoted, ", "))
	if err := u.mysql(ctx, `SET sql_log_bin = 0, cte_max_recursion_depth = `+strconv.Itoa(seedRows)+`;
ALTER INSTANCE DISABLE INNODB REDO_LOG;
CREATE DATABASE bench;
USE bench;
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer INT NOT NULL, created DATETIME NOT NULL, amount DECIMAL(12,2) NOT NULL,
  token CHAR(32) NOT NULL, note VARCHAR(1000) NOT NULL, KEY (customer));
CREATE TABLE seed (id INT PRIMARY KEY, note VARCHAR(1000) NOT NULL)
WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < `+strconv.Itoa(seedRows)+`)
SELECT id, `+note("CONCAT_WS(' ', ", phrase, "FLOOR(RAND() * 1000000)")+` AS note FROM n`); err != nil {
		return err
	}
	for n := 0; ; n++ {
		have, err := measureMySQL(ctx, u)
		if err != nil {
			return err
		}
		if have >= size {
			return u.mysql(ctx, "ALTER INSTANCE ENABLE INNODB REDO_LOG")
		}
		if err := u.mysql(ctx, fmt.Sprintf(`USE bench;
SET sql_log_bin = 0;
INSERT INTO orders SELECT %d + id, (%[1]d + id) DIV 40, '2026-01-01' + INTERVAL (%[1]d + id) SECOND,
  RAND() * 10000, LEFT(SHA2(RAND(), 256), 32), note FROM seed ORDER BY id`, n*seedRows)); err != nil {
			return err
		}
	}
}
