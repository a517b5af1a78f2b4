// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// TestWhatUsersReportedComesBackOnRealServer backs up and restores what users of other
// tools have reported to be lost.
func TestWhatUsersReportedComesBackOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		keys := `SELECT GROUP_CONCAT(CONCAT(table_schema, '.', table_name, '.', constraint_name, ' to ', referenced_table_schema, '.', referenced_table_name) ORDER BY 1)
FROM information_schema.key_column_usage WHERE referenced_table_schema IS NOT NULL`
		backup := func(t *testing.T, databases ...string) map[string]string {
			t.Helper()
			p := backupParams(r.backups() + strings.ReplaceAll(t.Name(), "/", "-"))
			p.Databases = databases
			return r.run(operation.ActionLogicalBackup, p)
		}
		restore := func(t *testing.T, from map[string]string, databases ...string) map[string]string {
			t.Helper()
			result := r.run(operation.ActionRestore, &operation.Restore{Source: from["location"], Databases: databases, Overwrite: true})
			r.nothingBeside()
			return result
		}
		same := func(t *testing.T, query, want string) {
			t.Helper()
			if got := r.scalar(query); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}

		t.Run("foreign keys across databases", func(t *testing.T) {
			r.exec("CREATE DATABASE crm CHARACTER SET latin1", "CREATE DATABASE sales",
				"CREATE TABLE crm.client (id INT PRIMARY KEY, boss INT, CONSTRAINT own FOREIGN KEY (boss) REFERENCES client (id), CONSTRAINT positive CHECK (id > 0))",
				"CREATE TABLE sales.inv (id INT PRIMARY KEY, c INT, CONSTRAINT owes FOREIGN KEY (c) REFERENCES crm.client (id) ON DELETE CASCADE)",
				"INSERT INTO crm.client VALUES (1, 1), (2, 1)", "INSERT INTO sales.inv VALUES (1, 2)")
			taken, want := backup(t, "crm", "sales"), r.scalar(keys)
			for _, databases := range [][]string{{"crm"}, {"sales"}, {"crm", "sales"}, nil} {
				r.exec("SET foreign_key_checks = 0", "DELETE FROM crm.client", "ALTER DATABASE crm CHARACTER SET utf8mb4")
				if len(databases) != 1 || databases[0] != "crm" {
					r.exec("DELETE FROM sales.inv")
				}
				restore(t, taken, databases...)
				if len(databases) == 1 && databases[0] == "sales" {
					restore(t, taken, "crm")
				}
				same(t, keys, want)
				same(t, "SELECT CONCAT((SELECT COUNT(*) FROM crm.client), (SELECT COUNT(*) FROM sales.inv), (SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'crm'))", "21latin1")
			}
			r.exec("DELETE FROM crm.client WHERE id = 2")
			same(t, "SELECT COUNT(*) FROM sales.inv", "0")
			r.exec("DROP DATABASE sales", "SET foreign_key_checks = 0", "DROP DATABASE crm")
		})
		t.Run("a row of 40 MiB", func(t *testing.T) {
			r.exec("SET GLOBAL max_allowed_packet = 67108864")
			r.exec("CREATE DATABASE big", "CREATE TABLE big.t (v LONGBLOB)", "INSERT INTO big.t VALUES (REPEAT('x', 41943040))")
			taken := backup(t, "big")
			restore(t, taken)
			same(t, "SELECT CONCAT(LENGTH(v), ' ', @@global.max_allowed_packet) FROM big.t", "41943040 67108864")
			r.exec("DROP DATABASE big")
		})
		t.Run("what new tables may not be", func(t *testing.T) {
			columns := strings.TrimSuffix(strings.Repeat("c? CHAR(250),", 34), ",")
			for i := 0; strings.Contains(columns, "?"); i++ {
				columns = strings.Replace(columns, "?", string(rune('a'+i/10))+string(rune('0'+i%10)), 1)
			}
			r.exec("SET SESSION innodb_strict_mode = OFF, restrict_fk_on_non_standard_key = OFF", "CREATE DATABASE strict", "CREATE TABLE strict.wide ("+columns+") CHARACTER SET latin1",
				"INSERT INTO strict.wide (ca0) VALUES ('x')", "CREATE TABLE strict.keyless (i INT, KEY (i))", "CREATE TABLE strict.child (i INT, CONSTRAINT loose FOREIGN KEY (i) REFERENCES keyless (i))")
			taken := backup(t, "strict")
			r.exec("SET GLOBAL sql_require_primary_key = ON", "SET GLOBAL innodb_strict_mode = ON", "SET GLOBAL autocommit = OFF", "SET GLOBAL sql_generate_invisible_primary_key = ON")
			restore(t, taken)
			r.exec("SET GLOBAL sql_require_primary_key = OFF", "SET GLOBAL autocommit = ON", "SET GLOBAL sql_generate_invisible_primary_key = OFF")
			same(t, "SELECT CONCAT((SELECT COUNT(*) FROM strict.wide), ' ', (SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 'keyless'))", "1 1")
			r.exec("DROP DATABASE strict")
		})
		t.Run("limits for clients", func(t *testing.T) {
			r.exec("CREATE DATABASE slow", "CREATE TABLE slow.t (i INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(1000))", "INSERT INTO slow.t (v) VALUES (REPEAT('x', 1000))")
			for range 15 {
				r.exec("INSERT INTO slow.t (v) SELECT v FROM slow.t")
			}
			r.exec("SET GLOBAL max_execution_time = 5", "SET GLOBAL sql_select_limit = 10", "SET GLOBAL sql_safe_updates = ON", "SET GLOBAL wait_timeout = 1",
				"SET GLOBAL net_write_timeout = 1", "SET GLOBAL transaction_read_only = ON", "SET GLOBAL completion_type = CHAIN")
			taken := backup(t, "slow")
			restore(t, taken)
			r.exec("SET GLOBAL max_execution_time = 0", "SET GLOBAL sql_select_limit = DEFAULT", "SET GLOBAL sql_safe_updates = OFF", "SET GLOBAL wait_timeout = 28800",
				"SET GLOBAL net_write_timeout = 60", "SET GLOBAL transaction_read_only = OFF", "SET GLOBAL completion_type = NO_CHAIN")
			same(t, "SELECT COUNT(*) FROM slow.t", "32768")
			r.exec("DROP DATABASE slow")
		})
		t.Run("an idle transaction that holds a lock", func(t *testing.T) {
			r.exec("CREATE DATABASE lck", "CREATE TABLE lck.t (i INT)", "INSERT INTO lck.t VALUES (1)", "CREATE TRIGGER lck.tr BEFORE INSERT ON lck.t FOR EACH ROW SET NEW.i = 1")
			taken := backup(t, "lck")
			idle := r.db()
			for _, s := range []string{"BEGIN", "SELECT * FROM lck.t"} {
				if _, err := idle.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			result := restore(t, taken)
			if !strings.Contains(result["message"], "was ended for a lock that it held") {
				t.Errorf("the result does not say whose session was ended: %s", result["message"])
			}
			same(t, "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'lck'", "1")
			r.exec("DROP DATABASE lck")
		})
		t.Run("views whose tables are not there", func(t *testing.T) {
			r.exec("CREATE DATABASE vw", "CREATE TABLE vw.a (i INT)", "CREATE TABLE vw.b (i INT)", "CREATE TABLE vw.c (i INT)", "INSERT INTO vw.c VALUES (1)",
				"CREATE VIEW vw.of_a AS SELECT * FROM vw.a", "CREATE VIEW vw.of_b AS SELECT * FROM vw.b", "CREATE VIEW vw.of_c AS SELECT * FROM vw.c", "DROP TABLE vw.a",
				"CREATE DEFINER = 'nobody'@'nowhere' VIEW vw.nobodys AS SELECT * FROM vw.c")
			p := backupParams(r.backups() + "views")
			p.Databases, p.SkipTables = []string{"vw"}, []string{"vw.b"}
			taken := r.run(operation.ActionLogicalBackup, p)
			if !strings.Contains(taken["leftOut"], "vw.of_a") || manifestOf(t, taken["location"]).Properties[propertyLeftOut] != taken["leftOut"] {
				t.Errorf("left out: %q", taken["leftOut"])
			}
			for _, target := range []string{"vw", "vw_beside"} {
				result := r.run(operation.ActionRestore, &operation.Restore{Source: taken["location"], TargetDatabase: target, Overwrite: true})
				r.nothingBeside()
				if target == "vw_beside" && !strings.Contains(result["notRestored"], target+".of_b") {
					t.Errorf("into %s: not restored: %q", target, result["notRestored"])
				}
				same(t, "SELECT COUNT(*) FROM "+target+".of_c", "1")
			}
			r.exec("DROP DATABASE vw", "DROP DATABASE vw_beside")
		})
		t.Run("a statement that the server refuses leaves the old databases", func(t *testing.T) {
			r.exec("CREATE DATABASE f", "CREATE TABLE f.t (i INT)", "INSERT INTO f.t VALUES (1)", "CREATE FUNCTION f.fn() RETURNS INT DETERMINISTIC RETURN 1",
				"CREATE VIEW f.v AS SELECT i FROM f.t", "CREATE EVENT f.ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM f.t WHERE i < 0", "CREATE TRIGGER f.tr BEFORE INSERT ON f.t FOR EACH ROW SET NEW.i = 2")
			old := r.content("f")
			for name, statement := range map[string]string{
				"of a table":   "CREATE TABLE `x` (`i` nonsense)",
				"of a routine": "CREATE PROCEDURE `x`() BEGIN nonsense; END",
				"of a trigger": "CREATE TRIGGER `x` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.nothing = 1",
			} {
				l := r.loadOf("f", "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `f`;\nUSE `f`;\nCREATE TABLE `t` (`i` int);\nINSERT INTO `t` VALUES (7);\nDELIMITER ;;\n"+statement+" ;;\nDELIMITER ;\n")
				if _, err := l.run(t.Context(), r.op(operation.ActionRestore, &operation.Restore{}), true); err == nil {
					t.Errorf("a statement %s: no failure", name)
				}
				if got := r.content("f"); got != old {
					t.Errorf("a statement %s: the old database is\n%s", name, got)
				}
				r.nothingBeside()
			}
			r.exec("DROP DATABASE f")
		})
		t.Run("histograms", func(t *testing.T) {
			r.exec("CREATE DATABASE h", "CREATE TABLE h.t (i INT PRIMARY KEY, v INT)", "INSERT INTO h.t VALUES (1, 1), (2, 1), (3, 2)", "ANALYZE TABLE h.t UPDATE HISTOGRAM ON v WITH 16 BUCKETS")
			taken := backup(t, "h")
			r.exec("ANALYZE TABLE h.t DROP HISTOGRAM ON v")
			restore(t, taken)
			same(t, "SELECT CONCAT(schema_name, '.', table_name, '.', column_name, histogram->'$.\"number-of-buckets-specified\"') FROM information_schema.column_statistics", "h.t.v16")
			r.exec("DROP DATABASE h")
		})
		t.Run("a table of a general tablespace comes back where that is not", func(t *testing.T) {
			r.exec("CREATE DATABASE g", "CREATE TABLESPACE shared ADD DATAFILE 'shared.ibd'", "CREATE TABLE g.t (i INT PRIMARY KEY) TABLESPACE shared COMMENT 'TABLESPACE `shared`'", "INSERT INTO g.t VALUES (1)")
			taken := r.run(operation.ActionLogicalBackup, &operation.LogicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: r.backups(), Databases: []string{"g"}})
			if taken["leftOut"] != "the tablespace of g.t (it comes back in a file of its own)" {
				t.Errorf("left out: %s", taken["leftOut"])
			}
			r.exec("DROP DATABASE g", "DROP TABLESPACE shared")
			r.run(operation.ActionRestore, &operation.Restore{Source: taken["location"]})
			if got := r.scalar("SELECT CONCAT(COUNT(*), (SELECT table_comment FROM information_schema.tables WHERE table_schema = 'g')) FROM g.t"); got != "1TABLESPACE `shared`" {
				t.Errorf("got %s", got)
			}
			r.exec("DROP DATABASE g")
		})
		t.Run("a table takes the place of a view, and a view that of a table", func(t *testing.T) {
			r.exec("CREATE DATABASE k", "CREATE TABLE k.a (i INT)", "INSERT INTO k.a VALUES (1)", "CREATE VIEW k.b AS SELECT i FROM k.a")
			want := r.content("k")
			taken := backup(t, "k")
			r.exec("DROP VIEW k.b", "RENAME TABLE k.a TO k.b", "CREATE VIEW k.a AS SELECT i FROM k.b")
			restore(t, taken)
			if got := r.content("k"); got != want {
				t.Errorf("got\n%s", got)
			}
			r.exec("DROP DATABASE k")
		})
	})
}

// loadOf a dump that the test writes.
func (r *rig) loadOf(database, statements string) *load {
	return &load{
		unit: unit{operations.Deps{Env: r.env, Engine: r.engine, Server: r, Store: r.store}}, plan: logicalPlan{names: map[string]string{database: database}, whole: true},
		begun: begun{Result: map[string]string{}},
		dump: func(_ context.Context, to io.Writer) error {
			_, err := io.WriteString(to, statements)
			return err
		},
	}
}
