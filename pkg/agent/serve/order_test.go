// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// ownerHold is a call of a Replication.
func ownerHold(held bool, uid string, term, seq, epoch int64) *agentv1.SetHoldRequest {
	return &agentv1.SetHoldRequest{
		Fence: &agentv1.Fence{PodUid: "pod-uid", UnitUid: "unit-uid", ReplicationUid: uid, Term: term, Seq: seq, Epoch: epoch},
		Name:  "fence", Held: held,
	}
}

func ordered(term, seq int64, change ...func(*agentv1.ApplyRequest)) *agentv1.ApplyRequest {
	r := apply(change...)
	r.Fence.Term, r.Fence.Seq = term, seq
	return r
}

func owner(uid string) func(*agentv1.ApplyRequest) {
	return func(r *agentv1.ApplyRequest) { r.OwnerReplicationUid, r.Managed = uid, uid != "" }
}

// TestCallsAreOrdered: each step is a call, made one after the other to one agent.
func TestCallsAreOrdered(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	for _, step := range []struct {
		name string
		call any
		want codes.Code
		// holds after it.
		holds []string
	}{
		{"a Replication before any Apply has named it", ownerHold(true, "r1", 1, 1, 1), codes.FailedPrecondition, nil},
		{"an Apply of the time before terms", apply(owner("r1")), codes.OK, nil},
		{"the first with a term", ordered(3, 7, owner("r1")), codes.OK, nil},
		{"one without a term after it", apply(owner("")), codes.FailedPrecondition, nil},
		{"one that was overtaken", ordered(3, 6, owner("")), codes.FailedPrecondition, nil},
		{"one of an earlier leader, with a higher seq", ordered(2, 900, owner("")), codes.FailedPrecondition, nil},
		{"the last one again", ordered(3, 7, owner("r1")), codes.OK, nil},
		{"another one by the number of the last", ordered(3, 7, owner("r1"), func(r *agentv1.ApplyRequest) { r.StartupHold = true }), codes.FailedPrecondition, nil},
		{"the owner's numbers are its own", ownerHold(true, "r1", 1, 1, 5), codes.OK, []string{"fence"}},
		{"another Replication, whatever its epoch", ownerHold(false, "r2", 9, 9, 99), codes.FailedPrecondition, []string{"fence"}},
		{"a Replication that gives no name", fenceHold(false, 99), codes.FailedPrecondition, []string{"fence"}},
		{"a later call of the owner", ownerHold(false, "r1", 1, 3, 5), codes.OK, nil},
		{"the first one, delayed and doubled", ownerHold(true, "r1", 1, 1, 5), codes.FailedPrecondition, nil},
		{"a later number at an older epoch", ownerHold(true, "r1", 1, 4, 4), codes.FailedPrecondition, nil},
		{"without a term", ownerHold(true, "r1", 0, 0, 5), codes.FailedPrecondition, nil},
		{"the fence before another takes over", ownerHold(true, "r1", 1, 5, 6), codes.OK, []string{"fence"}},
		{"another owner is named", ordered(3, 8, owner("r2")), codes.OK, []string{"fence"}},
		{"the former owner, with a higher epoch", ownerHold(false, "r1", 1, 6, 7), codes.FailedPrecondition, []string{"fence"}},
		{"the new owner at an epoch seen already", ownerHold(false, "r2", 1, 7, 6), codes.FailedPrecondition, []string{"fence"}},
		{"the new owner lifts its predecessor's fence", ownerHold(false, "r2", 0, 1, 7), codes.OK, nil},
		{"its retry", ownerHold(false, "r2", 0, 1, 7), codes.OK, nil},
		{"a next leader", ordered(4, 1, owner("r2")), codes.OK, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			var err error
			switch r := step.call.(type) {
			case *agentv1.ApplyRequest:
				_, err = a.client.Apply(t.Context(), r)
			case *agentv1.SetHoldRequest:
				_, err = a.client.SetHold(t.Context(), r)
			}
			if status.Code(err) != step.want {
				t.Errorf("got %v, want %s", err, step.want)
			}
			s, err := a.client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.holds, s.GetHolds()); diff != "" {
				t.Errorf("holds (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARetryChangesNothingThatOthersHaveChangedSince(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	for _, call := range []func() error{
		func() error { _, err := a.client.Apply(t.Context(), ordered(1, 1, owner("r1"))); return err },
		func() error { _, err := a.client.SetHold(t.Context(), ownerHold(true, "r1", 1, 2, 3)); return err },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	before, err := u.Store.Desired()
	if err != nil {
		t.Fatal(err)
	}
	// By another agent: what was accepted is known from the file.
	b := newAgent(t, u, state.Files{}, nil)
	if _, err := b.client.Apply(t.Context(), ordered(1, 1, owner("r1"))); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.SetHold(t.Context(), ownerHold(true, "r1", 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	after, err := u.Store.Desired()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a retry changed (-before +after):\n%s", diff)
	}
}

func TestApplyInParts(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	a := newAgent(t, u, state.Files{}, nil)
	bare := func(change ...func(*agentv1.ApplyRequest)) *agentv1.ApplyRequest {
		return apply(append([]func(*agentv1.ApplyRequest){func(r *agentv1.ApplyRequest) { r.Configuration = nil }}, change...)...)
	}
	first, err := a.client.Apply(t.Context(), bare(func(r *agentv1.ApplyRequest) { r.StartupHold = true }, owner("r1")))
	if err != nil {
		t.Fatal(err)
	}
	if s := first.GetStatus(); s.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_WAITING || s.GetOwnerReplicationUid() != "r1" ||
		s.GetHolds()[0] != "startup" || s.GetServer().GetMessage() == "" {
		t.Errorf("a pod that never got a configuration: %v", s)
	}
	if _, err := a.client.Apply(t.Context(), apply(owner("r1"))); err != nil {
		t.Fatal(err)
	}
	later, err := a.client.Apply(t.Context(), bare(func(r *agentv1.ApplyRequest) { r.StartupHold = true }, owner("")))
	if err != nil {
		t.Fatal(err)
	}
	if s := later.GetStatus(); s.GetConfiguration().GetAppliedHash() != "h1" || s.GetServer().GetState() != agentv1.ServerState_SERVER_STATE_HELD || s.GetOwnerReplicationUid() != "" {
		t.Errorf("without a configuration: %v", s)
	}
	if d, err := u.Store.Desired(); err != nil || !d.Applied || d.Role != engine.RoleStandalone {
		t.Errorf("desired %+v, %v", d, err)
	}
}

func TestApplyNeverWritesARole(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	record := engine.RoleRecord{ReplicationUID: "r1", Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleSource, Open: true}
	u.Desire(func(d *state.Desired) {
		d.OwnerUID, d.Managed, d.Record, d.Role, d.Epoch = "r1", true, record, engine.RoleSource, 3
	})
	a := newAgent(t, u, state.Files{}, nil)
	replica := &agentv1.Released{ReplicationUid: "r1", Role: agentv1.Role_ROLE_REPLICA, Upstream: &agentv1.Upstream{Host: "h", Port: 3306}}
	for _, step := range []struct {
		name    string
		change  func(*agentv1.ApplyRequest)
		role    agentv1.Role
		restart int64
	}{
		{"the owner is confirmed", owner("r1"), agentv1.Role_ROLE_SOURCE, 0},
		{"a new owner that has not spoken", owner("r2"), agentv1.Role_ROLE_SOURCE, 0},
		{"no owner any more", owner(""), agentv1.Role_ROLE_SOURCE, 0},
		{"released as the source", func(r *agentv1.ApplyRequest) { r.Released = &agentv1.Released{Role: agentv1.Role_ROLE_SOURCE} }, agentv1.Role_ROLE_SOURCE, 0},
		{"released as a replica, for another has taken its place: it is stopped at once", func(r *agentv1.ApplyRequest) { r.Released = replica }, agentv1.Role_ROLE_REPLICA, 1},
		{"the same again", func(r *agentv1.ApplyRequest) { r.Released = replica }, agentv1.Role_ROLE_REPLICA, 1},
	} {
		t.Run(step.name, func(t *testing.T) {
			r, err := a.client.Apply(t.Context(), apply(step.change))
			if err != nil {
				t.Fatal(err)
			}
			d, err := u.Store.Desired()
			if err != nil {
				t.Fatal(err)
			}
			if r.GetStatus().GetRole() != step.role || d.RestartOrder != step.restart {
				t.Errorf("role %s, restart order %d; want %s, %d", r.GetStatus().GetRole(), d.RestartOrder, step.role, step.restart)
			}
			if diff := cmp.Diff(record, d.Record); diff != "" {
				t.Errorf("the record was changed:\n%s", diff)
			}
		})
	}
	t.Run("a new owner does not bring back the source that it was", func(t *testing.T) {
		r, err := a.client.Apply(t.Context(), apply(owner("r2")))
		if err != nil {
			t.Fatal(err)
		}
		if role := r.GetStatus().GetRole(); role != agentv1.Role_ROLE_REPLICA {
			t.Errorf("role %s", role)
		}
	})
	for name, change := range map[string]func(*agentv1.ApplyRequest){
		"released by its owner":   func(r *agentv1.ApplyRequest) { r.OwnerReplicationUid, r.Released = "r1", replica },
		"released without a role": func(r *agentv1.ApplyRequest) { r.Released = &agentv1.Released{} },
		"a Replication's Apply":   func(r *agentv1.ApplyRequest) { r.Fence.ReplicationUid, r.Fence.Epoch = "r1", 9 },
	} {
		if _, err := a.client.Apply(t.Context(), apply(change)); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One Replication goes and the next one comes before the agent hears of either.
func TestAnotherOwnerInOneStep(t *testing.T) {
	left := func(role agentv1.Role) func(*agentv1.ApplyRequest) {
		return func(r *agentv1.ApplyRequest) {
			r.OwnerReplicationUid, r.Released = "r2", &agentv1.Released{ReplicationUid: "r1", Role: role}
		}
	}
	for name, tc := range map[string]struct {
		recordOf string
		left     agentv1.Role
		want     agentv1.Role
		restart  int64
	}{
		"the source stays one":                              {"r1", agentv1.Role_ROLE_SOURCE, agentv1.Role_ROLE_SOURCE, 0},
		"a source whose place was taken is stopped":         {"r1", agentv1.Role_ROLE_REPLICA, agentv1.Role_ROLE_REPLICA, 1},
		"one that the new owner has promoted meanwhile not": {"r2", agentv1.Role_ROLE_REPLICA, agentv1.Role_ROLE_SOURCE, 0},
	} {
		t.Run(name, func(t *testing.T) {
			u := agenttest.NewUnit(t, false)
			u.Desire(func(d *state.Desired) {
				d.OwnerUID, d.Managed, d.Role, d.Epoch = tc.recordOf, true, engine.RoleSource, 3
				d.Record = engine.RoleRecord{ReplicationUID: tc.recordOf, Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleSource, Open: true}
			})
			a := newAgent(t, u, state.Files{}, nil)
			for range 2 {
				r, err := a.client.Apply(t.Context(), apply(left(tc.left)))
				if err != nil {
					t.Fatal(err)
				}
				d, err := u.Store.Desired()
				if err != nil {
					t.Fatal(err)
				}
				if r.GetStatus().GetRole() != tc.want || d.RestartOrder != tc.restart || d.Released != nil || d.OwnerUID != "r2" {
					t.Errorf("role %s, desired %+v", r.GetStatus().GetRole(), d)
				}
			}
			// What was left is not said any more once the owner has a source.
			r, err := a.client.Apply(t.Context(), apply(owner("r2")))
			if err != nil {
				t.Fatal(err)
			}
			if r.GetStatus().GetRole() != tc.want {
				t.Errorf("role %s in the end", r.GetStatus().GetRole())
			}
		})
	}
}

func TestTheRecordIsToldWhole(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	u.Desire(func(d *state.Desired) {
		d.OwnerUID = "r1"
		d.Record = engine.RoleRecord{
			ReplicationUID: "r1", Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleReplica, DataGeneration: 4,
			Upstream:   &engine.Upstream{Name: "u-1", Host: "h", Port: 5, ServerID: "s", Timeline: 6, DataGeneration: 7, Slot: "sl", User: "us"},
			Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: []engine.DurabilityMember{{Name: "u-2", UnitUID: "x", ServerID: "y"}}},
		}
	})
	s, err := newAgent(t, u, state.Files{}, nil).client.GetStatus(t.Context(), &agentv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r := s.GetRecord()
	if r.GetReplicationUid() != "r1" || r.GetTerm() != 1 || r.GetSeq() != 2 || r.GetEpoch() != 3 || r.GetRole() != agentv1.Role_ROLE_REPLICA ||
		r.GetDataGeneration() != 4 || r.GetUpstream().GetHost() != "h" || r.GetUpstream().GetPort() != 5 || r.GetUpstream().GetServerId() != "s" ||
		r.GetUpstream().GetTimeline() != 6 || r.GetUpstream().GetDataGeneration() != 7 || r.GetUpstream().GetSlot() != "sl" || r.GetUpstream().GetUser() != "us" ||
		r.GetDurability().GetMode() != agentv1.DurabilityMode_DURABILITY_MODE_SYNC || r.GetDurability().GetW() != 1 || r.GetDurability().GetMembers()[0].GetServerId() != "y" {
		t.Errorf("record %v", r)
	}
}

// The Replication is gone and has lifted its fence nowhere.
func TestTheFenceOfAReplicationThatIsGoneIsLifted(t *testing.T) {
	source := engine.RoleRecord{ReplicationUID: "r1", Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleSource, Open: true}
	replica := engine.RoleRecord{ReplicationUID: "r1", Term: 1, Seq: 2, Epoch: 3, Role: engine.RoleReplica, Upstream: &engine.Upstream{Host: "h", Port: 1}}
	for name, tc := range map[string]struct {
		record  engine.RoleRecord
		owner   string
		called  string
		request func(*agentv1.ApplyRequest)
		holds   []string
		role    engine.Role
	}{
		"released by nobody: a source does not open again":        {source, "r1", "r1", owner(""), nil, engine.RoleIsolated},
		"released by nobody: a replica goes on":                   {replica, "r1", "r1", owner(""), nil, engine.RoleReplica},
		"an earlier Apply had left the fence in its place":        {replica, "", "r1", owner(""), nil, engine.RoleReplica},
		"released as the source":                                  {source, "r1", "r1", released(agentv1.Role_ROLE_SOURCE), nil, engine.RoleSource},
		"its Replication is there":                                {source, "r1", "r1", owner("r1"), []string{"fence"}, engine.RoleSource},
		"the next Replication lifts it itself":                    {source, "r1", "r1", owner("r2"), []string{"fence"}, engine.RoleSource},
		"one that came before any owner was named waits for that": {engine.RoleRecord{}, "", "", owner(""), []string{"fence"}, engine.RoleStandalone},
	} {
		t.Run(name, func(t *testing.T) {
			u := agenttest.NewUnit(t, false)
			u.Desire(func(d *state.Desired) {
				d.OwnerUID, d.Managed, d.Record, d.Epoch, d.Holds = tc.owner, true, tc.record, 3, []string{"fence"}
				if tc.called != "" {
					d.Owner = state.Writer{UID: tc.called, Term: 1, Seq: 2}
				}
			})
			a := newAgent(t, u, state.Files{}, nil)
			if _, err := a.client.Apply(t.Context(), apply(tc.request)); err != nil {
				t.Fatal(err)
			}
			d, err := u.Store.Desired()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.holds, d.Holds, cmpopts.EquateEmpty()); diff != "" || d.Role != tc.role {
				t.Errorf("role %s, want %s; holds (-want +got):\n%s", d.Role, tc.role, diff)
			}
			if d.Role == engine.RoleIsolated && (d.Record.Open || !d.ReadOnlyStart()) {
				t.Errorf("it opens: %+v", d.Record)
			}
		})
	}
}

func released(role agentv1.Role) func(*agentv1.ApplyRequest) {
	return func(r *agentv1.ApplyRequest) { r.Released = &agentv1.Released{ReplicationUid: "r1", Role: role} }
}

func TestTheEpochOutlivesItsReplicationInANewPod(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	for _, step := range []struct {
		name string
		call any
		want codes.Code
	}{
		{"what its Replication left", apply(released(agentv1.Role_ROLE_SOURCE), func(r *agentv1.ApplyRequest) { r.Released.Epoch = 50 }), codes.OK},
		{"the next owner", apply(owner("r2")), codes.OK},
		{"at an epoch that the first had seen", ownerHold(true, "r2", 1, 1, 50), codes.FailedPrecondition},
		{"above it", ownerHold(true, "r2", 1, 2, 51), codes.OK},
	} {
		var err error
		switch r := step.call.(type) {
		case *agentv1.ApplyRequest:
			_, err = a.client.Apply(t.Context(), r)
		case *agentv1.SetHoldRequest:
			_, err = a.client.SetHold(t.Context(), r)
		}
		if status.Code(err) != step.want {
			t.Errorf("%s: %v, want %s", step.name, err, step.want)
		}
	}
}

func TestAnUpgradesHoldHasAPlaceAmongTheCalls(t *testing.T) {
	a := newAgent(t, agenttest.NewUnit(t, false), state.Files{}, nil)
	for _, step := range []struct {
		name string
		held bool
		seq  int64
		want codes.Code
	}{
		{"none", true, 0, codes.InvalidArgument},
		{"the first", true, 4, codes.OK},
		{"lifted", false, 5, codes.OK},
		{"the first again, delayed", true, 4, codes.FailedPrecondition},
	} {
		_, err := a.client.SetHold(t.Context(), &agentv1.SetHoldRequest{
			Fence: &agentv1.Fence{PodUid: "pod-uid", UnitUid: "unit-uid", UnitGeneration: 3, Term: 1 * min(step.seq, 1), Seq: step.seq},
			Name:  "upgrade", Held: step.held,
		})
		if status.Code(err) != step.want {
			t.Errorf("%s: %v, want %s", step.name, err, step.want)
		}
	}
}
