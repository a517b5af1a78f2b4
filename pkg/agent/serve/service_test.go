// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// agent is a serve without TLS in this process.
type agent struct {
	unit   *agenttest.Unit
	client agentv1.UnitServiceClient
	conn   *grpc.ClientConn
	http   http.Handler
	// reader and metrics of it.
	reader  *statusReader
	metrics *metrics
}

func newAgent(t *testing.T, u *agenttest.Unit, files state.Files, wrap func(engine.Engine) engine.Engine) *agent {
	t.Helper()
	return newAgentWith(t, u, files, wrap, nil)
}

func newAgentWith(t *testing.T, u *agenttest.Unit, files state.Files, wrap func(engine.Engine) engine.Engine, actions map[string]operations.Action) *agent {
	t.Helper()
	eng := agenttest.NewEngine(u.Env)
	if wrap != nil {
		eng = wrap(eng)
	}
	store := state.NewStore(u.Env.StateDir, files)
	reader := newStatusReader(t.Context(), u.Env, eng, store)
	m := newMetrics(context.Background(), reader)
	unit := newUnitService(t.Context(), u.Env, store, reader)
	manager := newManager(Options{Env: u.Env, Actions: func(operations.Deps) map[string]operations.Action { return actions }}, store, unit, m)
	go unit.open(t.Context(), func() { manager.Open(t.Context()) })
	select {
	case <-unit.opened:
	case <-time.After(openTimeout): // a volume that hangs
	}
	server, _ := newGRPCServer(t.Context(), m, store, insecure.NewCredentials(), services(unit, manager, newRoles(u.Env, eng, store, unit.keeper, manager))...)
	listener := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///agent",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &agent{unit: u, client: agentv1.NewUnitServiceClient(conn), conn: conn, http: newHandler(reader, m, nil), reader: reader, metrics: m}
}

func apply(change ...func(*agentv1.ApplyRequest)) *agentv1.ApplyRequest {
	r := &agentv1.ApplyRequest{
		Fence: &agentv1.Fence{PodUid: "pod-uid", UnitUid: "unit-uid", UnitGeneration: 3},
		Configuration: &agentv1.Configuration{
			Hash:  "h1",
			Files: []*agentv1.ConfigurationFile{{Name: "fake.conf", Content: []byte("one")}},
		},
		ClaimUids: map[string]string{"data": "c1"},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func fenceHold(held bool, epoch int64) *agentv1.SetHoldRequest {
	return &agentv1.SetHoldRequest{
		Fence: &agentv1.Fence{PodUid: "pod-uid", UnitUid: "unit-uid", Epoch: epoch}, Name: "fence", Held: held,
	}
}

func TestApplyIsStoredBeforeItIsAcknowledgedAndIdempotent(t *testing.T) {
	ctx := context.Background()
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)

	before, err := a.client.GetStatus(ctx, &agentv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if before.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_WAITING || before.GetData() != nil || before.GetConfiguration() != nil {
		t.Errorf("before any Apply: %v", before)
	}

	request := apply(func(r *agentv1.ApplyRequest) { r.StartupHold, r.Managed = true, true })
	response, err := a.client.Apply(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.unit.Store.Desired()
	if err != nil {
		t.Fatal(err)
	}
	want := &state.Desired{
		Header: state.Header{Version: 1}, PodUID: "pod-uid", UnitUID: "unit-uid", UnitGeneration: 3, Applied: true,
		Role: engine.RoleManaged, Managed: true, Holds: []string{"startup"}, HoldsOrder: 1, ConfigHash: "h1", ClaimUIDs: map[string]string{"data": "c1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("desired.json (-want +got):\n%s", diff)
	}
	if s := response.GetStatus(); s.GetUnitGeneration() != 3 || s.GetRole() != agentv1.Role_ROLE_MANAGED ||
		s.GetConfiguration().GetAppliedHash() != "h1" || len(s.GetHolds()) != 1 || s.GetJournalId() == "" || s.GetJournalId() != before.GetJournalId() {
		t.Errorf("status: %v", s)
	}

	path := filepath.Join(a.unit.Env.StateDir, state.DesiredFile)
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.Apply(ctx, request); err != nil {
		t.Fatal(err)
	}
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Errorf("the same Apply was written again: %v", err)
	}
}

func TestApplyRefusesWhatCanNeverSucceed(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	if _, err := a.client.Apply(context.Background(), apply()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*agentv1.ApplyRequest)
		want   codes.Code
	}{
		{"no unit generation", func(r *agentv1.ApplyRequest) { r.Fence.UnitGeneration = 0; r.Fence.Epoch = 1 }, codes.InvalidArgument},
		{"no files", func(r *agentv1.ApplyRequest) { r.Configuration.Files = nil }, codes.InvalidArgument},
		{"a file outside the directory", func(r *agentv1.ApplyRequest) { r.Configuration.Files[0].Name = "../../etc/passwd" }, codes.InvalidArgument},
		{"a file twice", func(r *agentv1.ApplyRequest) {
			r.Configuration.Files = append(r.Configuration.Files, r.Configuration.Files[0])
		}, codes.InvalidArgument},
		{"other content under a known hash", func(r *agentv1.ApplyRequest) { r.Configuration.Files[0].Content = []byte("two") }, codes.InvalidArgument},
		{"an expectation of nothing", func(r *agentv1.ApplyRequest) { r.Expected = &agentv1.DataIdentity{} }, codes.InvalidArgument},
		{"another pod", func(r *agentv1.ApplyRequest) { r.Fence.PodUid = "other" }, codes.FailedPrecondition},
		{"an older generation", func(r *agentv1.ApplyRequest) { r.Fence.UnitGeneration = 2 }, codes.FailedPrecondition},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before, err := a.unit.Store.Desired()
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.client.Apply(context.Background(), apply(tc.change))
			if status.Code(err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			after, err := a.unit.Store.Desired()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("a refused call changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestHoldsAreFencedAndOnesNeverTouchOthers(t *testing.T) {
	ctx := context.Background()
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	// Before any Apply: the hold is kept, and is no Apply.
	if _, err := a.client.SetHold(ctx, fenceHold(true, 4)); err != nil {
		t.Fatal(err)
	}
	s, err := a.client.GetStatus(ctx, &agentv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if s.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_WAITING || s.GetEpoch() != 4 {
		t.Errorf("status: %v", s)
	}
	// Apply without startup hold does not lift the fence.
	applied, err := a.client.Apply(ctx, apply())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fence"}, applied.GetStatus().GetHolds()); diff != "" {
		t.Error(diff)
	}
	// A leader that slept cannot lift it either, even after this agent died.
	b := newAgent(t, u, state.Files{}, nil)
	if _, err := b.client.SetHold(ctx, fenceHold(false, 3)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("an older epoch: %v", err)
	}
	lifted, err := b.client.SetHold(ctx, fenceHold(false, 5))
	if err != nil {
		t.Fatal(err)
	}
	if len(lifted.GetStatus().GetHolds()) != 0 || lifted.GetStatus().GetEpoch() != 5 || lifted.GetStatus().GetUnitGeneration() != 3 {
		t.Errorf("status: %v", lifted)
	}
}

func TestAVolumeThatFailsDoesNotKeepAHoldOff(t *testing.T) {
	ctx := context.Background()
	u := agenttest.NewUnit(t, false)
	// A journal without its id is broken for good.
	if err := os.MkdirAll(filepath.Join(u.Env.AgentDir(), "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, u, state.Files{}, nil)
	r, err := a.client.SetHold(ctx, fenceHold(true, 1))
	if err != nil {
		t.Fatal(err)
	}
	if s := r.GetStatus(); len(s.GetHolds()) != 1 || s.GetJournalId() != "" {
		t.Errorf("status: %v", s)
	}
}

func TestAWriteThatFailsIsAnErrorAndChangesNothing(t *testing.T) {
	ctx := context.Background()
	u := agenttest.NewUnit(t, false)
	if _, err := newAgent(t, u, state.Files{}, nil).client.SetHold(ctx, fenceHold(true, 1)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"create", "write", "chmod", "sync", "close", "rename"} {
		a := newAgent(t, u, state.Files{Fault: func(s string) error {
			if s == step {
				return syscall.ENOSPC
			}
			return nil
		}}, nil)
		_, err := a.client.SetHold(ctx, fenceHold(false, 2))
		if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "no space") {
			t.Errorf("%s: %v", step, err)
		}
		if d, err := u.Store.Desired(); err != nil || d.Epoch != 1 || len(d.Holds) != 1 {
			t.Errorf("%s: desired %+v, %v", step, d, err)
		}
		if _, err := a.client.Apply(ctx, apply()); status.Code(err) != codes.Internal {
			t.Errorf("%s: Apply: %v", step, err)
		}
		if d, err := u.Store.Desired(); err != nil || d.Applied {
			t.Errorf("%s: desired %+v, %v", step, d, err)
		}
	}
}

func TestAWriteWhoseNameWasNotSyncedIsWrittenAgain(t *testing.T) {
	ctx := context.Background()
	u := agenttest.NewUnit(t, false)
	fail := true
	writes := 0
	a := newAgent(t, u, state.Files{Fault: func(s string) error {
		switch {
		case s == "rename":
			writes++
		case s == "syncdir" && fail:
			return syscall.EIO
		}
		return nil
	}}, nil)
	if _, err := a.client.SetHold(ctx, fenceHold(true, 1)); status.Code(err) != codes.Internal {
		t.Fatalf("got %v", err)
	}
	fail = false
	if _, err := a.client.SetHold(ctx, fenceHold(true, 1)); err != nil {
		t.Fatal(err)
	}
	if writes != 2 {
		t.Errorf("%d writes: what was acknowledged may not survive a power failure", writes)
	}
}

func TestConcurrentCallsLoseNothing(t *testing.T) {
	ctx := context.Background()
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	if _, err := a.client.Apply(ctx, apply()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	names := "abcdefghijklmnopqrst"
	for _, n := range names {
		wg.Go(func() {
			r := fenceHold(true, 1)
			r.Name = "operation:" + string(n)
			if _, err := a.client.SetHold(ctx, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d, err := a.unit.Store.Desired(); err != nil || len(d.Holds) != len(names) {
		t.Errorf("%d holds of %d: %v", len(d.Holds), len(names), err)
	}
}

func TestStatusHealthAndMetricsOfARunningServer(t *testing.T) {
	ctx := context.Background()
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	p := u.Start("supervise")
	if _, err := a.client.Apply(ctx, apply()); err != nil {
		t.Fatal(err)
	}
	u.WaitState(state.StateRunning)
	s, err := a.client.GetStatus(ctx, &agentv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if s.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_RUNNING || s.GetServer().GetVersion() != "1.2.3" || !s.GetServer().GetWritable() ||
		s.GetServer().GetSince() == nil || s.GetConfiguration().GetRunningHash() != "h1" || s.GetConfiguration().GetRestartRequired() ||
		s.GetData().GetSystemId() != u.Ask("id") || s.GetData().GetClaimUids()["data"] != "c1" || !s.GetData().GetVirgin() {
		t.Errorf("status: %v", s)
	}

	response, err := a.client.Apply(ctx, apply(func(r *agentv1.ApplyRequest) {
		r.Configuration.Hash = "h2"
		r.Configuration.Files[0].Content = []byte("two")
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c := response.GetStatus().GetConfiguration(); c.GetAppliedHash() != "h2" || c.GetRunningHash() != "h1" || !c.GetRestartRequired() {
		t.Errorf("configuration: %v", c)
	}

	for _, method := range []string{http.MethodGet, http.MethodPost} {
		recorder := httptest.NewRecorder()
		a.http.ServeHTTP(recorder, httptest.NewRequest(method, "/health", nil))
		var health map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &health); err != nil || recorder.Code != http.StatusOK {
			t.Fatalf("%s /health: %d %s", method, recorder.Code, recorder.Body)
		}
		if server := health["server"].(map[string]any); server["state"] != "Running" || server["writable"] != true || health["unit"] != "u-0" {
			t.Errorf("%s /health: %s", method, recorder.Body)
		}
	}
	recorder := httptest.NewRecorder()
	a.http.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		"unit_agent_server_up 1", `unit_agent_role{role="standalone"} 1`, `unit_agent_server_state{state="Running"} 1`,
		"unit_agent_restart_required 1", "fake_connections 3", `fake_queries_total{kind="read"} 7`, "unit_agent_build_info",
		"process_resident_memory_bytes", `unit_agent_grpc_call_duration_seconds_count{code="OK",method="Apply"} 2`,
	} {
		if !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}

	// Held: down, and the data is told of from the files, no longer as virgin.
	if _, err := a.client.SetHold(ctx, fenceHold(true, 1)); err != nil {
		t.Fatal(err)
	}
	u.WaitState(state.StateHeld)
	if s, err = a.client.GetStatus(ctx, &agentv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	if s.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_HELD || s.GetData().GetSystemId() == "" || s.GetData().GetVirgin() {
		t.Errorf("held: %v", s)
	}
	recorder = httptest.NewRecorder()
	a.http.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz while held: %d", recorder.Code)
	}
	recorder = httptest.NewRecorder()
	a.http.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/health", nil))
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), "fence") {
		t.Errorf("/health while held: %d %s", recorder.Code, recorder.Body)
	}

	// Back with the new configuration, and the old one is swept with the next call.
	if _, err := a.client.SetHold(ctx, fenceHold(false, 1)); err != nil {
		t.Fatal(err)
	}
	if o := u.WaitState(state.StateRunning); o.RunningConfigHash != "h2" {
		t.Errorf("observed %+v", o)
	}
	p.Signal(syscall.SIGKILL)
	p.WaitExit()
	if s, err = a.client.GetStatus(ctx, &agentv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.GetServer().GetMessage(), "supervise is gone") {
		t.Errorf("after supervise was killed: %v", s.GetServer())
	}
}

type panicking struct{ engine.Engine }

func (panicking) Inspect(context.Context) (engine.Data, error) { panic("in the engine") }

func TestAPanicIsOneCallsFailure(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, func(e engine.Engine) engine.Engine { return panicking{e} })
	_, err := a.client.GetStatus(context.Background(), &agentv1.GetStatusRequest{})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "in the engine") {
		t.Errorf("got %v", err)
	}
	health, err := grpc_health_v1.NewHealthClient(a.conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: agentv1.UnitService_ServiceDesc.ServiceName})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("the agent is gone: %v, %v", health, err)
	}
}

func TestAnUnreadableDesiredStateIsNoBasisForAnything(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	path := filepath.Join(a.unit.Env.StateDir, state.DesiredFile)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.Apply(context.Background(), apply()); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "{" {
		t.Errorf("it was overwritten: %q, %v", content, errors.Join(err))
	}
}
