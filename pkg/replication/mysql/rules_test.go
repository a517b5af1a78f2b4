// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// The rules that keep acknowledged data, each with the interleaving that it stops as the
// test's name. What an agent or the API has to do for a rule is tested there.
func TestRules(t *testing.T) {
	failing := func(edits ...edit) View {
		return with(healthy(3), append([]edit{serverDown(0), deaf(1), deaf(2), enabled, operating(v1alpha1.OperationFailover, topology.PhaseFencing, "", ReasonSourceFailed)}, edits...)...)
	}
	for name, tc := range map[string]struct {
		view         View
		want         string
		reason, text string
	}{
		"A1 a former source returns open: it is closed by its agent, not asked to follow": {
			with(healthy(3), member(1, func(m *Member) {
				m.Seen.ReadOnly = false
				m.Seen.Record = &topology.Record{Replication: testUID, Epoch: 6, Role: topology.RoleSource, Open: true}
			})), "SplitBrain/SplitBrain Demote(u1)", "", ""},
		"A1 commits wait and nobody can acknowledge: the source is not closed for a switchover": {
			with(healthy(3), func(v *View) { v.Request.Source = "u1" }, unattached(1), unattached(2), deaf(2), member(0, func(m *Member) { m.Server.SemiSync.Waiting = 1 }), member(2, func(m *Member) { m.Server.SemiSync.Acknowledges = false }),
				member(1, func(m *Member) { m.Server.SemiSync.Acknowledges = false })),
			"SwitchoverDue/TargetUnfit Follow(u1<-u0 ack) Follow(u2<-u0 ack)", ReasonTargetUnfit, "commits of the source wait"},
		"A2 a failover asks for votes and stops the source at the same time": {failing(), "InOperation/Fencing Hold(u0) Isolate(u1) Isolate(u2)", "", ""},
		"A2 a voter's agent restarts and resumes: its vote of an epoch before does not count": {
			failing(isolatedAt(1, 7), isolatedAt(2, 8), held(0, 8)), "InOperation/Fencing Isolate(u1)", "", ""},
		"A2 a voter has another pod after its vote: it is asked again": {
			failing(isolatedAt(1, 8), isolatedAt(2, 8), held(0, 8), member(1, func(m *Member) {
				m.PodUID, m.Seen.PodUID, m.Seen.Record = "pod-new", "pod-new", nil
			})), "InOperation/Fencing Isolate(u1)", "", ""},
		"A2 too few votes and no other proof: nothing is promoted": {
			failing(away(0), isolatedAt(1, 8), away(2)), "InOperation/Fencing", "", ""},
		"A2 enough votes fence a source that nobody can reach": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8)), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1", "", ""},
		"A2 an aborted failover sends follow to each voter": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), func(v *View) { v.Memory.Aborting = "it took too long" }), "InOperation/Fencing Follow(u1<-u0 ack) Follow(u2<-u0 ack)", "", ""},
		"A3a a third member is added, the source and a replica die: an entry is not satisfied": {
			with(healthy(4), serverDown(0), away(1), deaf(2), deaf(3), enabled, failingFor(time.Minute), func(v *View) {
				// T was acknowledged by u1 alone, when W was 1 of u1, u2; now it is 2 of three.
				old := v.Recorded.Durability[0]
				old.W, old.Members = 1, old.Members[:2]
				v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{old, v.Recorded.Durability[0]}
			}), "SourceFailed/SourceFailed", ReasonDataLossRisk, "1 more of u1, u2"},
		"A3a a member that has caught up is recorded before the source waits for it": {
			with(healthy(3), notPromised(2), member(2, func(m *Member) { m.Server.SemiSync.Acknowledges = false })), "/ save Durability", "", ""},
		"A3b a member is isolated by the spec: it leaves durability before it is isolated": {
			with(healthy(3), member(2, func(m *Member) { m.Isolated = true })), "/ save Durability", "", ""},
		"A3b it is isolated once the source waits for the others": {
			with(healthy(3), notPromised(2), member(2, func(m *Member) { m.Isolated = true })), "Healthy/Healthy Isolate(u2)", "", ""},
		"A3b the old entry stays until the member that left is proven silent": {
			with(healthy(3), notPromised(2), promisedBefore(2), unsettled, member(2, func(m *Member) { m.Isolated = true })), "Healthy/Healthy Isolate(u2)", "", ""},
		"A3c a member that cannot be reached is removed: its entry stays": {
			with(healthy(3), notPromised(2), promisedBefore(2), unsettled, away(2), member(2, func(m *Member) { m.Leaving = true })), "Healthy/Healthy", "", ""},
		"A3c its pod's end is proven: the entry goes": {
			with(healthy(3), notPromised(2), promisedBefore(2), away(2), member(2, func(m *Member) { m.Leaving, m.PodUID, m.EndedPodUID = true, "", "pod-u2" })), "/ save Durability", "", ""},
		"A3c the promises are another operator's: what was seen before them counts for nothing": {
			with(healthy(3), notPromised(2), promisedBefore(2), away(2), member(2, func(m *Member) { m.Leaving, m.PodUID, m.EndedPodUID = true, "", "pod-u2" }),
				func(v *View) { v.Memory.SettledUnder = v.Recorded.Durability[:1] }), "Healthy/Healthy", "", ""},
		"A3d a switchover records what its target promises together with the commit": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), isolatedAt(0, 8)),
			"InOperation/Preparing save Commit switchover-8-Requested u0->u1", "", ""},
		"A3f somebody switched the wait off: all entries are removed": {
			with(healthy(3), member(0, func(m *Member) { m.Server.SemiSync.Active = false })), "/ save Durability", "", ""},
		"A4 a source in a new pod is recorded with its pod before it gets its role": {
			with(healthy(3), member(0, func(m *Member) {
				m.PodUID, m.Seen.PodUID, m.Seen.Record, m.Seen.ReadOnly = "pod-new", "pod-new", nil, true
			})), "/ save SourcePod", "", ""},
		"A4 it stays closed until enough members are attached": {
			with(healthy(3), member(0, func(m *Member) {
				m.Seen.Record, m.Seen.ReadOnly, m.Server.Receivers = nil, true, nil
			}), deaf(1), deaf(2)), "/ Promote(u0 w=1)", "", ""},
		"A5 a hold that is acknowledged is no fence before the stop is proven": {
			failing(held(0, 8), isolatedAt(1, 8), away(2), member(0, func(m *Member) { m.Seen.StopProven = false })), "InOperation/Fencing", "", ""},
		"A5 a stop that was proven before the hold is no fence": {
			failing(held(0, 8), isolatedAt(1, 8), away(2), member(0, func(m *Member) { m.Seen.HoldsOrder = 9 })), "InOperation/Fencing", "", ""},
		"A6 a pod that is gone proves nothing": {
			with(healthy(3), async, away(0), deaf(1), deaf(2), enabled, failingFor(time.Minute), member(0, func(m *Member) { m.PodUID = "" })), "SourceFailed/SourceFailed", ReasonNotFenced, "force-promote"},
		"A6 the end of a pod before the one that had the role proves nothing": {
			with(healthy(3), async, away(0), deaf(1), deaf(2), enabled, failingFor(time.Minute), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-older" })), "SourceFailed/SourceFailed", ReasonNotFenced, "kubelet"},
		"A6 the proven end of the pod that had the role is a fence": {
			with(healthy(3), async, away(0), deaf(1), deaf(2), enabled, failingFor(time.Minute), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" })), "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "", ""},
		"A7 the repair loop follows again and again: a channel in force is left alone": {healthy(3), "Healthy/Healthy", "", ""},
		"A7 one whose applier stopped on an error is not promoted": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), unapplied(1), unapplied(2)), "InOperation/Fencing Follow(u1<-u0 ack) Follow(u2<-u0 ack)", "", ""},
		"A7 and another one that holds as much is": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), unapplied(1)), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},
		"A2 the source's agent is restarted before the source is closed, and has not looked yet: it is not killed, the switchover is taken back": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), unlooked(0)), "InOperation/Preparing Promote(u0 w=1 open)", "", ""},
		"A2 one that was asked to close before is asked again": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), isolatedAt(0, 8), unlooked(0)), "InOperation/Preparing Demote(u0)", "", ""},
		"A8 an operation of another process: its epoch rises before the first call": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), func(v *View) { v.Memory = topology.Memory{} }),
			"InOperation/Preparing save Resume switchover-8-Requested u0->u1", "", ""},
		"A8 a demotion of the epoch before is no fence, for a promotion may still come": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), isolatedAt(0, 7)),
			"InOperation/Preparing Demote(u0)", "", ""},
		"A9 a recreated replication takes the source over that an agent knows": {
			with(healthy(3), pristine, member(2, func(m *Member) {
				m.Seen.Record = &topology.Record{Epoch: 9, Role: topology.RoleSource, Open: true, Released: true}
				m.Seen.Epoch = 9
			})), "Uninitialised/NoSource save Adopt", "", ""},
		"A9 of two former sources the later one": {
			with(healthy(3), pristine, formerSource(1, 5), formerSource(2, 6)), "Uninitialised/NoSource save Adopt", "", ""},
		"A9 a member with data that is away may be the later one": {
			with(healthy(3), pristine, formerSource(1, 5), away(2)), "Uninitialised/Waiting", "", ""},
		"A10 a copy to a voter is under way: the vote is asked for anyway": {
			failing(busy(1)), "InOperation/Fencing Hold(u0) Isolate(u1) Isolate(u2)", "", ""},
		"A10 but what it has may be gone at any moment: it does not count": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), busy(1)), "InOperation/Fencing", "", ""},
		"A10 and it is not promoted": {
			failing(held(0, 8), isolatedAt(1, 8), isolatedAt(2, 8), busy(1), func(v *View) { v.Recorded.Durability[0].W = 2 }), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},
		"A10 nor is the source's role passed to it": {
			with(healthy(3), busy(1), func(v *View) { v.Request.Source = "u1" }), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "provision-1 (provision)"},
		"A11 a restore on the source: durability goes before it may begin": {
			with(healthy(3), func(v *View) { v.Request.Replacing = "call" }), "SourceInOperation/SourceInOperation save Data", "", ""},
		"A11 no failover meanwhile": {
			with(yielded(healthy(3)), serverDown(0), enabled, failingFor(time.Hour)), "SourceInOperation/SourceInOperation", "", ""},
		"A12b the target dies after the commit: the old source is not opened before it is fenced": {
			with(committed(), away(1), func(v *View) { v.Now = v.Now.Add(time.Minute) }, isolatedAt(0, 8)), "InOperation/Fencing save Begin failover-9-TakenBack u1->u0", "", ""},
		"A12b neither of them answers: the operation does not end before the old source is fenced": {
			with(committed(), away(0), away(1), away(2), func(v *View) { v.Now = v.Now.Add(time.Minute) }), "InOperation/FenceNotProven", ReasonNotFenced, "force-promote: u1/8"},
		"A12b another process committed, and may have opened the old source again: its pod's end is a fence": {
			with(committed(), async, away(0), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" })), "InOperation/Opening Promote(u1 w=0 open)", "", ""},
		"A12b and what it acknowledged then is asked for": {
			with(committed(), away(0), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" })), "InOperation/Opening Isolate(u1) Isolate(u2)", "", ""},
		"A12b a member that has more than the new source gives it that": {
			with(committed(), away(0), isolatedAt(1, 8), isolatedAt(2, 8), member(2, func(m *Member) { m.Server.Channel.Retrieved = gtids(0, "1-11") })), "InOperation/Opening Promote(u2 w=0)", "", ""},
		"A12b the one that may have it does not answer: a person can accept the loss": {
			with(committed(), away(0), away(2), isolatedAt(1, 8), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" })), "InOperation/DataLossRisk", ReasonDataLossRisk, "force-promote: u1/8"},
		"A12b the closed old source has more: the new one follows it": {
			with(committed(), isolatedAt(0, 8), isolatedAt(1, 8), member(0, func(m *Member) { m.Server.Executed = gtids(0, "1-11") })), "InOperation/Opening Follow(u1<-u0)", "", ""},
		"A12b an old source that is held and stopped is started read-only, to be asked": {
			with(committed(), serverDown(0), held(0, 8)), "InOperation/Opening Demote(u0)", "", ""},
		"A12b one that is stopped read-only and starts is not held again": {
			with(committed(), serverDown(0), isolatedAt(0, 8), away(2), isolatedAt(1, 8), func(v *View) { v.Memory.Fenced = v1alpha1.FenceStopped }), "InOperation/DataLossRisk", ReasonDataLossRisk, "waiting for its server"},
		"A12b the new source cannot connect to who has more: a person can accept the loss": {
			with(committed(), isolatedAt(0, 8), copying(1, 0, "connection refused")), "InOperation/DataLossRisk Wait(u1)", ReasonDataLossRisk, "u1 has not got from u0 what it lacks: connection refused"},
		"A12b or does not get it in time": {
			with(committed(), isolatedAt(0, 8), copying(1, 0, ""), late), "InOperation/DataLossRisk Wait(u1)", ReasonDataLossRisk, "force-promote: u1/8"},
		"A12b or has nobody to get it from": {
			with(committed(), async, away(0), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" }), lacking(1), late), "InOperation/DataLossRisk Wait(u1)", ReasonDataLossRisk, "u1 has not got what it lacks"},
		"A12b what it received it applies, however long that takes": {
			with(committed(), isolatedAt(0, 8), member(1, func(m *Member) { m.Server.Executed = gtids(0, "1-9") }), late), "InOperation/Opening Wait(u1)", "", ""},
		"A12b nobody that answers has what was recorded: it is waited for, and said": {
			with(committed(), away(0), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" }), isolatedAt(1, 8), isolatedAt(2, 8), lacking(1), lacking(2)),
			"InOperation/DataLossRisk", ReasonDataLossRisk, "nobody that answers has"},
		"A12b no fence and nobody to be asked: it is waited for, and said": {
			with(committed(), async, away(0), member(0, func(m *Member) { m.PodUID = "" })), "InOperation/FenceNotProven", ReasonNotFenced, "force-promote: u1/8"},
		"A12b force: a person accepts the loss, at this epoch": {
			with(committed(), async, away(0), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u1", 8 }), "InOperation/Opening save Resume switchover-8-Requested u0->u1", "", ""},
		"A12b force: the loss of what others may have is accepted": {
			with(committed(), away(0), away(2), isolatedAt(1, 8), member(0, func(m *Member) { m.PodUID, m.EndedPodUID = "", "pod-u0" }), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u1", 8 }), "InOperation/Opening save Resume switchover-8-Requested u0->u1", "", ""},
		"A12b force: recorded, it is the fence": {
			with(committed(), async, away(0), func(v *View) { v.Recorded.Operation.Fence.How = v1alpha1.FenceForced }), "InOperation/Opening Promote(u1 w=0 open)", "", ""},
		"A12b force: the old source is stopped first, if its agent answers": {
			with(committed(), async, func(v *View) { v.Recorded.Operation.Fence.How = v1alpha1.FenceForced }), "InOperation/Opening Demote(u0)", "", ""},
		"A12b force: and opened without that, if it cannot be": {
			with(committed(), async, member(0, func(m *Member) {
				m.Refusals = []topology.Refusal{{Kind: topology.StepDemote, Message: "no"}}
			}), func(v *View) { v.Recorded.Operation.Fence.How = v1alpha1.FenceForced }), "InOperation/Opening Promote(u1 w=0 open)", "", ""},
		"A12b force: whoever does it without a proof is warned": {
			with(committed(), async, away(0), member(0, func(m *Member) { m.PodUID = "" })), "InOperation/FenceNotProven", ReasonNotFenced, "make sure that u0 takes no writes"},
		"A12b force: another member": {
			with(committed(), async, away(0), away(1), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u2", 8 }), "InOperation/Fencing save Begin failover-9-Forced u1->u2", "", ""},
		"A12b force: at another epoch it is none": {
			with(committed(), async, away(0), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u1", 7 }), "InOperation/FenceNotProven", "", ""},
		"A13a an evacuated unit is no candidate": {
			with(failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8)), evacuate(1, v1alpha1.EvacuationRestart)), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},
		"A13a unless no other is": {
			with(failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8)), evacuate(1, v1alpha1.EvacuationRestart), member(2, func(m *Member) { m.Priority = 0 })), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1", "", ""},
		"A13b a removed unit is isolated, then released, before it is done": {
			with(healthy(3), notPromised(2), isolatedAt(2, 7), evacuate(2, v1alpha1.EvacuationRemove)), "Healthy/Healthy Release(u2)", "", ""},
		"A13c a source whose pod is being deleted is evacuated first": {
			with(healthy(3), member(0, func(m *Member) { m.PodTerminating = true })), "InOperation/Preparing save Begin switchover-8-Evacuated u0->u1", "", ""},
		"A15 a request that a failover has overtaken is none": {
			with(healthy(3), func(v *View) { v.Request.Source, v.Recorded.LastTransition.Requested = "u1", "u1" }), "Healthy/Healthy", "", ""},

		"B2 the only replica is rebuilt while commits wait for it: another source is closed first": {
			with(healthy(2), manyTransactions, member(1, empty), unattached(1), blockedOn(1), renewed(1)), "WritesBlocked/ReplicaBeingMade Demote(u0)", "", ""},
		"B2 and copied closed": {
			with(healthy(2), manyTransactions, member(1, empty), unattached(1), blockedOn(1), renewed(1), member(0, func(m *Member) { m.Seen.ReadOnly = true })), "WritesBlocked/ReplicaBeingMade Provision(u1<-u0)", "", ""},
		"A1 commits wait and the policy is to wait for nobody: the source is closed first, for switching the wait off would acknowledge them": {
			with(healthy(2), deaf(1), unattached(1), blockedOn(1), func(v *View) {
				v.Request.Durability.Preferred = true
				v.Recorded.Durability = append(v.Recorded.Durability, v1alpha1.ReplicationDurabilityEntry{Source: uuid(0)})
				v.Members[0].Server.SemiSync.Waiting = 1
			}), "/ Demote(u0)", "", ""},
		"B4 the commit was not confirmed: the source is opened by a call, not by a write": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), isolatedAt(0, 8), func(v *View) { v.Memory.CommitUnknown = true }),
			"InOperation/Preparing Promote(u0 w=1 open)", "", ""},
		"B4 no planned switchover begins on an old lease": {
			with(healthy(3), func(v *View) { v.Request.Source, v.LeaseFresh = "u1", false }), "SwitchoverDue/LeaseNotRenewed", "", ""},
		"B5 the spec is invalid: a failover is made by what was accepted": {
			with(healthy(3), serverDown(0), deaf(1), deaf(2), enabled, failingFor(time.Minute)), "InOperation/Fencing save Begin failover-8-SourceFailed u0->", "", ""},
		"B8 a member with a full volume is no candidate": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), member(1, func(m *Member) { m.Seen.LowOnDisk = true })), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},

		"under load the target is judged by what the source had before it was asked": {
			with(healthy(3), func(v *View) {
				v.Request.Source = "u1"
				v.Memory.Positions = []topology.Position{{At: testNow.Add(-time.Second), ServerID: uuid(0), Executed: gtids(0, "1-10")}}
			}, member(0, func(m *Member) { m.Server.Executed, m.Seen.At = gtids(0, "1-20"), testNow.Add(time.Millisecond) })), "InOperation/Preparing save Begin switchover-8-Requested u0->u1", "", ""},
		"under load it is not taken back by a newer look at the source": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), func(v *View) {
				v.Memory.Positions = []topology.Position{{At: testNow.Add(-time.Second), ServerID: uuid(0), Executed: gtids(0, "1-10")}, {At: testNow.Add(time.Millisecond), ServerID: uuid(0), Executed: gtids(0, "1-20")}}
			}, member(0, func(m *Member) {
				m.Server.Executed, m.Seen.At, m.Activity = gtids(0, "1-20"), testNow.Add(time.Millisecond), &Activity{}
			})), "InOperation/Preparing Demote(u0)", "", ""},
		"a target that falls behind before the fence is waited for": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested), func(v *View) {
				v.Memory.Positions = []topology.Position{{At: testNow.Add(-time.Minute), ServerID: uuid(0), Executed: gtids(0, "1-10")}, {At: testNow.Add(-time.Second), ServerID: uuid(0), Executed: gtids(0, "1-15")}}
			}, member(0, func(m *Member) { m.Server.Executed = gtids(0, "1-20") })), "InOperation/Preparing", "", ""},
		"before the fence the source's clients are asked for": {
			with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested)), "InOperation/Preparing Activity(u0)", "", ""},
		"a unit that was created again under the source's name is not the source": {
			with(healthy(3), member(0, func(m *Member) { m.UnitUID, m.Seen.ReadOnly, m.Seen.Record = "unit-new", true, nil })), "SourceLostData/LostData", "", ""},
		"force: a person accepts the loss, at this epoch only": {
			with(healthy(3), async, away(0), deaf(1), deaf(2), failingFor(time.Minute), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u2", 7 }), "InOperation/Fencing save Begin failover-8-Forced u0->u2", "", ""},
		"force: at another epoch it is none": {
			with(healthy(3), async, away(0), deaf(1), deaf(2), failingFor(time.Minute), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u2", 6 }), "SourceFailed/SourceFailed", "", ""},
		"diverged members: none is promoted": {
			failing(away(0), isolatedAt(1, 8), isolatedAt(2, 8), member(1, func(m *Member) { m.Server.Executed = gtids(0, "1-10").Union(gtids(1, "1")) }),
				member(2, func(m *Member) { m.Server.Executed = gtids(0, "1-10").Union(gtids(2, "1")) })), "InOperation/Fencing Follow(u1<-u0 ack) Follow(u2<-u0 ack)", "", ""},
		"errant transactions: own-uuid surplus of the source is not errant": {
			with(healthy(3), member(1, func(m *Member) { m.Server.Executed = gtids(0, "1-11") })), "Healthy/Healthy", "", ""},
		"errant transactions: the member leaves durability, is isolated, and they are kept": {
			with(healthy(3), notPromised(2), isolatedAt(2, 7), member(2, errant)), "Degraded/ErrantTransactions Evidence(u2)", "", ""},
		"errant transactions: the member is rebuilt with permission only": {
			with(healthy(3), notPromised(2), isolatedAt(2, 7), member(2, errant), evidenced(2)), "Degraded/ErrantTransactions", ReasonErrant, "reinit: " + uuid(2)},
		"errant transactions: with permission it is": {
			with(healthy(3), notPromised(2), isolatedAt(2, 7), member(2, errant), evidenced(2), member(2, func(m *Member) { m.Reinit = uuid(2) })), "Degraded/ErrantTransactions Provision(u2<-u0)", "", ""},
		"errant transactions: those that came after the evidence are kept before the member is rebuilt": {
			with(healthy(3), notPromised(2), isolatedAt(2, 7), member(2, errant), evidenced(2), member(2, func(m *Member) {
				m.Reinit, m.Server.Executed = uuid(2), gtids(0, "1-10").Union(gtids(2, "1-2"))
			})), "Degraded/ErrantTransactions Evidence(u2)", "", ""},
		"purged: the last other copy is not replaced without permission": {
			with(healthy(2), notPromised(1), member(0, func(m *Member) { m.Server.Purged = gtids(0, "1-8") }), member(1, func(m *Member) { m.Server.Executed, m.Server.Channel.Retrieved = gtids(0, "1-5"), gtid.Set{} })),
			"SemiSyncDegraded/Unacknowledged", ReasonNeedsPermission, "last other copy"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if got := line(p); got != tc.want {
				t.Errorf("got  %s: %s\nwant %s", got, p.Message, tc.want)
			}
			if tc.reason != "" && !found(p, tc.reason, tc.text) {
				t.Errorf("no %s with %q: %s, %+v", tc.reason, tc.text, p.Message, p.Findings)
			}
		})
	}
}

// busy: the data of u<i> is being replaced.
func busy(i int) edit { return member(i, func(m *Member) { m.Seen.Busy = "provision-1 (provision)" }) }

// held: the server of u<i> is held down by the fence, and proven stopped.
func held(i int, epoch int64) edit {
	return member(i, func(m *Member) {
		m.Seen.Epoch, m.Seen.Holds, m.Seen.HoldsOrder, m.Seen.StopOrder, m.Seen.StopProven = epoch, []string{topology.HoldFence}, 3, 3, true
	})
}

// promisedBefore: the entry in which u<i> counted still stands.
func promisedBefore(i int) edit {
	return func(v *View) {
		now := v.Recorded.Durability[0]
		old := now
		old.Members = append([]v1alpha1.DurabilityMember{{Name: v.Members[i].Name, UnitUID: v.Members[i].UnitUID, ServerUUID: uuid(i)}}, now.Members...)
		v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{old, now}
	}
}

// unsettled: nobody has seen yet who still acknowledges under the source's rule.
func unsettled(v *View) { v.Memory.Settled = zeroTime }

// unapplied: what u<i> received cannot be applied.
func unapplied(i int) edit {
	return member(i, func(m *Member) {
		m.Server.Executed = gtids(0, "1-9")
		m.Server.Channel.Applying, m.Server.Channel.ApplierError = false, "duplicate key"
	})
}

func formerSource(i int, epoch int64) edit {
	return member(i, func(m *Member) {
		m.Seen.Epoch = epoch
		m.Seen.Record = &topology.Record{Epoch: epoch, Role: topology.RoleSource, Open: true, Released: true}
	})
}

func evacuate(i int, r v1alpha1.EvacuationRequest) edit {
	return member(i, func(m *Member) { m.Evacuate = r })
}

// committed: a switchover from u0 to u1 after its commit.
func committed() View {
	return with(healthy(3), operating(v1alpha1.OperationSwitchover, topology.PhaseOpening, "u1", ReasonRequested), func(v *View) {
		v.Recorded.Source = "u1"
		v.Recorded.Operation.TargetPosition = gtids(0, "1-10").String()
		v.Recorded.Operation.Fence = &v1alpha1.ReplicationFence{How: v1alpha1.FenceClosed}
		v.Recorded.LastTransition = &v1alpha1.ReplicationTransition{Type: v1alpha1.OperationSwitchover, From: "u0", To: "u1", Requested: "u1", Position: gtids(0, "1-10").String()}
		v.Recorded.Durability = append(v.Recorded.Durability, v1alpha1.ReplicationDurabilityEntry{Source: uuid(1), W: 1, Members: []v1alpha1.DurabilityMember{
			{Name: "u0", UnitUID: "unit-u0", ServerUUID: uuid(0)}, {Name: "u2", UnitUID: "unit-u2", ServerUUID: uuid(2)},
		}})
	})
}

// lacking: u<i> neither has nor received the last transaction.
func lacking(i int) edit {
	return member(i, func(m *Member) {
		m.Server.Executed, m.Server.Channel.Retrieved = gtids(0, "1-9"), gtids(0, "1-9")
	})
}

// late: the time of the operation is over.
func late(v *View) { v.Now = v.Now.Add(time.Minute) }

// copying: in the operation u<i> follows u<of>, which has more, and does not get it.
func copying(i, of int, trouble string) edit {
	return func(v *View) {
		v.Members[of].Server.Executed = gtids(0, "1-11")
		m := &v.Members[i]
		m.Seen.Epoch, m.Seen.Record.Epoch = 8, 8
		m.Server.Channel.Receiving, m.Server.Channel.ReceiverError = trouble == "", trouble
	}
}

// The end of the pod that had the role is what proves later that it acknowledges nothing.
func TestTheRecordedPodOfAFormerSourceStaysUntilItIsFenced(t *testing.T) {
	gone := member(0, func(m *Member) { m.PodUID = "" })
	for name, tc := range map[string]struct {
		view View
		want types.UID
	}{
		"while the new source cannot be asked": {with(committed(), away(0), away(1), gone), "pod-u0"},
		"after the operation":                  {with(committed(), away(0), gone, func(v *View) { v.Recorded.Operation = nil }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Decide(tc.view).Members[0].PodUID; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// What others have and a new source has not is no transaction of their own before it is
// opened.
func TestWhatTheNewSourceLacksIsNotErrantBeforeItIsOpened(t *testing.T) {
	v := with(committed(), away(0), isolatedAt(1, 8), isolatedAt(2, 8), member(2, func(m *Member) { m.Server.Executed = gtids(0, "1-11") }))
	if got := Decide(v).Members[2].Errant; got != nil {
		t.Errorf("reported: %+v", got)
	}
}

// blockedOn: the source waits for u<i> alone.
func blockedOn(i int) edit {
	return func(v *View) {
		e := v1alpha1.ReplicationDurabilityEntry{Source: uuid(0), W: 1, Members: []v1alpha1.DurabilityMember{{Name: v.Members[i].Name, UnitUID: v.Members[i].UnitUID, ServerUUID: uuid(i)}}}
		v.Recorded.Durability = []v1alpha1.ReplicationDurabilityEntry{e}
		s := &v.Members[0]
		s.Seen.Record.Rule = topology.RuleOf(e)
		s.Server.SemiSync.Enabled, s.Server.SemiSync.Active, s.Server.SemiSync.WaitFor = true, true, 1
		v.Memory.BlockedSince = v.Now.Add(-time.Minute)
	}
}

// renewed: the entry knows the new server of u<i>.
func renewed(i int) edit {
	return func(v *View) {
		v.Recorded.Durability[0].Members[0].ServerUUID = v.Members[i].Seen.ServerID
		v.Members[0].Seen.Record.Rule = topology.RuleOf(v.Recorded.Durability[0])
	}
}

// errant: it has a transaction of its own.
func errant(m *Member) { m.Server.Executed = gtids(0, "1-10").Union(gtids(2, "1")) }

func evidenced(i int) edit {
	return func(v *View) {
		v.Recorded.Members[i].Errant = &v1alpha1.ReplicationErrant{GTIDs: uuid(i) + ":1", Evidence: "evidence/7"}
	}
}

// What the status says of evidence is about all that the member has, or about nothing.
func TestEvidenceOfFewerErrantTransactionsIsReportedAsNone(t *testing.T) {
	long := func(last int) gtid.Set {
		s := gtids(2, "1")
		for i := 3; i <= last; i += 2 {
			s = s.Union(gtids(2, fmt.Sprint(i)))
		}
		return s
	}
	for name, tc := range map[string]struct {
		reported, now gtid.Set
		want          string
	}{
		"the same":                   {gtids(2, "1"), gtids(2, "1"), "evidence/7"},
		"fewer":                      {gtids(2, "1-2"), gtids(2, "1"), "evidence/7"},
		"more":                       {gtids(2, "1"), gtids(2, "1-2"), ""},
		"the same, longer than kept": {long(1999), long(1999), "evidence/7"},
		"more, beyond what is kept":  {long(1999), long(2001), ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := with(healthy(3), notPromised(2), isolatedAt(2, 7), evidenced(2), member(2, func(m *Member) {
				m.Server.Executed = gtids(0, "1-10").Union(tc.now)
			}))
			v.Recorded.Members[2].Errant.GTIDs = errantText(tc.reported)
			got := Decide(v).Members[2].Errant
			if got == nil || got.Evidence != tc.want || len(got.GTIDs) > 1024 {
				t.Errorf("got %+v, want the evidence %q", got, tc.want)
			}
		})
	}
}
