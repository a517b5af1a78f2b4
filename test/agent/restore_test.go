// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/operation"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// begin an operation.
func (p *pod) begin(id string, params operation.Params) {
	p.t.Helper()
	raw, err := operation.Encode(params)
	if err != nil {
		p.t.Fatal(err)
	}
	journal := call(p, func(ctx context.Context) (*agentv1.InfoResponse, error) {
		return p.operations.Info(ctx, &agentv1.InfoRequest{})
	}).GetJournalId()
	call(p, func(ctx context.Context) (*agentv1.StartResponse, error) {
		return p.operations.Start(ctx, &agentv1.StartRequest{
			Fence: &agentv1.Fence{PodUid: p.env.PodUID, UnitUid: p.env.UID, UnitGeneration: 1},
			Id:    id, Action: operation.ActionOf(params), Parameters: raw, JournalId: journal,
		})
	})
}

// outcome of an operation, or what it is when reached says enough.
func (p *pod) outcome(id string, reached func(*agentv1.Operation) bool) *agentv1.Operation {
	p.t.Helper()
	var o *agentv1.Operation
	agenttest.Eventually(p.t, "operation "+id, func() bool {
		o = call(p, func(ctx context.Context) (*agentv1.GetResponse, error) {
			return p.operations.Get(ctx, &agentv1.GetRequest{Id: id})
		}).GetOperation()
		return o.GetFinished() != nil || reached != nil && reached(o)
	}, func() any { return fmt.Sprint(o, "\n", p.logText()) })
	return o
}

func (p *pod) succeed(id string, params operation.Params) *agentv1.Operation {
	p.t.Helper()
	p.begin(id, params)
	o := p.outcome(id, nil)
	if o.GetState() != agentv1.OperationState_OPERATION_STATE_SUCCEEDED {
		p.t.Fatalf("%s: %v\n%s", id, o, p.logText())
	}
	return o
}

// TestAPostgreSQLIsRestoredByTheAgent runs serve and supervise as the pod does: the
// server goes down by a hold, and comes up on the other database.
func TestAPostgreSQLIsRestoredByTheAgent(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		box.Vars["ADM_USER"] = "adm"
		box.Secret(t, "adm", password)
		p := newPod(t, box, map[string]string{"postgresql.conf": "shared_buffers = 16MB\nlisten_addresses = '*'\n"})
		p.serve, p.supervise = p.start("serve"), p.start("supervise")
		p.apply()
		p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
		p.waitReady()
		db := &postgresClient{}
		defer db.Close()
		rows := func(want string) {
			t.Helper()
			var got string
			agenttest.Eventually(t, "a session", func() (ok bool) {
				var err error
				got, err = db.Query(t.Context(), "SELECT count(*) || ' ' || md5(string_agg(i::text, ',' ORDER BY i)) FROM t")
				return err == nil
			}, func() any { return p.logText() })
			if got != want {
				t.Errorf("rows %s, want %s", got, want)
			}
		}
		statement(t, db, "CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) i")
		before, err := db.Query(t.Context(), "SELECT count(*) || ' ' || md5(string_agg(i::text, ',' ORDER BY i)) FROM t")
		if err != nil {
			t.Fatal(err)
		}
		generation := p.status().GetData().GetDataGeneration()
		destination := "file://" + t.TempDir() + "/"
		backup := p.succeed("backup", &operation.PhysicalBackup{BackupType: operation.Full, Compression: operation.Zstd, Destination: destination})
		statement(t, db, "DELETE FROM t WHERE i > 10")
		after, err := db.Query(t.Context(), "SELECT count(*) || ' ' || md5(string_agg(i::text, ',' ORDER BY i)) FROM t")
		if err != nil {
			t.Fatal(err)
		}

		t.Run("an agent that is killed before the new data is complete leaves the old serving, and later continues", func(t *testing.T) {
			p.t = t
			params := &operation.Restore{Source: backup.GetResult()["location"], Overwrite: true}
			for phase, want := range map[string]struct {
				state agentv1.OperationState
				rows  string
			}{
				"build":    {agentv1.OperationState_OPERATION_STATE_FAILED, after},
				"exchange": {agentv1.OperationState_OPERATION_STATE_SUCCEEDED, before},
			} {
				id := "killed-in-" + phase
				p.begin(id, params)
				met := p.outcome(id, func(o *agentv1.Operation) bool { return o.GetPhase() == phase })
				p.serve.signal(syscall.SIGKILL)
				p.serve.wait()
				p.serve = p.start("serve")
				o := p.outcome(id, nil)
				p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
				if met.GetFinished() != nil || phase == "build" && o.GetPhase() != phase {
					t.Logf("%s was over too soon: %v", phase, o)
					// The session was one of the server that was replaced.
					query(t, db, "SELECT 'a new session'")
				} else {
					if o.GetState() != want.state || want.state == agentv1.OperationState_OPERATION_STATE_FAILED && o.GetReason() != "Interrupted" {
						t.Errorf("%s: %v", phase, o)
					}
					rows(want.rows)
				}
				statement(t, db, "DELETE FROM t WHERE i > 10")
			}
		})
		p.t = t
		p.succeed("restore", &operation.Restore{Source: backup.GetResult()["location"], Overwrite: true})
		p.waitState(agentv1.ServerState_SERVER_STATE_RUNNING)
		rows(before)
		if got := p.status().GetData().GetDataGeneration(); got <= generation {
			t.Errorf("the generation of the data is %d, and was %d", got, generation)
		}
		statement(t, db, "INSERT INTO t VALUES (0)")
	})
}
