// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agentclient/fake"
)

// TestACallThatCameTooLateIsToldAfterWhich: both say which call was accepted before.
func TestACallThatCameTooLateIsToldAfterWhich(t *testing.T) {
	target := agentclient.Unit()
	for name, c := range map[string]agentclient.Interface{"the real agent": agentclient.RealAgent(t), "the fake": fake.New()} {
		t.Run(name, func(t *testing.T) {
			fence := func(term, seq, epoch int64) error {
				_, err := c.SetHold(t.Context(), target, agentclient.Hold{Name: "fence", Held: true, Epoch: epoch, ReplicationUID: "r1", Term: term, Seq: seq})
				return err
			}
			if _, err := c.Apply(t.Context(), target, agentclient.ApplyRequest{
				Generation: 3, ConfigHash: "h1", Files: map[string][]byte{"fake.conf": []byte("one")}, Owner: "r1", Managed: true,
			}); err != nil {
				t.Fatal(err)
			}
			if err := fence(9, 4, 2); err != nil {
				t.Fatal(err)
			}
			late, ok := errors.AsType[*agentclient.Error](fence(8, 77, 2))
			if !ok || late.Class != agentclient.StaleFence {
				t.Fatalf("a former leader's call: %v", late)
			}
			if diff := cmp.Diff(&agentclient.Order{Term: 9, Seq: 4}, late.Later); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			older, ok := errors.AsType[*agentclient.Error](fence(9, 5, 1))
			if !ok || older.Class != agentclient.StaleFence || older.Later != nil {
				t.Errorf("an older epoch is no matter of the order: %+v", older)
			}
		})
	}
}

// TestTheFakeIsFencedLikeTheRealAgent makes the same calls to both.
func TestTheFakeIsFencedLikeTheRealAgent(t *testing.T) {
	target := agentclient.Unit()
	apply := func(c agentclient.Interface, generation int64, held bool) (*agentclient.Status, error) {
		return c.Apply(context.Background(), target, agentclient.ApplyRequest{
			Generation: generation, ConfigHash: "h1", Files: map[string][]byte{"fake.conf": []byte("one")}, StartupHold: held,
		})
	}
	hold := func(c agentclient.Interface, name string, held bool, epoch, generation int64) (*agentclient.Status, error) {
		return c.SetHold(context.Background(), target, agentclient.Hold{Name: name, Held: held, Epoch: epoch, Generation: generation})
	}
	type outcome struct {
		Class             agentclient.Class
		Epoch, Generation int64
		Holds             []string
		State             agentclient.ServerState
	}
	steps := []struct {
		name string
		call func(agentclient.Interface) (*agentclient.Status, error)
		want outcome
	}{
		{"a hold before any Apply is kept, and is no Apply",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "fence", true, 4, 0) },
			outcome{Epoch: 4, Holds: []string{"fence"}, State: agentclient.StateWaiting}},
		{"Apply does not lift a fence",
			func(c agentclient.Interface) (*agentclient.Status, error) { return apply(c, 3, false) },
			outcome{Epoch: 4, Generation: 3, Holds: []string{"fence"}, State: agentclient.StateHeld}},
		{"a startup hold comes to the others",
			func(c agentclient.Interface) (*agentclient.Status, error) { return apply(c, 4, true) },
			outcome{Epoch: 4, Generation: 4, Holds: []string{"fence", "startup"}, State: agentclient.StateHeld}},
		{"an older generation is refused",
			func(c agentclient.Interface) (*agentclient.Status, error) { return apply(c, 3, false) },
			outcome{Class: agentclient.StaleFence}},
		{"an older epoch is refused",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "fence", false, 3, 0) },
			outcome{Class: agentclient.StaleFence}},
		{"an older generation sets no hold",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "upgrade", true, 0, 3) },
			outcome{Class: agentclient.StaleFence}},
		{"an upgrade without a place among its writer's calls is nobody's",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "upgrade", true, 0, 4) },
			outcome{Class: agentclient.Final}},
		{"startup is written by Apply only",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "startup", false, 0, 4) },
			outcome{Class: agentclient.Final}},
		{"a fence without an epoch is nobody's",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "fence", false, 0, 4) },
			outcome{Class: agentclient.Final}},
		{"another unit's call is refused",
			func(c agentclient.Interface) (*agentclient.Status, error) {
				other := target
				other.UnitUID = "other"
				_, err := c.SetHold(context.Background(), other, agentclient.Hold{Name: "fence", Epoch: 9})
				if err == nil {
					t.Error("it was not")
				}
				return c.Status(context.Background(), target)
			},
			outcome{Epoch: 4, Generation: 4, Holds: []string{"fence", "startup"}, State: agentclient.StateHeld}},
		{"the same epoch lifts its own hold",
			func(c agentclient.Interface) (*agentclient.Status, error) { return hold(c, "fence", false, 4, 0) },
			outcome{Epoch: 4, Generation: 4, Holds: []string{"startup"}, State: agentclient.StateHeld}},
	}
	for name, c := range map[string]agentclient.Interface{"the real agent": agentclient.RealAgent(t), "the fake": fake.New()} {
		t.Run(name, func(t *testing.T) {
			for _, step := range steps {
				s, err := step.call(c)
				got := outcome{}
				if err != nil {
					got.Class = agentclient.ClassOf(err)
				} else {
					got = outcome{Epoch: s.Epoch, Generation: s.Generation, Holds: s.Holds, State: s.State}
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", step.name, diff)
				}
			}
		})
	}
}
