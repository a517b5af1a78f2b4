// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func desired(change ...func(*state.Desired)) *state.Desired {
	d := &state.Desired{PodUID: "pod", UnitUID: "unit", Applied: true, ConfigHash: "h", ClaimUIDs: map[string]string{"data": "c1"}}
	for _, c := range change {
		c(d)
	}
	return d
}

func holds(names ...string) func(*state.Desired) {
	return func(d *state.Desired) { d.Holds = names }
}

func expects(id string, generation int64) func(*state.Desired) {
	return func(d *state.Desired) { d.Expected = &state.DataIdentity{SystemID: id, DataGeneration: generation} }
}

func givesUp(id string) func(*state.Desired) {
	return func(d *state.Desired) { d.GivenUpSystemID = id }
}

func complete(id string) engine.Data { return engine.Data{State: engine.DataComplete, SystemID: id} }

var none = engine.Data{State: engine.DataNone}

func TestDecide(t *testing.T) {
	claims := map[string]string{"data": "c1"}
	for _, tc := range []struct {
		name   string
		in     Input
		action Action
		reason string
		record *state.DataIdentity
	}{
		{
			name:   "a new pod waits, whatever lies on the volume",
			in:     Input{Data: complete("A")},
			action: Wait, reason: "first configuration",
		},
		{
			name:   "what was applied to another pod is not for this one",
			in:     Input{Desired: desired(func(d *state.Desired) { d.PodUID = "other" }), Data: complete("A")},
			action: Wait, reason: "other",
		},
		{
			name:   "what was applied to another unit is not for this one",
			in:     Input{Desired: desired(func(d *state.Desired) { d.UnitUID = "other" }), Data: none},
			action: Wait, reason: "other",
		},
		{
			name:   "a hold that came before the first Apply does not count as one",
			in:     Input{Desired: desired(holds("fence"), func(d *state.Desired) { d.Applied = false }), Data: none},
			action: Wait, reason: "fence",
		},
		{
			name:   "a hold set and removed before the first Apply does not count as one",
			in:     Input{Desired: desired(func(d *state.Desired) { d.Applied = false }), Data: none},
			action: Wait, reason: "first configuration",
		},
		{
			name:   "one hold keeps the server down",
			in:     Input{Desired: desired(holds("startup")), Data: complete("A")},
			action: Hold, reason: "startup",
		},
		{
			name:   "several holds are all named",
			in:     Input{Desired: desired(holds("fence", "operation:7")), Data: complete("A")},
			action: Hold, reason: "fence, operation:7",
		},
		{
			name:   "a hold keeps an empty volume from being initialised",
			in:     Input{Desired: desired(holds("startup")), Data: none},
			action: Hold,
		},
		{
			name:   "an empty volume where nothing is expected is initialised",
			in:     Input{Desired: desired(), Data: none},
			action: Initialize,
		},
		{
			name:   "an empty volume where the operator expects data is left alone",
			in:     Input{Desired: desired(expects("A", 0)), Data: none},
			action: DataMissing, reason: "A",
		},
		{
			name:   "a missing data directory beside an identity file is left alone",
			in:     Input{Desired: desired(), Data: none, Identity: &state.DataIdentity{SystemID: "A"}},
			action: DataMissing, reason: "identity.json",
		},
		{
			name:   "a volume that vanished under a pod that has run on it is left alone",
			in:     Input{Desired: desired(), Data: none, RanSystemID: "A"},
			action: DataMissing, reason: "this pod's own record",
		},
		{
			name:   "a database that an operation has put in the place of the one expected is started",
			in:     Input{Desired: desired(expects("A", 1)), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "B", DataGeneration: 2, Replaced: []string{"A"}}},
			action: Start,
			record: &state.DataIdentity{SystemID: "B", DataGeneration: 2, ClaimUIDs: claims, Replaced: []string{"A"}},
		},
		{
			name:   "the one that was replaced is not, should it be there",
			in:     Input{Desired: desired(expects("A", 1)), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "B", DataGeneration: 2, Replaced: []string{"A"}}},
			action: DataMissing, reason: "identity.json",
		},
		{
			name:   "another volume's later generation replaces nothing",
			in:     Input{Desired: desired(expects("A", 1)), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "B", DataGeneration: 7, Replaced: []string{"C"}}},
			action: DataMissing, reason: "the unit's status",
		},
		{
			name:   "nor does what was replaced before the operator recorded it",
			in:     Input{Desired: desired(expects("A", 2)), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "B", DataGeneration: 2, Replaced: []string{"A"}}},
			action: DataMissing, reason: "the unit's status",
		},
		{
			name:   "an empty volume is initialised where the database expected was given up",
			in:     Input{Desired: desired(expects("A", 0), givesUp("A")), Data: none, Identity: &state.DataIdentity{SystemID: "A"}, RanSystemID: "A"},
			action: Initialize,
		},
		{
			name:   "giving up one database does not give up another",
			in:     Input{Desired: desired(expects("B", 0), givesUp("A")), Data: none},
			action: DataMissing, reason: "B",
		},
		{
			name:   "nor the one that came after it",
			in:     Input{Desired: desired(givesUp("A")), Data: none, Identity: &state.DataIdentity{SystemID: "B"}, RanSystemID: "B"},
			action: DataMissing, reason: "identity.json",
		},
		{
			name:   "what this pod has run counts where the identity file names the one given up",
			in:     Input{Desired: desired(givesUp("A")), Data: none, Identity: &state.DataIdentity{SystemID: "A"}, RanSystemID: "B"},
			action: DataMissing, reason: "this pod's own record",
		},
		{
			name:   "a database that was given up and is there after all is started",
			in:     Input{Desired: desired(expects("A", 0), givesUp("A")), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "giving up does not touch what is no database",
			in:     Input{Desired: desired(expects("A", 0), givesUp("A")), Data: engine.Data{State: engine.DataUnknown, Message: "half"}},
			action: Refuse, reason: "half",
		},
		{
			name:   "a container restart in the same pod starts by itself",
			in:     Input{Desired: desired(), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims}, RanSystemID: "A"},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "a managed unit starts by itself too",
			in:     Input{Desired: desired(expects("A", 2), func(d *state.Desired) { d.Managed = true; d.Role = engine.RoleSource }), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims, DataGeneration: 2}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims, DataGeneration: 2},
		},
		{
			name:   "a database that needs a role waits for it in a new pod",
			in:     Input{NeedsRole: true, Desired: desired(func(d *state.Desired) { d.Managed, d.OwnerUID = true, "r" }), Data: complete("A")},
			action: Wait, reason: "waiting for a role from its Replication r",
		},
		{
			name:   "a managed one that nobody owns waits for nobody",
			in:     Input{NeedsRole: true, Desired: desired(func(d *state.Desired) { d.Managed = true }), Data: complete("A")},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "an empty volume is initialised before there is a role",
			in:     Input{NeedsRole: true, Desired: desired(func(d *state.Desired) { d.OwnerUID = "r" }), Data: none},
			action: Initialize,
		},
		{
			name: "with its role it starts",
			in: Input{NeedsRole: true, Data: complete("A"), Desired: desired(func(d *state.Desired) {
				d.OwnerUID, d.Record = "r", engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleIsolated}
			})},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name: "in the role of an earlier owner too: it is what the server is",
			in: Input{NeedsRole: true, Data: complete("A"), Desired: desired(func(d *state.Desired) {
				d.OwnerUID, d.Record = "r2", engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleReplica}
			})},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "a released one starts in the role it was released in",
			in:     Input{NeedsRole: true, Desired: desired(func(d *state.Desired) { d.Released = &state.Released{Role: engine.RoleSource} }), Data: complete("A")},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "a standalone one needs none",
			in:     Input{NeedsRole: true, Desired: desired(), Data: complete("A")},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "a MySQL may be read before there is a role",
			in:     Input{Desired: desired(func(d *state.Desired) { d.Managed, d.OwnerUID = true, "r" }), Data: complete("A")},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "the version is kept",
			in:     Input{Desired: desired(), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", HighestVersion: "8.4.6"}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims, HighestVersion: "8.4.6"},
		},
		{
			name:   "the first start after initialisation ends what the agent can vouch for",
			in:     Input{Desired: desired(), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims, Virgin: true}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "another database than the operator expects is left alone",
			in:     Input{Desired: desired(expects("A", 0)), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "B"}},
			action: DataMissing, reason: "holds database B",
		},
		{
			name:   "another database than the identity file says is left alone",
			in:     Input{Desired: desired(), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "A"}},
			action: DataMissing, reason: "identity.json",
		},
		{
			name:   "another database than this pod has run is left alone",
			in:     Input{Desired: desired(), Data: complete("B"), RanSystemID: "A"},
			action: DataMissing, reason: "this pod's own record",
		},
		{
			name:   "a database that lost its system id is left alone where one is expected",
			in:     Input{Desired: desired(expects("A", 0)), Data: complete("")},
			action: DataMissing, reason: "no system id",
		},
		{
			name:   "data that the operator was told of is started though the identity file lags behind",
			in:     Input{Desired: desired(expects("B", 4)), Data: complete("B"), Identity: &state.DataIdentity{SystemID: "A", DataGeneration: 3, ClaimUIDs: claims}},
			action: Start, record: &state.DataIdentity{SystemID: "B", DataGeneration: 4, ClaimUIDs: claims},
		},
		{
			name:   "a database that died between rename and identity file is adopted",
			in:     Input{Desired: desired(), Data: complete("A")},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "a database on another claim is a restored snapshot: the new claim is recorded",
			in:     Input{Desired: desired(expects("A", 0)), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: map[string]string{"data": "old"}}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: claims},
		},
		{
			name:   "an operator that names no claims takes away none",
			in:     Input{Desired: desired(func(d *state.Desired) { d.ClaimUIDs = nil }), Data: complete("A"), Identity: &state.DataIdentity{SystemID: "A", ClaimUIDs: map[string]string{"data": "old"}}},
			action: Start, record: &state.DataIdentity{SystemID: "A", ClaimUIDs: map[string]string{"data": "old"}},
		},
		{
			name:   "something that is no database is not started and not overwritten",
			in:     Input{Desired: desired(), Data: engine.Data{State: engine.DataUnknown, Message: "no PG_VERSION"}},
			action: Refuse, reason: "no PG_VERSION",
		},
		{
			name:   "something that is no database where one is expected is missing data",
			in:     Input{Desired: desired(expects("A", 0)), Data: engine.Data{State: engine.DataUnknown}},
			action: DataMissing, reason: "no complete database",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.PodUID, tc.in.UnitUID = "pod", "unit"
			got := Decide(tc.in)
			if got.Action != tc.action {
				t.Fatalf("action %s (%s), want %s", got.Action, got.Reason, tc.action)
			}
			if !strings.Contains(got.Reason, tc.reason) {
				t.Errorf("reason %q does not mention %q", got.Reason, tc.reason)
			}
			if got.Action != Start && got.Reason == "" {
				t.Error("a wait without a reason")
			}
			if diff := cmp.Diff(tc.record, got.Identity); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}
