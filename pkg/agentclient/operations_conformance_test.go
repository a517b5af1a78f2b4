// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/operation"
)

// operated is an agent whose operations end when the test says so.
type operated struct {
	client interface {
		agentclient.Interface
		agentclient.Operations
	}
	// succeed and fail end the operation that runs; restart ends the agent.
	succeed, fail func(id string)
	restart       func()
	// cancelled ends an operation that was asked to.
	cancelled func(id string)
	// secrets that the operation has now.
	secrets func(id string) agentclient.Secrets
}

// obedient is an action that ends when it is told to.
type obedient struct {
	end  chan error
	runs chan operations.Op
}

func (o *obedient) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	o.runs <- op
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case err := <-o.end:
		return map[string]string{"backup": "b-1", "message": "stored b-1"}, err
	}
}

func (o *obedient) Recover(string) operations.Recovery { return operations.RecoverWithSecrets }

func realOperated(t *testing.T) operated {
	action := &obedient{end: make(chan error), runs: make(chan operations.Op, 9)}
	actions := map[string]operations.Action{}
	for _, name := range []string{
		operation.ActionClone, operation.ActionGTIDPurge, operation.ActionLogicalBackup,
		operation.ActionPhysicalBackup, operation.ActionRestore, operation.ActionSetVariable,
	} {
		actions[name] = action
	}
	client, restart := agentclient.RealOperations(t, actions)
	over := func(id string) {
		t.Helper()
		agenttest.Eventually(t, id+" is over", func() bool {
			op, err := client.GetOperation(t.Context(), agentclient.Unit(), agentclient.OperationRef{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			info, err := client.Info(t.Context(), agentclient.Unit())
			if err != nil {
				t.Fatal(err)
			}
			return op.State.Final() && info.Current == nil
		})
	}
	return operated{
		client:    client,
		succeed:   func(id string) { action.end <- nil; over(id) },
		fail:      func(id string) { action.end <- operations.Failed("NoSpace", "the disk is full"); over(id) },
		cancelled: over,
		restart:   restart,
		secrets:   func(string) agentclient.Secrets { return (<-action.runs).Secrets() },
	}
}

func fakeOperated() operated {
	agents := fake.New()
	with := func(f func(*fake.Agent)) { agents.With(agentclient.Unit().PodUID, f) }
	finish := func(state agentclient.OperationState, reason, message string, result map[string]string) func(string) {
		return func(id string) { with(func(a *fake.Agent) { a.Finish(id, state, reason, message, result) }) }
	}
	return operated{
		client:    agents,
		succeed:   finish(agentclient.OperationSucceeded, "", "stored b-1", map[string]string{"backup": "b-1"}),
		fail:      finish(agentclient.OperationFailed, "NoSpace", "the disk is full", nil),
		cancelled: finish(agentclient.OperationCancelled, "", "cancelled", nil),
		restart:   func() { with((*fake.Agent).Interrupt) },
		secrets: func(id string) (out agentclient.Secrets) {
			with(func(a *fake.Agent) { out = a.Operations[id].Secrets })
			return out
		},
	}
}

// TestTheFakeOperatesLikeTheRealAgent makes the same calls to both.
func TestTheFakeOperatesLikeTheRealAgent(t *testing.T) {
	params, err := operation.Encode(&operation.Restore{Source: "s3://backups/mysql/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, agent := range map[string]operated{"the real agent": realOperated(t), "the fake": fakeOperated()} {
		t.Run(name, func(t *testing.T) {
			ctx, c, target := t.Context(), agent.client, agentclient.Unit()
			if _, err := c.Apply(ctx, target, agentclient.ApplyRequest{
				Generation: 3, ConfigHash: "h1", Files: map[string][]byte{"fake.conf": []byte("one")}, StartupHold: true,
			}); err != nil {
				t.Fatal(err)
			}
			info, err := c.Info(ctx, target)
			if err != nil || info.JournalID == "" || info.Current != nil {
				t.Fatalf("info %+v, %v", info, err)
			}
			journal := info.JournalID
			if want := []string{"clone", "gtid-purge", "logical-backup", "physical-backup", "restore", "set-variable"}; !slices.Equal(want, info.Actions) {
				t.Errorf("actions %q", info.Actions)
			}
			ref := func(id string) agentclient.OperationRef {
				return agentclient.OperationRef{ID: id, JournalID: journal, Generation: 3}
			}
			start := func(id string, change ...func(*agentclient.StartOperation)) func() (*agentclient.Operation, error) {
				r := agentclient.StartOperation{
					OperationRef: ref(id), Action: operation.ActionRestore, Parameters: params,
					Secrets: agentclient.Secrets{"s3.secretKey": []byte("swordfish")},
				}
				for _, f := range change {
					f(&r)
				}
				return func() (*agentclient.Operation, error) { return c.StartOperation(ctx, target, r) }
			}
			get := func(ref agentclient.OperationRef) func() (*agentclient.Operation, error) {
				return func() (*agentclient.Operation, error) { return c.GetOperation(ctx, target, ref) }
			}
			cancel := func(ref agentclient.OperationRef) func() (*agentclient.Operation, error) {
				return func() (*agentclient.Operation, error) { return c.CancelOperation(ctx, target, ref) }
			}
			acknowledge := func(ref agentclient.OperationRef) func() (*agentclient.Operation, error) {
				return func() (*agentclient.Operation, error) { return nil, c.AcknowledgeOperation(ctx, target, ref) }
			}
			other := func(r agentclient.OperationRef) agentclient.OperationRef { r.JournalID = "other"; return r }
			none := func(r agentclient.OperationRef) agentclient.OperationRef { r.JournalID = ""; return r }
			older := func(r agentclient.OperationRef) agentclient.OperationRef { r.Generation = 2; return r }
			unfenced := func(r agentclient.OperationRef) agentclient.OperationRef { r.Generation = 0; return r }
			then := func(f func(string), id string) func() (*agentclient.Operation, error) {
				return func() (*agentclient.Operation, error) { f(id); return c.GetOperation(ctx, target, ref(id)) }
			}
			type outcome struct {
				Class           agentclient.Class
				State           agentclient.OperationState
				Reason, Message string
				Result          map[string]string
			}
			running := outcome{State: agentclient.OperationRunning}
			succeeded := outcome{State: agentclient.OperationSucceeded, Message: "stored b-1", Result: map[string]string{"backup": "b-1"}}
			failed := outcome{State: agentclient.OperationFailed, Reason: "NoSpace", Message: "the disk is full"}
			cancelled := outcome{State: agentclient.OperationCancelled, Message: "cancelled"}
			for _, step := range []struct {
				name string
				call func() (*agentclient.Operation, error)
				want outcome
			}{
				{"what was never started is not found", get(ref("op-1")), outcome{Class: agentclient.NotFound}},
				{"in whichever journal there is", get(none(ref("op-1"))), outcome{Class: agentclient.NotFound}},
				{"another journal is told apart", get(other(ref("op-1"))), outcome{Class: agentclient.OtherJournal}},
				{"nor is it started in another journal", start("op-1", func(r *agentclient.StartOperation) { r.JournalID = "other" }), outcome{Class: agentclient.OtherJournal}},
				{"or in no journal", start("op-1", func(r *agentclient.StartOperation) { r.JournalID = "" }), outcome{Class: agentclient.Final}},
				{"or by an older generation", start("op-1", func(r *agentclient.StartOperation) { r.Generation = 2 }), outcome{Class: agentclient.StaleFence}},
				{"or by nobody", start("op-1", func(r *agentclient.StartOperation) { r.Generation = 0 }), outcome{Class: agentclient.Final}},
				{"or without an id", start(""), outcome{Class: agentclient.Final}},
				{"or with an unknown action", start("op-1", func(r *agentclient.StartOperation) { r.Action = "dance" }), outcome{Class: agentclient.Final}},
				{"none of that has left a record", get(ref("op-1")), outcome{Class: agentclient.NotFound}},
				{"what was never started is not cancelled", cancel(ref("op-1")), outcome{Class: agentclient.NotFound}},
				{"but acknowledged", acknowledge(ref("op-1")), outcome{}},

				{"it starts", start("op-1"), running},
				{"it starts once", start("op-1"), running},
				{"another action is not it", start("op-1", func(r *agentclient.StartOperation) { r.Action = operation.ActionClone }), outcome{Class: agentclient.Final}},
				{"another one is told that the unit is busy", start("op-2"), outcome{Class: agentclient.Busy}},
				{"and is not started", get(ref("op-2")), outcome{Class: agentclient.NotFound}},
				{"what runs is not acknowledged", acknowledge(ref("op-1")), outcome{Class: agentclient.Final}},
				{"nor cancelled by an older generation", cancel(older(ref("op-1"))), outcome{Class: agentclient.StaleFence}},
				{"nor by nobody", cancel(unfenced(ref("op-1"))), outcome{Class: agentclient.Final}},
				{"nor in another journal", cancel(other(ref("op-1"))), outcome{Class: agentclient.OtherJournal}},
				{"it runs", get(ref("op-1")), running},
				{"it ends", then(agent.succeed, "op-1"), succeeded},
				{"started again it has ended", start("op-1"), succeeded},
				{"cancelled late it has ended", cancel(ref("op-1")), succeeded},
				{"an older generation acknowledges nothing", acknowledge(older(ref("op-1"))), outcome{Class: agentclient.StaleFence}},
				{"another journal acknowledges nothing", acknowledge(other(ref("op-1"))), outcome{Class: agentclient.OtherJournal}},
				{"it is acknowledged", acknowledge(ref("op-1")), outcome{}},
				{"and again", acknowledge(ref("op-1")), outcome{}},
				{"a late duplicate finds it", start("op-1"), succeeded},

				{"the next one starts", start("op-2"), running},
				{"and fails", then(agent.fail, "op-2"), failed},
				{"the next one starts", start("op-3"), running},
				{"and ends when it is cancelled", func() (*agentclient.Operation, error) {
					if _, err := c.CancelOperation(ctx, target, ref("op-3")); err != nil {
						return nil, err
					}
					agent.cancelled("op-3")
					return c.GetOperation(ctx, target, ref("op-3"))
				}, cancelled},
				{"cancelled again it has ended", cancel(ref("op-3")), cancelled},

				{"the last one starts", start("op-4"), running},
				{"a restart of the agent interrupts it", func() (*agentclient.Operation, error) {
					agent.restart()
					return c.GetOperation(ctx, target, ref("op-4"))
				}, outcome{State: agentclient.OperationInterrupted}},
				{"others find the unit busy", start("op-5"), outcome{Class: agentclient.Busy}},
				{"it goes on", start("op-4"), running},
				{"and ends", then(agent.succeed, "op-4"), succeeded},
				{"the first is remembered", get(ref("op-1")), succeeded},
			} {
				op, err := step.call()
				got := outcome{}
				switch {
				case err != nil:
					got.Class = agentclient.ClassOf(err)
				case op != nil:
					got = outcome{State: op.State, Reason: op.Reason, Message: op.Message, Result: op.Result}
					if op.Started.IsZero() || op.Finished.IsZero() == op.State.Final() {
						t.Errorf("%s: started %v, finished %v", step.name, op.Started, op.Finished)
					}
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", step.name, err, diff)
				}
			}
		})
	}
}

func TestResumedOperationsHaveTheirSecretsAgain(t *testing.T) {
	params, err := operation.Encode(&operation.Restore{Source: "s3://backups/mysql/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, agent := range map[string]operated{"the real agent": realOperated(t), "the fake": fakeOperated()} {
		t.Run(name, func(t *testing.T) {
			info, err := agent.client.Info(t.Context(), agentclient.Unit())
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"swordfish", "marlin"} {
				op, err := agent.client.StartOperation(t.Context(), agentclient.Unit(), agentclient.StartOperation{
					OperationRef: agentclient.OperationRef{ID: "op-1", JournalID: info.JournalID, Generation: 1},
					Action:       operation.ActionRestore, Parameters: params, Secrets: agentclient.Secrets{"s3.secretKey": []byte(secret)},
				})
				if err != nil || op.State != agentclient.OperationRunning {
					t.Fatalf("%+v, %v", op, err)
				}
				if got := string(agent.secrets("op-1")["s3.secretKey"]); got != secret {
					t.Errorf("the operation has %q, want %q", got, secret)
				}
				info, err := agent.client.Info(t.Context(), agentclient.Unit())
				if err != nil || info.Current == nil || info.Current.ID != "op-1" {
					t.Errorf("info %+v, %v", info, err)
				}
				agent.restart()
			}
		})
	}
}
