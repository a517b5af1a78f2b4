// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/agenttls"
)

func request() ApplyRequest {
	return ApplyRequest{
		Generation: 3, ConfigHash: "h1", Files: map[string][]byte{"fake.conf": []byte("swordfish")},
		ClaimUIDs: map[string]types.UID{"data": "c1"},
	}
}

func TestTheRealAgentUnderstandsWhatIsSent(t *testing.T) {
	n := newNetwork(t)
	u := n.agent(t)
	c := n.client(t, clock.RealClock{})

	before, err := c.Status(t.Context(), unit())
	if err != nil {
		t.Fatal(err)
	}
	ignored := cmpopts.IgnoreFields(Status{}, "AgentVersion", "Message", "Since", "JournalID")
	if diff := cmp.Diff(&Status{Capabilities: []string{"operations"}, PodUID: "pod-uid", UnitUID: "unit-uid", State: StateWaiting, Down: true}, before, ignored); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if before.AgentVersion == "" || before.Message == "" {
		t.Errorf("before: %+v", before)
	}

	r := request()
	r.StartupHold, r.Managed, r.GivenUpSystemID = true, true, "s0"
	r.Expected = &DataIdentity{SystemID: "s1", ClaimUIDs: map[string]types.UID{"data": "c0"}, DataGeneration: 7, Virgin: true}
	after, err := c.Apply(t.Context(), unit(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := &Status{
		Capabilities: []string{"operations"}, PodUID: "pod-uid", UnitUID: "unit-uid", Generation: 3, Holds: []string{"startup"}, AppliedHash: "h1", State: StateHeld, Down: true,
		HoldsOrder: 1, StopProof: &StopProof{Order: 1, How: "SuperviseGone"},
	}
	if diff := cmp.Diff(want, after, ignored, cmpopts.IgnoreFields(StopProof{}, "At")); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if after.JournalID == "" || after.JournalID != before.JournalID {
		t.Errorf("journal %q, then %q", before.JournalID, after.JournalID)
	}
	stored, err := u.Store.Desired()
	if err != nil {
		t.Fatal(err)
	}
	wantStored := &state.Desired{
		Header: state.Header{Version: 1}, PodUID: "pod-uid", UnitUID: "unit-uid", UnitGeneration: 3, Applied: true,
		Role: engine.RoleManaged, Managed: true, Holds: []string{"startup"}, HoldsOrder: 1, ConfigHash: "h1", ClaimUIDs: map[string]string{"data": "c1"},
		GivenUpSystemID: "s0",
		Expected:        &state.DataIdentity{SystemID: "s1", ClaimUIDs: map[string]string{"data": "c0"}, DataGeneration: 7, Virgin: true},
	}
	if diff := cmp.Diff(wantStored, stored); diff != "" {
		t.Errorf("on its disk (-want +got):\n%s", diff)
	}

	held, err := c.SetHold(t.Context(), unit(), Hold{Name: "fence", Held: true, Epoch: 4})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fence", "startup"}, held.Holds); diff != "" || held.Epoch != 4 {
		t.Errorf("epoch %d, holds:\n%s", held.Epoch, diff)
	}
	if n.dialled() != 1 {
		t.Errorf("%d connections for calls of one pod", n.dialled())
	}
}

func TestARunningServerIsToldOf(t *testing.T) {
	n := newNetwork(t)
	u := n.agent(t)
	c := n.client(t, clock.RealClock{})
	u.Start("supervise")
	if _, err := c.Apply(t.Context(), unit(), request()); err != nil {
		t.Fatal(err)
	}
	u.WaitState(state.StateRunning)
	got, err := c.Status(t.Context(), unit())
	if err != nil {
		t.Fatal(err)
	}
	want := &Status{
		Capabilities: []string{"operations"}, PodUID: "pod-uid", UnitUID: "unit-uid", Generation: 3, AppliedHash: "h1", RunningHash: "h1",
		State: StateRunning, Version: "1.2.3", Writable: true,
		Data: &DataIdentity{SystemID: u.Ask("id"), ClaimUIDs: map[string]types.UID{"data": "c1"}, Virgin: true, Pristine: new(true)},
	}
	// The highest version is recorded beside the server's first answer.
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Status{}, "AgentVersion", "Message", "Since", "JournalID"), cmpopts.IgnoreFields(DataIdentity{}, "HighestVersion")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if time.Since(got.Since) > 10*time.Minute {
		t.Errorf("since %v", got.Since)
	}
}

func TestOnlyTheAgentOfTheUnitIsSpokenTo(t *testing.T) {
	n := newNetwork(t)
	u := n.agent(t)
	c := n.client(t, clock.RealClock{})
	for _, tc := range []struct {
		name   string
		change func(*Target)
		want   Class
	}{
		{"another unit has the address now", func(t *Target) { t.Unit, t.Pod, t.UnitUID, t.PodUID = "u-1", "u-1", "uid-1", "p1" }, Unavailable},
		{"a unit of the same name in another namespace", func(t *Target) { t.Namespace, t.PodUID = "other", "p2" }, Unavailable},
		{"a unit made again by the same name", func(t *Target) { t.UnitUID, t.PodUID = "uid-2", "p3" }, Unavailable},
		{"the unit's next pod has the address now", func(t *Target) { t.PodUID = "p4" }, StaleFence},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := unit()
			tc.change(&target)
			if s, err := c.Status(t.Context(), target); ClassOf(err) != tc.want || err == nil {
				t.Errorf("Status: %+v, %v", s, err)
			}
			target.PodUID += "'" // it is not at rest
			if _, err := c.Apply(t.Context(), target, request()); ClassOf(err) != tc.want || err == nil {
				t.Errorf("Apply: %v", err)
			}
		})
	}
	if d, err := u.Store.Desired(); d != nil || err != nil {
		t.Errorf("what was meant for others arrived: %+v, %v", d, err)
	}
	if _, err := c.Status(t.Context(), unit()); err != nil {
		t.Errorf("the unit itself: %v", err)
	}
}

func TestErrorsHaveAClass(t *testing.T) {
	n := newNetwork(t)
	s := &stub{}
	n.stub(t, unit(), s)
	for code, want := range map[codes.Code]Class{
		codes.InvalidArgument:    Final,
		codes.Unimplemented:      Final,
		codes.OutOfRange:         Final,
		codes.FailedPrecondition: StaleFence,
		codes.ResourceExhausted:  Busy,
		codes.AlreadyExists:      Busy,
		codes.Unavailable:        Unavailable,
		codes.DeadlineExceeded:   Unavailable,
		codes.Canceled:           Unavailable,
		codes.Internal:           Unavailable,
		codes.Unknown:            Unavailable,
		codes.PermissionDenied:   Unavailable,
		codes.Unauthenticated:    Unavailable,
	} {
		t.Run(code.String(), func(t *testing.T) {
			s.answer = func() error { return status.Error(code, "so it is") }
			_, err := n.client(t, clock.RealClock{}).Status(t.Context(), unit())
			if ClassOf(err) != want {
				t.Errorf("got %s", ClassOf(err))
			}
			if Failed(err) != (code == codes.Internal) {
				t.Errorf("the agent failed: %v", Failed(err))
			}
			if err == nil || !strings.Contains(err.Error(), "so it is") || !strings.Contains(err.Error(), "ns/u-0") || strings.Contains(err.Error(), "rpc error") {
				t.Errorf("message %v", err)
			}
			for _, is := range []struct {
				class Class
				says  bool
			}{{Unavailable, IsUnavailable(err)}, {Busy, IsBusy(err)}, {StaleFence, IsStaleFence(err)}, {Final, IsFinal(err)}} {
				if is.says != (is.class == want) {
					t.Errorf("%s: %v", is.class, is.says)
				}
			}
		})
	}
	if IsUnavailable(nil) || IsBusy(nil) || IsStaleFence(nil) || IsFinal(nil) {
		t.Error("no error has a class")
	}
	if c := ClassOf(fmt.Errorf("syncing: %w", &Error{Class: Busy, Err: errors.New("x")})); c != Busy {
		t.Errorf("wrapped: %s", c)
	}
}

func TestErrorsDoNotQuoteTheConfiguration(t *testing.T) {
	n := newNetwork(t)
	n.agent(t)
	c := n.client(t, clock.RealClock{})
	if _, err := c.Apply(t.Context(), unit(), request()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ApplyRequest, *Target){
		"other content under a known hash": func(r *ApplyRequest, _ *Target) { r.Files["fake.conf"] = []byte("swordfish2") },
		"a bad file name":                  func(r *ApplyRequest, _ *Target) { r.Files["../x"] = []byte("swordfish") },
		"an old generation":                func(r *ApplyRequest, _ *Target) { r.Generation = 1 },
		"nobody there":                     func(_ *ApplyRequest, t *Target) { t.PodIP = "10.0.0.9" },
	} {
		t.Run(name, func(t *testing.T) {
			r, target := request(), unit()
			change(&r, &target)
			_, err := c.Apply(t.Context(), target, r)
			if err == nil {
				t.Fatal("no error")
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "swordfish") {
				t.Error(text)
			}
		})
	}
}

func TestAUnitWithoutAPodIsNotDialled(t *testing.T) {
	n := newNetwork(t)
	if _, err := n.client(t, clock.RealClock{}).Status(t.Context(), Target{Namespace: "ns", Unit: "u-0"}); !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if n.dialled() != 0 {
		t.Error("it was")
	}
}

func TestCallsAreObserved(t *testing.T) {
	n := newNetwork(t)
	s := &stub{}
	n.stub(t, unit(), s)
	c := n.client(t, clock.RealClock{})
	var seen []string
	c.observe = func(method, code string, _ time.Duration) { seen = append(seen, method+" "+code) }
	_, _ = c.Status(t.Context(), unit())
	s.answer = func() error { return status.Error(codes.FailedPrecondition, "x") }
	_, _ = c.Status(t.Context(), unit())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = c.Status(ended, unit())
	if diff := cmp.Diff([]string{"GetStatus OK", "GetStatus FailedPrecondition", "GetStatus Canceled"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	r := StartOperation{OperationRef: OperationRef{ID: "op-1"}, Secrets: Secrets{"s3.secretKey": []byte("swordfish")}}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprint(r), fmt.Sprintf("%+v %#v", r, r), fmt.Sprintf("%+v", &r), string(raw)} {
		if !strings.Contains(printed, "op-1") || !strings.Contains(printed, "(secrets)") || strings.Contains(printed, "swordfish") || strings.Contains(printed, "115 119 111") {
			t.Errorf("%s", printed)
		}
	}
}

func TestWhoWasOvertakenIsTold(t *testing.T) {
	n := newNetwork(t)
	n.agent(t)
	var by []Order
	c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: n, Overtaken: func(o Order) { by = append(by, o) }})
	t.Cleanup(c.Close)
	for _, term := range []int64{5, 4} {
		r := request()
		r.Term, r.Seq = term, 1
		if _, err := c.Apply(t.Context(), unit(), r); (err == nil) != (term == 5) {
			t.Errorf("term %d: %v", term, err)
		}
	}
	if diff := cmp.Diff([]Order{{Term: 5, Seq: 1}}, by); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
