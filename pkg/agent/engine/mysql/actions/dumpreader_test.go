// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dumped = `-- MySQL dump 10.13
--
-- Host: localhost; USE ` + "`comment`;" + `
/* not a statement; really */
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
SET @@SESSION.SQL_LOG_BIN= 0;
SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3f0c2f6e-0000-4000-8000-000000000001:1-5,
3f0c2f6e-0000-4000-8000-000000000002:1-7';
CREATE DATABASE /*!32312 IF NOT EXISTS*/ ` + "`a``b`" + ` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE ` + "`a``b`" + `;
INSERT INTO t VALUES ('it\'s; USE ` + "`x`" + `;','\\'),("a;b"),(_binary 'c'';d'); # tail; comment
DELIMITER ;;
/*!50003 CREATE PROCEDURE p()
BEGIN
  -- USE ` + "`y`" + `;
  SELECT 'a;;b'; /* ;; */
END */;;
DELIMITER ;
USE ` + "`c`" + `;
SELECT 1`

func TestTheStatementsOfADump(t *testing.T) {
	want := []string{
		"/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;",
		"SET @@SESSION.SQL_LOG_BIN= 0;",
		"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3f0c2f6e-0000-4000-8000-000000000001:1-5,\n3f0c2f6e-0000-4000-8000-000000000002:1-7';",
		"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a``b` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;",
		"USE `a``b`;",
		"INSERT INTO t VALUES ('it\\'s; USE `x`;','\\\\'),(\"a;b\"),(_binary 'c'';d');",
		"/*!50003 CREATE PROCEDURE p()\nBEGIN\n  -- USE `y`;\n  SELECT 'a;;b'; /* ;; */\nEND */;;",
		"USE `c`;",
		"SELECT 1",
	}
	for _, size := range []int{1, 2, 3, 7, len(dumped)} {
		var got []string
		var out bytes.Buffer
		d := newDumpReader(&out, func(s []byte, _ bool) (verdict, []byte) {
			got = append(got, string(s))
			return keep, nil
		})
		for p := []byte(dumped); len(p) > 0; p = p[min(size, len(p)):] {
			if _, err := d.Write(p[:min(size, len(p))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in pieces of %d:\n%s", size, diff)
		}
		lines := strings.Join(append(append(append([]string{}, want[:6]...), "DELIMITER ;;", want[6], "DELIMITER ;"), want[7:]...), "\n") + "\n"
		if diff := cmp.Diff(lines, out.String()); diff != "" {
			t.Fatalf("in pieces of %d what was kept:\n%s", size, diff)
		}
	}
}

func TestLongStatementsOfADump(t *testing.T) {
	long := "INSERT INTO t VALUES ('" + strings.Repeat(`x;\';\\`, 2000) + "')"
	in := long + ";\nDROP TABLE x;\n" + long + ";\nGTID '" + strings.Repeat("y", 5000) + "';\nLAST;\n"
	var out bytes.Buffer
	var gtid string
	n := 0
	d := newDumpReader(&out, func(s []byte, _ bool) (verdict, []byte) {
		n++
		switch {
		case bytes.HasPrefix(s, []byte("DROP")):
			return keep, []byte("KEEP x")
		case bytes.HasPrefix(s, []byte("INSERT")) && n > 2:
			return drop, nil
		case bytes.HasPrefix(s, []byte("GTID")):
			gtid = string(s)
			return whole, nil
		}
		return keep, nil
	})
	for p := []byte(in); len(p) > 0; p = p[min(900, len(p)):] {
		if _, err := d.Write(p[:min(900, len(p))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(long+";\nKEEP x;\nGTID '"+strings.Repeat("y", 5000)+"';\nLAST;\n", out.String()); diff != "" {
		t.Error(diff)
	}
	if len(gtid) != 5000+len("GTID '';") {
		t.Errorf("asked with %d bytes", len(gtid))
	}
}

func TestBackslashesThatEscapeNothing(t *testing.T) {
	var got []string
	d := newDumpReader(&bytes.Buffer{}, func(s []byte, _ bool) (verdict, []byte) {
		got = append(got, string(s))
		return keep, nil
	})
	if _, err := d.Write([]byte(`/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */;SELECT '\';/*!50003 SET sql_mode = @saved_sql_mode */;SELECT '\';';`)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || got[1] != `SELECT '\';` || got[3] != `SELECT '\';';` {
		t.Errorf("got %q", got)
	}
}
