// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// What needs a disk of the real agent: the gate's outcomes, in its own words in
// pkg/agent/gate.
func TestDataThatIsExpectedDecides(t *testing.T) {
	for _, tc := range []struct {
		name              string
		found             string
		expected, givenUp string
		want              agentclient.ServerState
	}{
		{"nothing there, nothing expected: made", "", "", "", agentclient.StateRunning},
		{"nothing there, one expected", "", "A", "", agentclient.StateDataMissing},
		{"nothing there, the one expected given up: made", "", "A", "A", agentclient.StateRunning},
		{"nothing there, another given up", "", "A", "B", agentclient.StateDataMissing},
		{"the one expected", "A", "A", "", agentclient.StateRunning},
		{"another one", "B", "A", "", agentclient.StateDataMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := agentclient.Target{Namespace: "ns", Unit: "u-0", UnitUID: "u", Pod: "u-0", PodUID: "p", PodIP: "10.0.0.1"}
			agents := New()
			agents.With("p", func(a *Agent) {
				if tc.found != "" {
					a.Status.Data = &agentclient.DataIdentity{SystemID: tc.found}
				}
			})
			r := agentclient.ApplyRequest{Generation: 1, ConfigHash: "h", Files: map[string][]byte{"my.cnf": nil}, GivenUpSystemID: tc.givenUp}
			if tc.expected != "" {
				r.Expected = &agentclient.DataIdentity{SystemID: tc.expected}
			}
			s, err := agents.Apply(t.Context(), target, r)
			if err != nil || s.State != tc.want {
				t.Fatalf("%+v, %v", s, err)
			}
			if made := s.Data != nil && tc.found == ""; made != (tc.found == "" && tc.want == agentclient.StateRunning) {
				t.Errorf("data %+v", s.Data)
			}
		})
	}
}
