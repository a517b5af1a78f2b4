// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"testing"

	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// Unit is the target of RealAgent.
var Unit = unit

// RealAgent is a client of a real agent.
func RealAgent(t *testing.T) Interface {
	t.Helper()
	n := newNetwork(t)
	n.agent(t)
	return n.client(t, clock.RealClock{})
}

// RealOperations is a client of a real agent with the actions given, and how to start
// that agent anew.
func RealOperations(t *testing.T, actions map[string]operations.Action) (client *Client, restart func()) {
	t.Helper()
	n := newNetwork(t)
	u := agenttest.NewUnit(t, false)
	n.writeLeaf(t, u.Env.TLSDir, unit())
	end := n.serve(t, u, actions)
	client = n.client(t, clock.RealClock{})
	return client, func() {
		end()
		client.Forget(unit().PodUID)
		end = n.serve(t, u, actions)
	}
}
