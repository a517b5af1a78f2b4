// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestCloneOfARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		const password = `it's:\ä "secret"`
		box.Vars["ADM_USER"] = "adm"
		box.Secret(t, "adm", password)
		source := newPod(t, box, "source", 5432, "")
		source.fill()
		before, oddBefore := source.checksum("app", "deep.t"), source.checksum(odd, "t")
		if err := os.Remove(filepath.Join(source.env.SecretDir, "adm")); err != nil {
			t.Fatal(err)
		}
		box.Secret(t, "adm", "of the clone")
		params := func(databases ...string) *operation.Clone {
			return &operation.Clone{SourceHost: "127.0.0.1", SourcePort: 5432, SourceUser: "adm", Databases: databases}
		}
		secret := map[string][]byte{"source.password": []byte(password)}

		t.Run("of a database is a copy with its roles", func(t *testing.T) {
			p := newPod(t, box, "some", 5433, "")
			only := params("app")
			only.SkipTables = []string{"app.log_*"}
			p.must(op("c", only, secret))
			if got := p.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := p.value("app", "SELECT to_regclass('public.log_old')"); got != "" {
				t.Errorf("the skipped table is there: %s", got)
			}
			if got := p.databases(); got != "app postgres" {
				t.Errorf("databases %s", got)
			}
			if _, err := p.run(op("c", params("app"), secret)); operations.ReasonOf(err) != "WouldOverwrite" {
				t.Error(err)
			}
			if _, err := p.run(op("c", params("app", "nowhere"), secret)); operations.ReasonOf(err) != "UnknownDatabase" {
				t.Error(err)
			}
		})
		t.Run("of a server is all of it, with the accounts of the unit", func(t *testing.T) {
			p := newPod(t, box, "whole", 5434, "")
			for _, tc := range []struct {
				reason   string
				password string
				port     int
			}{{"SourceRefused", "wrong-secret", 5432}, {"SourceUnreachable", password, 1}, {"NoPassword", "", 5432}} {
				bad := params()
				bad.SourcePort = tc.port
				_, err := p.run(op("c", bad, map[string][]byte{"source.password": []byte(tc.password)}))
				if operations.ReasonOf(err) != tc.reason || strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: %v", tc.reason, err)
				}
			}
			p.must(op("c", params(), secret))
			if got := p.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := p.checksum(odd, "t"); got != oddBefore {
				t.Errorf("got %s, want %s", got, oddBefore)
			}
			if err := p.login("adm", "of the clone"); err != nil {
				t.Error(err)
			}
			if err := p.login("adm", password); err == nil {
				t.Error("the source's password logs in")
			}
			p.sql("app", "INSERT INTO deep.t (v) VALUES ('x')")
			p.clean()
			if _, err := p.run(op("c", params(), secret)); operations.ReasonOf(err) != "WouldOverwrite" {
				t.Error(err)
			}
		})
		t.Run("leaves the source alone", func(t *testing.T) {
			if got := source.checksum("app", "deep.t"); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := source.value("postgres", "SELECT count(*) FROM pg_replication_slots"); got != "0" {
				t.Errorf("%s slots", got)
			}
		})
	})
}
