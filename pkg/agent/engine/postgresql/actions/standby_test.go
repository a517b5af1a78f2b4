// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// follow makes p a standby of source.
func (p *pod) follow(source *pod) {
	p.t.Helper()
	if err := p.StopServer(p.t.Context(), nil); err != nil {
		p.t.Fatal(err)
	}
	if err := os.RemoveAll(p.env.DataDir()); err != nil {
		p.t.Fatal(err)
	}
	program, err := p.engine.(*postgresql.Engine).Program("pg_basebackup")
	if err != nil {
		p.t.Fatal(err)
	}
	if out, err := p.box.Run(p.t, program, "-D", p.env.DataDir(), "-R", "-c", "fast", "-h", source.env.SocketDir, "-p", strconv.Itoa(source.env.SQLPort), "-U", engine.AgentUser); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	if err := p.StartServer(p.t.Context(), nil); err != nil {
		p.t.Fatal(err)
	}
}

// caughtUp waits until p has what source has now.
func (p *pod) caughtUp(source *pod) {
	p.t.Helper()
	lsn := source.value("postgres", "SELECT pg_current_wal_lsn()")
	for end := time.Now().Add(time.Minute); p.value("postgres", "SELECT pg_last_wal_replay_lsn() >= '"+lsn+"'::pg_lsn") != "true"; {
		if time.Now().After(end) {
			p.t.Fatal("the standby does not catch up")
		}
	}
}

func TestBackupsOfAStandby(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		primary := newPod(t, box, "primary", 5432, "")
		standby := newPod(t, box, "standby", 5433, "")
		standby.follow(primary)
		primary.fill()
		standby.caughtUp(primary)
		before := primary.checksum("app", "deep.t")
		for name, params := range map[string]operation.Params{"logical": logical(t.TempDir()), "physical": physical(t.TempDir(), operation.Full)} {
			t.Run(name, func(t *testing.T) {
				source := standby.must(op("b", params, nil))["location"]
				port := map[string]int{"logical": 5434, "physical": 5435}[name]
				p := newPod(t, box, name, port, "")
				p.must(op("r", &operation.Restore{Source: source, Overwrite: true}, nil))
				if got := p.checksum("app", "deep.t"); got != before {
					t.Errorf("got %s, want %s", got, before)
				}
				p.sql("app", "INSERT INTO deep.t (v) VALUES ('it takes writes')")
				if got := p.value("postgres", "SELECT current_setting('primary_conninfo')"); got != "" {
					t.Errorf("it follows %s", got)
				}
			})
		}
		t.Run("are not restored on it", func(t *testing.T) {
			_, err := standby.run(op("r", &operation.Restore{Source: location(t.TempDir()), Overwrite: true}, nil))
			if operations.ReasonOf(err) != "Standby" || !strings.Contains(err.Error(), "primary") {
				t.Error(err)
			}
		})
	})
}
