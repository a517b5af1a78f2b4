// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestCloneOnRealServers(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		const password = "it's \"a\" \\ password # of 44 characters ;\ttab."
		source, r := newRig(t, box), secondRig(t, box)
		source.fill("d", 20000)
		source.exec("CREATE DATABASE e", "CREATE TABLE e.keep (i INT PRIMARY KEY)", "INSERT INTO e.keep VALUES (1)", "CREATE TABLE e.skip_this (i INT)",
			"CREATE USER cl@'%' IDENTIFIED BY "+mysql.Literal(password), "GRANT BACKUP_ADMIN, SELECT, SHOW VIEW, TRIGGER, EVENT, PROCESS ON *.* TO cl@'%'")
		r.exec("CREATE DATABASE own", "CREATE TABLE own.t (id INT PRIMARY KEY, v INT)", "INSERT INTO own.t VALUES (1, 1)")
		params := func(change func(*operation.Clone)) *operation.Clone {
			p := &operation.Clone{SourceHost: "127.0.0.1", SourcePort: 3306, SourceUser: "cl"}
			change(p)
			return p
		}
		run := func(password string, p *operation.Clone) (map[string]string, error) {
			op := r.op(operation.ActionClone, p)
			op.SecretsValue[secretSourcePassword] = []byte(password)
			result, err := r.actions()[operation.ActionClone].Run(t.Context(), op)
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the password is in: %v", err)
			}
			return result, err
		}

		t.Run("refusals change nothing", func(t *testing.T) {
			for _, tc := range []struct {
				name, password, reason string
				params                 *operation.Clone
			}{
				{"there is data", password, "WouldOverwrite", params(func(*operation.Clone) {})},
				{"a wrong password", "hunter2", "SourceUnreachable", params(func(p *operation.Clone) { p.Overwrite = true })},
				{"nobody there", password, "SourceUnreachable", params(func(p *operation.Clone) { p.Overwrite, p.SourcePort = true, 1 })},
				{"a database that is not there", password, "UnknownDatabase", params(func(p *operation.Clone) { p.Databases = []string{"none"} })},
			} {
				if _, err := run(tc.password, tc.params); operations.ReasonOf(err) != tc.reason {
					t.Errorf("%s: %v", tc.name, err)
				}
			}
			if r.Stops > 0 || r.sum("own") == "" {
				t.Error("the server was stopped, or its data is gone")
			}
			r.beside()
		})
		t.Run("some databases are copied beside what is there", func(t *testing.T) {
			result, err := run(password, params(func(p *operation.Clone) {
				p.Databases, p.SkipTables = []string{"d", "e"}, []string{"e.skip_*"}
			}))
			if err != nil {
				t.Fatal(err)
			}
			if result["databases"] != "d,e" || r.sum("d") != source.sum("d") || r.sum("own") == "" {
				t.Errorf("got %v", result)
			}
			if diff := cmp.Diff("BASE TABLE keep 1 "+strings.TrimPrefix(source.content("e"), "BASE TABLE keep 1 "), r.content("e")+"\nBASE TABLE skip_this 0 0"); diff != "" {
				t.Error(diff)
			}
			if _, err := run(password, params(func(p *operation.Clone) { p.Databases = []string{"d"} })); operations.ReasonOf(err) != "WouldOverwrite" {
				t.Errorf("again: %v", err)
			}
		})
		t.Run("all of it replaces what was there", func(t *testing.T) {
			if _, err := run(password, params(func(p *operation.Clone) { p.Overwrite = true })); err != nil {
				t.Fatal(err)
			}
			if got, want := r.sum("d"), source.sum("d"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := r.scalar("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'own'"); got != "0" {
				t.Error("the old data is there")
			}
			id := r.scalar("SELECT @@server_uuid")
			if id == source.scalar("SELECT @@server_uuid") || r.Identities[len(r.Identities)-1] != id {
				t.Errorf("server_uuid %s, identities %v", id, r.Identities)
			}
			if got, want := r.scalar("SELECT @@gtid_executed"), source.scalar("SELECT @@gtid_executed"); got != want {
				t.Errorf("GTIDs %s, want %s", got, want)
			}
			r.exec("INSERT INTO d.t (v) VALUES ('more')")
			r.beside()
		})
		t.Run("what a clone left running is ended before its directory goes", func(t *testing.T) {
			if err := r.actions()[operation.ActionClone].(operations.Abandoner).Abandon(t.Context(), r.op(operation.ActionClone, params(func(*operation.Clone) {}))); err != nil {
				t.Error(err)
			}
			if got, want := r.scalar("SELECT COUNT(*) FROM d.t"), "20001"; got != want {
				t.Errorf("%s rows", got)
			}
		})
	})
}

func TestOptionFilesQuote(t *testing.T) {
	if got, want := optionValue("a\"b\\c#d\n"), `"a\"b\\c#d\n"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
