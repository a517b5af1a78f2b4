// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// steps is an action that enters a phase each time it is told to, and ends when told
// no more.
type steps chan string

func (s steps) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case phase, ok := <-s:
			if !ok {
				return nil, nil
			}
			if err := op.SetPhase(phase, nil); err != nil {
				return nil, err
			}
		}
	}
}

type operated struct {
	*agent
	client    agentv1.OperationServiceClient
	journalID string
	steps     steps
}

func newOperated(t *testing.T) *operated {
	t.Helper()
	o := &operated{steps: make(steps)}
	o.agent = newAgentWith(t, agenttest.NewUnit(t, false), state.Files{}, nil, map[string]operations.Action{operation.ActionGTIDPurge: o.steps})
	o.client = agentv1.NewOperationServiceClient(o.conn)
	info, err := o.client.Info(t.Context(), &agentv1.InfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	o.journalID = info.GetJournalId()
	return o
}

func (o *operated) start(generation int64) *agentv1.StartRequest {
	return &agentv1.StartRequest{
		Fence: &agentv1.Fence{PodUid: "pod-uid", UnitUid: "unit-uid", UnitGeneration: generation},
		Id:    "op-1", Action: operation.ActionGTIDPurge, Parameters: []byte(`{}`), JournalId: o.journalID,
	}
}

func TestWatchSendsEveryStateUntilTheLast(t *testing.T) {
	o := newOperated(t)
	if _, err := o.client.Start(t.Context(), o.start(1)); err != nil {
		t.Fatal(err)
	}
	stream, err := o.client.Watch(t.Context(), &agentv1.GetRequest{Id: "op-1", JournalId: o.journalID})
	if err != nil {
		t.Fatal(err)
	}
	next := func() string {
		t.Helper()
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return r.GetOperation().GetState().String() + " " + r.GetOperation().GetPhase()
	}
	got := []string{next()}
	for _, phase := range []string{"dump", "store"} {
		o.steps <- phase
		got = append(got, next())
	}
	close(o.steps)
	got = append(got, next())
	want := []string{
		"OPERATION_STATE_RUNNING ", "OPERATION_STATE_RUNNING dump", "OPERATION_STATE_RUNNING store", "OPERATION_STATE_SUCCEEDED store",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}

	recorder := httptest.NewRecorder()
	agenttest.Eventually(t, "the outcome is counted", func() bool {
		recorder = httptest.NewRecorder()
		o.http.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return strings.Contains(recorder.Body.String(), `unit_agent_operation_duration_seconds_count{action="gtid-purge",outcome="Succeeded"} 1`)
	}, func() any { return recorder.Body.String() })
}

func TestWatchOfNothingFails(t *testing.T) {
	o := newOperated(t)
	for journalID, want := range map[string]codes.Code{o.journalID: codes.NotFound, "": codes.NotFound, "other": codes.DataLoss} {
		stream, err := o.client.Watch(t.Context(), &agentv1.GetRequest{Id: "op-1", JournalId: journalID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != want {
			t.Errorf("journal %q: %v", journalID, err)
		}
	}
}

// TestTheFenceOfAnOperationIsStored: whoever came later is not overtaken by a call that
// was under way, and the other way round.
func TestTheFenceOfAnOperationIsStored(t *testing.T) {
	o := newOperated(t)
	if _, err := o.client.Start(t.Context(), o.start(4)); err != nil {
		t.Fatal(err)
	}
	d, err := o.unit.Store.Desired()
	if err != nil || d == nil || d.UnitGeneration != 4 || d.Applied {
		t.Errorf("desired.json: %+v, %v", d, err)
	}
	if _, err := o.agent.client.Apply(t.Context(), apply()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an older Apply: %v", err)
	}
	fence := o.start(3).GetFence()
	if _, err := o.client.Cancel(t.Context(), &agentv1.CancelRequest{Fence: fence, Id: "op-1", JournalId: o.journalID}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an older Cancel: %v", err)
	}
	if _, err := o.client.Acknowledge(t.Context(), &agentv1.AcknowledgeRequest{Fence: fence, Id: "op-1", JournalId: o.journalID}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an older Acknowledge: %v", err)
	}
	for name, change := range map[string]func(*agentv1.Fence){
		"another pod":  func(f *agentv1.Fence) { f.PodUid = "other" },
		"another unit": func(f *agentv1.Fence) { f.UnitUid = "other" },
	} {
		r := o.start(5)
		change(r.GetFence())
		if _, err := o.client.Start(t.Context(), r); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
	close(o.steps)
}

func TestTheOperationServiceIsSaidToBeHealthy(t *testing.T) {
	o := newOperated(t)
	health, err := grpc_health_v1.NewHealthClient(o.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "upm.agent.v1.OperationService"})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", health, err)
	}
}
