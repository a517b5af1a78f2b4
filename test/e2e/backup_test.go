// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// rows is a table of a database of a kind of server, and how to write, damage and
// sum it up.
type rows struct {
	kind v1alpha1.UnitType
	// set and admin are the set's name and its administrator.
	set, admin string
	// make, more, wipe and sum are SQL; make and wipe run outside the database.
	makeDatabase, makeTable, more, damage, wipe, sum string
	// count of the databases of that name.
	count string
	// large is more, of some 8 MiB that nothing compresses; one is a single row.
	large, one string
}

func (r rows) unit(i int) string { return fmt.Sprintf("%s-%d", r.set, i) }

var mysqlRows = rows{
	kind: v1alpha1.UnitTypeMySQL, set: "ops-mysql", admin: "root",
	makeDatabase: "CREATE DATABASE shop",
	makeTable:    "CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200), b VARBINARY(64)) ENGINE=InnoDB",
	more: "SET SESSION cte_max_recursion_depth = 100000; INSERT INTO orders (v, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) " +
		"SELECT SHA2(CONCAT(i, RAND()), 256), UNHEX(SHA2(RAND(), 256)) FROM n",
	large: "SET SESSION cte_max_recursion_depth = 100000; INSERT INTO orders (v, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) " +
		"SELECT CONCAT(SHA2(RAND(), 512), SHA2(RAND(), 256)), UNHEX(SHA2(RAND(), 512)) FROM n",
	one:    "INSERT INTO orders (v, b) VALUES (RAND(), 'x')",
	damage: "DELETE FROM orders WHERE id % 3 = 0; UPDATE orders SET v = 'damaged' WHERE id % 5 = 0",
	wipe:   "DROP DATABASE shop",
	count:  "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'shop'",
	sum:    "SELECT COUNT(*), COALESCE(SUM(CRC32(CONCAT(id, v, HEX(b)))), 0) FROM orders",
}

var postgresqlRows = rows{
	kind: v1alpha1.UnitTypePostgreSQL, set: "ops-pg", admin: "postgres",
	makeDatabase: "CREATE DATABASE shop",
	makeTable:    "CREATE TABLE orders (id bigserial PRIMARY KEY, v text, b bytea)",
	more:         "INSERT INTO orders (v, b) SELECT md5(i::text || random()::text), decode(md5(random()::text), 'hex') FROM generate_series(1, 5000) i",
	large: "INSERT INTO orders (v, b) SELECT md5(random()::text), (SELECT decode(string_agg(md5(random()::text || i || j), ''), 'hex') FROM generate_series(1, 120) j) " +
		"FROM generate_series(1, 4000) i",
	one:    "INSERT INTO orders (v, b) VALUES (random()::text, 'x')",
	damage: "DELETE FROM orders WHERE id % 3 = 0; UPDATE orders SET v = 'damaged' WHERE id % 5 = 0",
	wipe:   "DROP DATABASE shop WITH (FORCE)",
	count:  "SELECT count(*) FROM pg_database WHERE datname = 'shop'",
	sum:    "SELECT count(*), md5(string_agg(id::text || v || encode(b, 'hex'), ',' ORDER BY id)) FROM orders",
}

// backupKind is one way to take a backup.
type backupKind struct {
	name   string
	action v1alpha1.Action
	// incremental ones are taken after a full one, which the parameters make too.
	incremental bool
	parameters  map[string]any
}

// backups of every kind, plain and encrypted.
var backups = []backupKind{
	{"logical", v1alpha1.ActionLogicalBackup, false, map[string]any{"compression": "gzip"}},
	{"logical-encrypted", v1alpha1.ActionLogicalBackup, false, map[string]any{"compression": "zstd", "encryption": "AES256", "retention": "7d"}},
	{"physical", v1alpha1.ActionPhysicalBackup, false, map[string]any{"compression": "true", "parallel": "4"}},
	{"physical-encrypted", v1alpha1.ActionPhysicalBackup, false, map[string]any{"compression": "zstd", "encryption": "AES256"}},
	{"incremental", v1alpha1.ActionPhysicalBackup, true, map[string]any{"compression": "none"}},
	{"incremental-encrypted", v1alpha1.ActionPhysicalBackup, true, map[string]any{"encryption": "AES256"}},
}

// take a backup of the first unit, each of other rows than those before. It returns
// what they sum up to.
func (e *environment) take(t *testing.T, r rows, b backupKind, folder string) string {
	t.Helper()
	steps := []string{"full"}
	if b.incremental {
		steps = append(steps, "incremental")
	}
	for _, step := range steps {
		e.sql(t, r.kind, r.unit(0), "shop", r.more)
		parameters := map[string]any{"backupType": step, "destination": folder}
		maps.Copy(parameters, b.parameters)
		e.succeeds(t, b.name, r.unit(0), r.kind, b.action, parameters)
	}
	return e.sql(t, r.kind, r.unit(0), "shop", r.sum)
}

// comesBack restores into a unit that has nothing but what its initialisation made.
func (e *environment) comesBack(t *testing.T, r rows, unit, folder, want string) {
	t.Helper()
	if got := e.sql(t, r.kind, unit, "", r.count); got != "0" {
		t.Fatalf("%s has %s databases before the restore, want 0", unit, got)
	}
	e.succeeds(t, "restore", unit, r.kind, v1alpha1.ActionRestore, map[string]any{"source": folder})
	if got := e.sql(t, r.kind, unit, "shop", r.sum); got != want {
		t.Errorf("rows of %s sum up to %q, want %q", unit, got, want)
	}
}

// TestOperations proves each action by what it leaves in servers. Each kind of server has
// sets of its own; nothing here touches nodes, the operator or the API server, so the kinds
// run in parallel.
func TestOperations(t *testing.T) {
	e := require(t)
	e.ensureNamespace(t, opsNamespace)
	var s store
	if e.bed != "" {
		s = e.startStore(t)
		e.operationsNamespace(t, s)
	}
	for name, of := range map[string]func(*testing.T){
		"MySQL":      func(t *testing.T) { operations(t, e, s, mysqlRows) },
		"PostgreSQL": func(t *testing.T) { operations(t, e, s, postgresqlRows) },
		"ProxySQL":   func(t *testing.T) { operationsOfProxySQL(t, e) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of(t)
		})
	}
}

// operations proves each action by the rows that it brings back.
func operations(t *testing.T, e *environment, s store, r rows) {
	requireBed(t) // has the store
	e.smallSet(t, v1alpha2.UnitType(r.kind), r.set, r.admin, int32(1+len(backups)))
	unit := r.unit(0)
	e.sql(t, r.kind, unit, "", r.makeDatabase)
	e.sql(t, r.kind, unit, "shop", r.makeTable)
	e.sql(t, r.kind, unit, "shop", r.more)
	sum := func() string { t.Helper(); return e.sql(t, r.kind, unit, "shop", r.sum) }
	same := func(want string) {
		t.Helper()
		if got := sum(); got != want {
			t.Errorf("rows sum up to %q, want %q", got, want)
		}
	}
	folder := func(name string) string { return "s3://backups/" + r.set + "/" + name + "/" }

	taken := map[string]string{}
	for _, b := range backups {
		t.Run("a "+b.name+" backup is taken", func(t *testing.T) { taken[b.name] = e.take(t, r, b, folder(b.name)) })
	}
	t.Run("wiped units", func(t *testing.T) {
		for i, b := range backups {
			t.Run("get the rows of a "+b.name+" backup", func(t *testing.T) {
				t.Parallel()
				e.comesBack(t, r, r.unit(i+1), folder(b.name), taken[b.name])
			})
		}
	})

	t.Run("a logical backup brings a dropped database back", func(t *testing.T) {
		e.sql(t, r.kind, unit, "", r.wipe)
		e.succeeds(t, "restore", unit, r.kind, v1alpha1.ActionRestore, map[string]any{"source": folder("logical"), "overwrite": "true"})
		same(taken["logical"])
	})

	t.Run("a logical backup is restored into another database beside", func(t *testing.T) {
		want := sum()
		e.succeeds(t, "one", unit, r.kind, v1alpha1.ActionLogicalBackup, map[string]any{"backupType": "full", "destination": folder("one"), "databases": []string{"shop"}})
		e.succeeds(t, "beside", unit, r.kind, v1alpha1.ActionRestore, map[string]any{"source": folder("one"), "targetDatabase": "restored_db", "overwrite": "false"})
		if got := e.sql(t, r.kind, unit, "restored_db", r.sum); got != want {
			t.Errorf("restored_db sums up to %q, want %q", got, want)
		}
		same(want)
	})

	if r.kind == v1alpha1.UnitTypeMySQL {
		t.Run("an incremental logical backup brings what came after the full one", func(t *testing.T) {
			e.succeeds(t, "dump", unit, r.kind, v1alpha1.ActionLogicalBackup, map[string]any{"backupType": "full", "destination": folder("logical-chain"), "encryption": "AES256"})
			e.sql(t, r.kind, unit, "shop", r.more)
			want := sum()
			e.succeeds(t, "logs", unit, r.kind, v1alpha1.ActionLogicalBackup, map[string]any{"backupType": "incremental", "destination": folder("logical-chain"), "encryption": "AES256"})
			e.sql(t, r.kind, unit, "shop", r.damage)
			e.succeeds(t, "restore", unit, r.kind, v1alpha1.ActionRestore, map[string]any{"source": folder("logical-chain"), "overwrite": "true"})
			same(want)
		})
	}

	t.Run("an incremental backup brings damaged rows back", func(t *testing.T) {
		e.succeeds(t, "base", unit, r.kind, v1alpha1.ActionPhysicalBackup, map[string]any{"backupType": "full", "destination": folder("chain")})
		e.sql(t, r.kind, unit, "shop", r.more)
		want := sum()
		e.succeeds(t, "incremental", unit, r.kind, v1alpha1.ActionPhysicalBackup, map[string]any{"backupType": "incremental", "destination": folder("chain")})
		e.sql(t, r.kind, unit, "shop", r.damage)
		e.succeeds(t, "restore", unit, r.kind, v1alpha1.ActionRestore, map[string]any{"source": folder("chain"), "overwrite": "true"})
		same(want)
	})

	t.Run("every backup says which cluster it is of", func(t *testing.T) {
		system, err := e.kube.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := s.manifests(t, r.set)
		if len(found) == 0 {
			t.Fatal("there is no backup")
		}
		for _, path := range found {
			var manifest struct{ Cluster string }
			if content, err := os.ReadFile(path); err != nil {
				t.Error(err)
			} else if err := json.Unmarshal(content, &manifest); err != nil || manifest.Cluster != string(system.UID) {
				t.Errorf("%s is of cluster %q, want %q, %v", path, manifest.Cluster, system.UID, err)
			}
		}
	})

	t.Run("variables are set and persisted", func(t *testing.T) {
		variables, question, want := map[string]any{"max_connections": "321", "long_query_time": 2}, "SELECT @@max_connections", "321"
		if r.kind == v1alpha1.UnitTypePostgreSQL {
			variables, question, want = map[string]any{"work_mem": "7MB", "checkpoint_completion_target": "0.8"}, "SHOW work_mem", "7MB"
		}
		e.succeeds(t, "set", unit, r.kind, v1alpha1.ActionSetVariable, map[string]any{"variables": variables})
		if got := e.sql(t, r.kind, unit, "", question); got != want {
			t.Errorf("%s is %q, want %q", question, got, want)
		}
	})

	t.Run("a clone has the source's rows", func(t *testing.T) {
		want := sum()
		secret := fmt.Sprintf("%s-secret", r.set)
		port := map[v1alpha1.UnitType]string{v1alpha1.UnitTypeMySQL: "3306", v1alpha1.UnitTypePostgreSQL: "5432"}[r.kind]
		e.succeeds(t, "clone", r.unit(1), r.kind, v1alpha1.ActionClone, map[string]any{
			"sourceHost": fmt.Sprintf("%s.%s-headless-svc.%s", unit, r.set, opsNamespace), "sourcePort": port,
			"sourceUser": r.admin, "sourcePasswordSecret": map[string]any{"name": secret, "key": r.admin}, "overwrite": "true",
		})
		if got := e.sql(t, r.kind, r.unit(1), "shop", r.sum); got != want {
			t.Errorf("the clone sums up to %q, want %q", got, want)
		}
	})

	t.Run("a call that cannot be is refused with the key it is about", func(t *testing.T) {
		status := e.call(t, "typo", unit, r.kind, v1alpha1.ActionLogicalBackup, map[string]any{"backupType": "full", "destintion": folder("x")})
		if status.Result != v1alpha1.ResultFailed || !strings.Contains(status.Message, "destintion") {
			t.Errorf("%s: %s", status.Result, status.Message)
		}
	})
}
