// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Replacing is a unit and an action that replaces its data: what every engine's restores
// and clones of a whole server have to do alike.
type Replacing struct {
	*Operated
	Action operations.Action
	// Op is one more operation of the action.
	Op func() *optest.Op
	// Change the data as a client does. Sum says what the data is.
	Change func(t *testing.T)
	Sum    func(t *testing.T) string
	// New is the sum of the data that the action brings.
	New string
	// Clean fails if anything was left beside the data.
	Clean func(t *testing.T)
}

// end of an operation whose agent has ended.
type end string

const (
	takenUp end = "taken up"
	givenUp end = "given up"
)

var errAgentEnded = errors.New("the agent ended")

// Conform runs the conformance tests of the engine.
func (r Replacing) Conform(t *testing.T) {
	t.Run("a server that does not run on the new data gets the old back", func(t *testing.T) {
		for step, why := range map[string]error{
			"start":    fmt.Errorf("%w: the test says so", operations.ErrNotStarted),
			"identity": errors.New("no space"),
		} {
			r.Change(t)
			want, id := r.Sum(t), r.id(t)
			r.once(step, func() error { return why })
			_, err := r.Action.Run(t.Context(), r.Op())
			if operations.ReasonOf(err) != operation.ReasonNewDataNotServing {
				t.Errorf("%s: %v", step, err)
			}
			if got := r.Sum(t); got != want {
				t.Errorf("%s: the data is %s, want %s", step, got, want)
			}
			if got := r.Identities[len(r.Identities)-1]; got != id || r.id(t) != id {
				t.Errorf("%s: the identity is %s, want %s", step, got, id)
			}
			r.Clean(t)
		}
	})
	t.Run("an agent that ends before the server was let go", func(t *testing.T) {
		for _, how := range []end{takenUp, givenUp} {
			r.Change(t)
			want := r.Sum(t)
			if how == takenUp {
				want = r.New
			}
			if err := r.interrupted(t, "identity", how); err != nil {
				t.Errorf("%s: %v", how, err)
			}
			if got := r.Sum(t); got != want {
				t.Errorf("%s: the data is %s, want %s", how, got, want)
			}
			r.Clean(t)
		}
	})
	t.Run("an agent that ends when the server has been let go", func(t *testing.T) {
		for _, how := range []end{takenUp, givenUp} {
			r.Change(t)
			var acknowledged string
			r.Started = func() error {
				r.Started = nil
				if got := r.Sum(t); got != r.New {
					t.Errorf("%s: the server runs on %s, want %s", how, got, r.New)
				}
				r.Change(t)
				acknowledged = r.Sum(t)
				return errAgentEnded
			}
			err := r.interrupted(t, "", how)
			if how == takenUp && err != nil || how == givenUp && operations.ReasonOf(err) != operation.ReasonTooLate {
				t.Errorf("%s: %v", how, err)
			}
			if got := r.Sum(t); got != acknowledged {
				t.Errorf("%s: what a client has written since is gone: %s, want %s", how, got, acknowledged)
			}
			r.Clean(t)
		}
	})
}

// id of the data that serves.
func (r Replacing) id(t *testing.T) string {
	t.Helper()
	o, err := r.Engine.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o.SystemID
}

// once asks fault at the next step of the name.
func (r Replacing) once(step string, fault func() error) {
	r.Fault = func(name string) error {
		if name != step {
			return nil
		}
		r.Fault = nil
		return fault()
	}
}

// interrupted runs the action of an agent that ends at a step, or when its server has been
// started, and what the next agent does with the operation.
func (r Replacing) interrupted(t *testing.T, step string, how end) error {
	t.Helper()
	ctx, agentEnds := context.WithCancel(t.Context())
	defer agentEnds()
	if step != "" {
		r.once(step, func() error { agentEnds(); return errAgentEnded })
	} else {
		started := r.Started
		r.Started = func() error { defer agentEnds(); return started() }
	}
	op := r.Op()
	if _, err := r.Action.Run(ctx, op); !errors.Is(err, errAgentEnded) {
		t.Fatalf("the agent has not ended: %v", err)
	}
	r.Fault, r.Started = nil, nil
	if phase, _ := op.Phase(); r.Action.(operations.Recoverer).Recover(phase) != operations.RecoverAtOnce {
		t.Errorf("in phase %s it is not taken up at once", phase)
	}
	if how == givenUp {
		return r.Action.(operations.Abandoner).Abandon(t.Context(), op)
	}
	_, err := r.Action.Run(t.Context(), op)
	return err
}
