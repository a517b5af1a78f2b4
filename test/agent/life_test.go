// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

const password = "s3cret-'of\\adm\""

// server is what the life of a unit needs to know of its type.
type server struct {
	typ   string
	files map[string]string
	// login readies a session of an ordinary client in another pod.
	login func() client
	// process is how the server's process is recognised.
	process string
	// session is a query whose answer identifies the session.
	session string
	// restart is the statement by which the server asks its monitor for one.
	restart string
	// keeps is true where data survives.
	keeps bool
}

// life is all that happens to a standalone unit.
func life(t *testing.T, box *enginetest.Box, s server) {
	box.Vars["ADM_USER"] = "adm"
	box.Secret(t, "adm", password)
	p := newPod(t, box, s.files)
	p.serve = p.start("serve")

	t.Run("a new pod waits for its first configuration", func(t *testing.T) {
		p.t = t
		if got := p.status(); got.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_WAITING || got.GetData() != nil {
			t.Fatalf("before supervise: %v", got)
		}
	})
	p.t = t
	p.supervise = p.start("supervise")
	p.waitState(agentv1.ServerState_SERVER_STATE_WAITING)
	if _, err := os.Stat(p.env.DataDir()); !os.IsNotExist(err) {
		t.Fatalf("the data directory was touched: %v", err)
	}

	p.apply()
	first := p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
	if first.GetServer().GetVersion() == "" || !first.GetServer().GetWritable() || first.GetData().GetSystemId() == "" ||
		!first.GetData().GetVirgin() || first.GetData().GetClaimUids()["data"] != "claim-1" || first.GetConfiguration().GetRunningHash() != "h1" {
		t.Errorf("status: %v", first)
	}
	p.waitReady()

	db := s.login()
	defer db.Close()
	if s.keeps {
		statement(t, db, "CREATE DATABASE kept")
		if got := p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING); got.GetData().GetVirgin() {
			t.Errorf("still virgin after a write: %v", got.GetData())
		}
	}

	t.Run("people and Prometheus get answers", func(t *testing.T) {
		if code, body := p.get("http://127.0.0.1:8080/health"); code != 200 || !strings.Contains(body, `"Running"`) {
			t.Errorf("/health: %d %s", code, body)
		}
		if code, body := p.get("http://127.0.0.1:8080/readyz"); code != 200 {
			t.Errorf("/readyz: %d %s", code, body)
		}
		code, body := p.get("http://127.0.0.1:8080/metrics")
		if code != 200 || !strings.Contains(body, "unit_agent_server_up 1") || !strings.Contains(body, "unit_agent_server_scrape_success 1") ||
			!strings.Contains(body, "\n"+s.typ[:5]) {
			t.Errorf("/metrics: %d %s", code, body)
		}
	})

	t.Run("a hundred deaths of the agent interrupt no session and restart no server", func(t *testing.T) {
		p.t = t
		pid, session := p.serverPID(), query(t, db, s.session)
		for n := range 100 {
			// Some die at birth, some at work.
			if n%4 == 0 {
				p.status()
			}
			time.Sleep(time.Duration(n%5) * 20 * time.Millisecond)
			p.serve.signal(syscall.SIGKILL)
			p.serve.wait()
			p.serve = p.start("serve")
			if got := query(t, db, s.session); got != session {
				t.Fatalf("another session: %s, was %s", got, session)
			}
		}
		if p.serverPID() != pid {
			t.Error("another server")
		}
		p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
	})

	t.Run("a killed server ends the container and comes back with the agent dead", func(t *testing.T) {
		p.t = t
		p.serve.signal(syscall.SIGKILL)
		p.serve.wait()
		_ = syscall.Kill(p.serverPID(), syscall.SIGKILL)
		if status := p.supervise.wait(); status != 137 {
			t.Errorf("exit status %d, want 137", status)
		}
		// A container is started again when nothing of it is left.
		agenttest.Eventually(t, "the end of all of its processes", func() bool { return len(commandLines(t)) == 1 }, func() any { return commandLines(t) })
		p.supervise = p.start("supervise")
		p.waitReady()
		query(t, db, s.session)
		if s.keeps {
			statement(t, db, "DROP DATABASE kept")
			statement(t, db, "CREATE DATABASE kept")
		}
		p.serve = p.start("serve")
		got := p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
		if got.GetData().GetSystemId() != first.GetData().GetSystemId() || got.GetJournalId() != first.GetJournalId() {
			t.Errorf("data %v, was %v", got.GetData(), first.GetData())
		}
	})

	if s.restart != "" {
		t.Run("a server that asks for a restart gets it in place", func(t *testing.T) {
			p.t = t
			pid := p.serverPID()
			statement(t, db, s.restart)
			agenttest.Eventually(t, "another server", func() bool {
				o, err := p.store.Observed()
				return err == nil && o.PID != 0 && o.PID != pid && o.State == state.StateRunning
			})
			query(t, db, s.session)
		})
	}

	t.Run("a hold takes the server down and keeps it down over a restart", func(t *testing.T) {
		p.t = t
		p.hold("fence", true)
		p.waitState(agentv1.ServerState_SERVER_STATE_HELD)
		if _, err := db.Query(t.Context(), s.session); err == nil {
			t.Error("a held server answers")
		}
		gone := func() {
			t.Helper()
			for pid, line := range commandLines(t) {
				if strings.Contains(line, s.process) {
					t.Errorf("process %d is left: %s", pid, line)
				}
			}
		}
		gone()
		p.supervise.signal(syscall.SIGKILL)
		p.supervise.wait()
		p.supervise = p.start("supervise")
		time.Sleep(time.Second)
		p.waitState(agentv1.ServerState_SERVER_STATE_HELD)
		gone()
		// Another hold, the first away: still held.
		p.hold("upgrade", true)
		p.hold("fence", false)
		time.Sleep(300 * time.Millisecond)
		if got := p.status().GetServer(); got.GetState() != agentv1.ServerState_SERVER_STATE_HELD {
			t.Fatalf("with one hold left: %v", got)
		}
		p.hold("upgrade", false)
		p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
		query(t, db, s.session)
	})

	t.Run("the pod's end stops the server in order", func(t *testing.T) {
		p.t = t
		p.supervise.signal(syscall.SIGTERM)
		if status := p.supervise.wait(); status != 0 {
			t.Errorf("exit status %d\n%s", status, p.logText())
		}
		p.supervise = p.start("supervise")
		p.waitReady()
	})

	t.Run("no password is in a log or on a command line", func(t *testing.T) {
		for pid, line := range commandLines(t) {
			if strings.Contains(line, password) {
				t.Errorf("process %d: %s", pid, line)
			}
		}
		if strings.Contains(p.logText(), password) {
			t.Error("it is in the log")
		}
		if strings.Contains(p.logText(), "DATA RACE") {
			t.Error("a data race")
		}
	})

	t.Run("data that vanished is missed, not replaced", func(t *testing.T) {
		p.t = t
		p.apply(func(r *agentv1.ApplyRequest) {
			r.Expected = &agentv1.DataIdentity{SystemId: first.GetData().GetSystemId()}
		})
		p.supervise.signal(syscall.SIGTERM)
		p.supervise.wait()
		aside := filepath.Join(p.env.DataMount, "aside")
		if err := os.Rename(p.env.DataDir(), aside); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(p.env.AgentDir(), state.IdentityFile)); err != nil {
			t.Fatal(err)
		}
		p.supervise = p.start("supervise")
		got := p.waitState(agentv1.ServerState_SERVER_STATE_DATA_MISSING)
		if got.GetData() != nil || !strings.Contains(got.GetServer().GetMessage(), first.GetData().GetSystemId()) {
			t.Errorf("status: %v", got)
		}
		if _, err := os.Stat(p.env.DataDir()); !os.IsNotExist(err) {
			t.Errorf("the data directory was touched: %v", err)
		}
		// A human puts it back, the operator applies again: the same database.
		if err := os.Rename(aside, p.env.DataDir()); err != nil {
			t.Fatal(err)
		}
		p.hold("upgrade", true)
		p.hold("upgrade", false)
		if got := p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING); got.GetData().GetSystemId() != first.GetData().GetSystemId() {
			t.Errorf("status: %v", got)
		}
		query(t, db, s.session)
	})

	t.Run("data that was given up is replaced by an empty database", func(t *testing.T) {
		p.t = t
		old := first.GetData().GetSystemId()
		p.supervise.signal(syscall.SIGTERM)
		p.supervise.wait()
		if err := os.RemoveAll(p.env.DataDir()); err != nil {
			t.Fatal(err)
		}
		p.supervise = p.start("supervise")
		p.waitState(agentv1.ServerState_SERVER_STATE_DATA_MISSING)
		// The identity file still names it, and so does the operator.
		p.apply(func(r *agentv1.ApplyRequest) {
			r.Expected, r.GivenUpSystemId = &agentv1.DataIdentity{SystemId: old}, old
		})
		got := p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
		if id := got.GetData().GetSystemId(); id == old || id == "" || !got.GetData().GetVirgin() {
			t.Errorf("data %v, was %s", got.GetData(), old)
		}
	})
	p.t = t
}

// statement runs one; query tries again while the server is away.
func statement(t *testing.T, db client, text string) {
	t.Helper()
	if err := db.Exec(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func query(t *testing.T, db client, q string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		answer, err := db.Query(ctx, q)
		if err == nil {
			return answer
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", q, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
