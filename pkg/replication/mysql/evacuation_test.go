// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

func TestEvacuation(t *testing.T) {
	const restart, remove = v1alpha1.EvacuationRestart, v1alpha1.EvacuationRemove
	// released: the agent of u<i> has recorded that it is isolated and released.
	released := func(i int) edit {
		return func(v *View) {
			isolatedAt(i, 7)(v)
			v.Members[i].Seen.Record.Released, v.Members[i].Seen.Record.Replication = true, ""
		}
	}
	for name, tc := range map[string]struct {
		view   View
		member int
		want   string
	}{
		"a replica may restart at once":                          {with(healthy(3), evacuate(1, restart)), 1, "restart Done "},
		"the source waits for a switchover":                      {with(healthy(3), evacuate(0, restart), deaf(1), deaf(2)), 0, "restart InProgress NoCandidate"},
		"the only member may restart":                            {with(healthy(1), evacuate(0, restart)), 0, "restart Done OnlyMember"},
		"the only member is not removed":                         {with(healthy(1), evacuate(0, remove)), 0, "remove Refused OnlyMember"},
		"a replica that commits wait for is not removed yet":     {with(healthy(3), evacuate(2, remove)), 2, "remove InProgress DurabilityNeedsIt"},
		"the last that acknowledges is not removed":              {with(healthy(2), evacuate(1, remove)), 1, "remove Refused DurabilityNeedsIt"},
		"one that its agent has not released is not removed yet": {with(healthy(3), notPromised(2), isolatedAt(2, 7), evacuate(2, remove)), 2, "remove InProgress Waiting"},
		"one that is released may be removed":                    {with(healthy(3), notPromised(2), released(2), evacuate(2, remove)), 2, "remove Done "},
		"one that has what the source lacks is not removed":      {with(healthy(3), notPromised(2), released(2), evacuate(2, remove), member(2, errant)), 2, "remove Refused ErrantTransactions"},
		"one whose agent is away is not removed":                 {with(healthy(3), notPromised(2), away(2), evacuate(2, remove)), 2, "remove InProgress Unreachable"},
		"one that never ran is":                                  {with(healthy(3), notPromised(2), away(2), evacuate(2, remove), member(2, func(m *Member) { m.PodUID, m.NeverRan = "", true })), 2, "remove Done "},
		"one that is becoming the source is not evacuated":       {with(committed(), evacuate(1, restart)), 1, "restart InProgress InOperation"},
		"nobody asked": {healthy(3), 1, ""},
		"in rpl_async a replica is removed once it is released":   {with(healthy(2), async, released(1), evacuate(1, remove)), 1, "remove Done "},
		"in rpl_async one that still receives is not removed yet": {with(healthy(2), async, evacuate(1, remove)), 1, "remove InProgress Waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			d := &decision{View: tc.view}
			d.Members = append([]Member(nil), tc.view.Members...)
			d.keepLast()
			d.source = d.member(tc.view.Recorded.Source)
			d.derive()
			d.plan = topology.Plan{State: p.State, Message: p.Message}
			got := ""
			if e := d.evacuation(&d.Members[tc.member]); e != nil {
				got = string(e.Request) + " " + string(e.State) + " " + e.Reason
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		view View
		want map[string]topology.Role
	}{
		"source and replicas":                     {healthy(3), map[string]topology.Role{"u0": "source", "u1": "replica", "u2": "replica"}},
		"a source that restarts keeps its label":  {with(healthy(2), serverDown(0)), map[string]topology.Role{"u0": "source", "u1": "replica"}},
		"a source that is seen closed loses it":   {with(healthy(2), member(0, func(m *Member) { m.Seen.ReadOnly = true })), map[string]topology.Role{"u1": "replica"}},
		"a source that lost its data loses it":    {with(healthy(2), lostData), map[string]topology.Role{}},
		"an isolated replica has none":            {with(healthy(2), member(1, func(m *Member) { m.Isolated = true })), map[string]topology.Role{"u0": "source"}},
		"one that does not receive has none":      {with(healthy(2), deaf(1)), map[string]topology.Role{"u0": "source"}},
		"one with errant transactions has none":   {with(healthy(3), member(2, errant)), map[string]topology.Role{"u0": "source", "u1": "replica"}},
		"a second one that takes writes has none": {with(healthy(2), member(1, func(m *Member) { m.Seen.ReadOnly = false })), map[string]topology.Role{"u0": "source"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(tc.view).Labels
			if len(got) != len(tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
			for m, role := range tc.want {
				if got[m] != role {
					t.Errorf("%s: %q, want %q", m, got[m], role)
				}
			}
		})
	}
}
