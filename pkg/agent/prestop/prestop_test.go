// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package prestop

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestPrestopWaitsOnlyForASourceThatServes(t *testing.T) {
	source := &state.Desired{Applied: true, Role: engine.RoleSource, OwnerUID: "r"}
	lately, long := time.Second, time.Hour
	for _, tc := range []struct {
		name    string
		desired *state.Desired
		// called is how long ago the operator called.
		called time.Duration
		waits  bool
	}{
		{"nothing was ever applied", nil, lately, false},
		{"standalone", &state.Desired{Role: engine.RoleStandalone}, lately, false},
		{"replica", &state.Desired{Role: engine.RoleReplica, OwnerUID: "r"}, lately, false},
		{"managed without a role yet", &state.Desired{Role: engine.RoleManaged, OwnerUID: "r"}, lately, false},
		{"source", source, lately, true},
		{"a source that is held down", &state.Desired{Role: engine.RoleSource, OwnerUID: "r", Holds: []string{"fence"}}, lately, false},
		{"a source while the operator is away", source, long, false},
		{"a source that was released", &state.Desired{Role: engine.RoleSource, Record: engine.RoleRecord{Role: engine.RoleSource, Released: true}}, lately, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := state.NewStore(t.TempDir(), state.Files{})
			if tc.desired != nil {
				if err := store.WriteDesired(*tc.desired); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.OperatorCalled(time.Now().Add(-tc.called)); err != nil {
				t.Fatal(err)
			}
			// One that need not wait may be slow all the same.
			limit := time.Minute
			if tc.waits {
				limit = 300 * time.Millisecond
			}
			start := time.Now()
			if err := Run(context.Background(), store, limit); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start) >= limit; waited != tc.waits {
				t.Errorf("waited %v: %v", waited, time.Since(start))
			}
		})
	}
}

func TestPrestopEndsWhenTheRoleHasLeft(t *testing.T) {
	store := state.NewStore(t.TempDir(), state.Files{})
	if err := store.WriteDesired(state.Desired{Role: engine.RoleSource, OwnerUID: "r"}); err != nil {
		t.Fatal(err)
	}
	if err := store.OperatorCalled(time.Now()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Run(context.Background(), store, time.Minute) }()
	select {
	case err := <-done:
		t.Fatalf("ended while it is the source: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := store.WriteDesired(state.Desired{Role: engine.RoleReplica, OwnerUID: "r"}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("still waiting")
	}
}

func TestPrestopFailsRatherThanGuess(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, state.DesiredFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(context.Background(), state.NewStore(dir, state.Files{}), time.Minute); err == nil {
		t.Error("no error")
	}
}
