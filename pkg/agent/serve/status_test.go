// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

func TestServerStatus(t *testing.T) {
	applied := &state.Desired{PodUID: "pod", UnitUID: "unit", Applied: true}
	held := &state.Desired{PodUID: "pod", UnitUID: "unit", Applied: true, Holds: []string{"fence"}}
	saw := func(s state.ServerState, message string) *state.Observed {
		return &state.Observed{PodUID: "pod", State: s, Message: message}
	}
	answer := &engine.Observation{Version: "8.4.6", Writable: true}
	silent := errors.New("connection refused")
	for _, tc := range []struct {
		name     string
		facts    facts
		want     agentv1.ServerState
		message  string
		writable bool
		down     bool
	}{
		{
			name:  "a new pod whose database container is not up",
			facts: facts{}, want: agentv1.ServerState_SERVER_STATE_WAITING, down: true,
		},
		{
			name:  "applied, the database container is not up yet",
			facts: facts{desired: applied}, want: agentv1.ServerState_SERVER_STATE_STARTING, message: "has not started yet", down: true,
		},
		{
			name:  "held, the database container is not up: it is down and will stay down",
			facts: facts{desired: held, observed: saw(state.StateRunning, "")}, want: agentv1.ServerState_SERVER_STATE_HELD, message: "fence", down: true,
		},
		{
			name:  "between two runs of the database container",
			facts: facts{desired: applied, observed: saw(state.StateFailed, "the server ended by itself: signal: killed")}, want: agentv1.ServerState_SERVER_STATE_FAILED, message: "killed", down: true,
		},
		{
			name:  "what a killed supervise wrote last is not believed",
			facts: facts{desired: applied, observed: saw(state.StateRunning, "")}, want: agentv1.ServerState_SERVER_STATE_FAILED, down: true,
		},
		{
			name:  "a hold is no proof while a server that lost its supervise still has the volume",
			facts: facts{desired: held, observed: saw(state.StateHeld, "held"), serverLocked: true, answer: answer}, want: agentv1.ServerState_SERVER_STATE_RUNNING, writable: true,
		},
		{
			name:  "a server that lost its supervise and does not answer is not down",
			facts: facts{desired: held, observed: saw(state.StateHeld, "held"), serverLocked: true, answerError: silent}, want: agentv1.ServerState_SERVER_STATE_STARTING,
		},
		{
			name:  "supervise says held",
			facts: facts{desired: held, supervised: true, serverLocked: true, observed: saw(state.StateHeld, "held by fence")}, want: agentv1.ServerState_SERVER_STATE_HELD, message: "fence", down: true,
		},
		{
			name:  "a hold that supervise has not seen yet does not make a server down",
			facts: facts{desired: held, supervised: true, serverLocked: true, observed: saw(state.StateRunning, ""), answer: answer}, want: agentv1.ServerState_SERVER_STATE_RUNNING, writable: true,
		},
		{
			name:  "recovery",
			facts: facts{desired: applied, supervised: true, serverLocked: true, observed: saw(state.StateStarting, "started"), answerError: silent}, want: agentv1.ServerState_SERVER_STATE_STARTING, down: true,
		},
		{
			name:  "the server answers before supervise has noticed",
			facts: facts{desired: applied, supervised: true, serverLocked: true, observed: saw(state.StateStarting, "started"), answer: answer}, want: agentv1.ServerState_SERVER_STATE_RUNNING, writable: true,
		},
		{
			name:  "a server that hangs is not running",
			facts: facts{desired: applied, supervised: true, serverLocked: true, observed: saw(state.StateRunning, ""), answerError: silent}, want: agentv1.ServerState_SERVER_STATE_STARTING, message: "connection refused",
		},
		{
			name:  "a stopping server may still accept writes",
			facts: facts{desired: held, supervised: true, serverLocked: true, observed: saw(state.StateStopping, ""), answer: answer}, want: agentv1.ServerState_SERVER_STATE_STOPPING, writable: true,
		},
		{
			name:  "missing data",
			facts: facts{desired: applied, supervised: true, serverLocked: true, observed: saw(state.StateDataMissing, "empty")}, want: agentv1.ServerState_SERVER_STATE_DATA_MISSING, message: "empty", down: true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := serverStatus(tc.facts, "pod", "unit")
			if got.GetState() != tc.want || got.GetWritable() != tc.writable || down(tc.facts) != tc.down || !strings.Contains(got.GetMessage(), tc.message) {
				t.Errorf("got %v, down %v, want state %s, writable %v, down %v, message with %q", got, down(tc.facts), tc.want, tc.writable, tc.down, tc.message)
			}
		})
	}
}
