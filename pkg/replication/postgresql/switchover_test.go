// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// asked: somebody names u<i> as the primary.
func asked(i int) edit { return func(v *View) { v.Request.Source = v.Members[i].Name } }

// seenBefore: this process has seen before where the primary is.
func seenBefore(v *View) {
	v.Memory.Positions = []topology.Position{{At: testNow.Add(-time.Second), ServerID: testSystem, Executed: wal.Position{Timeline: 2, LSN: written}}}
}

// operating: an operation of this process is under way.
func operating(t v1alpha1.ReplicationOperationType, phase, to, reason string) edit {
	return func(v *View) {
		v.Recorded.Epoch = 8
		v.Recorded.Operation = &v1alpha1.ReplicationOperation{
			ID: strings.ToLower(string(t)) + "-8-" + reason, Type: t, Phase: phase, From: "u0", To: to, Epoch: 8,
			StartedAt: new(metav1.NewTime(v.Now)), Deadline: new(metav1.NewTime(v.Now.Add(30 * time.Second))),
		}
		v.Memory.Own(v.Recorded.Operation)
	}
}

func switching(edits ...edit) View {
	return with(healthy(3), append([]edit{operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonRequested)}, edits...)...)
}

// stands: a former primary is a standby with what it had.
func stands(i int, h wal.History, at wal.LSN) edit {
	return func(v *View) {
		standbyAt(i, h, at)(v)
		isolatedAt(i, 8)(v)
	}
}

// committed: u1 is recorded as the primary, and u0 is a standby with all that u1 has.
func committed(edits ...edit) View {
	v := switching(stands(0, onTwo, written))
	p := Decide(v)
	if p.Change == nil || p.Change.Kind != topology.ChangeCommit {
		panic("no commit: " + line(p))
	}
	v.Recorded, v.Memory = p.Change.To.Clone(), p.Memory
	return with(v, edits...)
}

// byAnother process: nothing is remembered of the operation, and it is resumed.
func byAnother(v *View) {
	v.Memory = topology.Memory{}
	v.Recorded.Epoch, v.Recorded.Operation.Epoch = 9, 9
	v.Memory.Own(v.Recorded.Operation)
	for i := range v.Members {
		if m := &v.Members[i]; m.Seen != nil && m.Seen.Record != nil && m.Seen.Record.Role == topology.RoleIsolated {
			isolatedAt(i, 9)(v)
		}
	}
}

// promotedAt: u1 is the open primary on a timeline that begins at a position.
func promotedAt(h wal.History) edit {
	return func(v *View) {
		primaryAt(1, h, written+10)(v)
		m := &v.Members[1]
		rule := topology.RuleOf(v.last())
		m.Seen.Record = &topology.Record{Replication: "replication", Epoch: 8, Role: topology.RoleSource, Open: true, Rule: rule}
		m.Server.Sync = v.names(rule)
	}
}

// followsNew: u<i> follows u1.
func followsNew(i int) edit {
	return member(i, func(m *Member) {
		m.Seen.Record = &topology.Record{Replication: "replication", Epoch: 8, Role: topology.RoleReplica, Upstream: topology.Upstream{Name: "u1", Host: "u1", Port: 5432, ServerID: testSystem}}
		m.Server.Receiver = &Receiver{Host: "u1", Port: 5432}
	})
}

func late(v *View) { v.Now = v.Now.Add(time.Hour) }

// When a switchover begins, and what is waited for.
func TestSwitchoverDue(t *testing.T) {
	evacuated := member(0, func(m *Member) { m.Evacuate = v1alpha1.EvacuationRestart })
	decideEach(t, map[string]decided{
		"it is recorded before its first call":              {with(healthy(3), asked(1), seenBefore), "InOperation/Preparing save Begin switchover-8-Requested u0->u1", "", ""},
		"by the annotation":                                 {with(healthy(3), seenBefore, func(v *View) { v.Request.Switchover = "u2" }), "InOperation/Preparing save Begin switchover-8-Requested u0->u2", "", ""},
		"the epoch is above all that any agent has seen":    {with(healthy(3), asked(1), seenBefore, member(2, func(m *Member) { m.Seen.Epoch = 11 })), "InOperation/Preparing save Begin switchover-12-Requested u0->u1", "", ""},
		"what the spec named at the last one is no request": {with(healthy(3), asked(1), seenBefore, func(v *View) { v.Recorded.LastTransition.Requested = "u1" }), "Healthy/Healthy", "", ""},
		"the primary's unit is about to stop: the best":     {with(healthy(3), evacuated, seenBefore, member(2, func(m *Member) { m.Priority = 5 })), "InOperation/Preparing save Begin switchover-8-Evacuated u0->u2", "", ""},
		"not one of priority 0":                             {with(healthy(2), evacuated, seenBefore, member(1, func(m *Member) { m.Priority = 0 })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "u1: its priority is 0"},
		"nor one that stops as well":                        {with(healthy(2), evacuated, seenBefore, member(1, func(m *Member) { m.Evacuate = v1alpha1.EvacuationRestart })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "about to stop itself"},
		"nobody else is there":                              {with(healthy(1), evacuated, seenBefore), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "there is no other member"},
		"the target is no member":                           {with(healthy(3), func(v *View) { v.Request.Source = "u9" }), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "is no member"},
		"the target lags":                                   {with(healthy(3), asked(1), seenBefore, member(1, func(m *Member) { m.Server.Received, m.Server.Replayed = written-1, written-1 })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "lags"},
		"the target has received all, and replays for long": {with(healthy(3), asked(1), seenBefore, member(1, func(m *Member) { m.Server.Replayed = written - 1 })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "lags"},
		"whether it does is not known yet":                  {with(healthy(3), asked(1), member(0, func(m *Member) { m.Seen.At = testNow.Add(1) })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "lags"},
		"the target does not receive":                       {with(healthy(3), asked(1), seenBefore, deaf(1)), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "does not receive"},
		"the target has WAL that the primary has not":       {with(healthy(3), promised(entry(1, "u2")), asked(1), seenBefore, standbyAt(1, onOne, promoted+5)), "SwitchoverDue/TargetUnfit Isolate(u1)", ReasonTargetUnfit, "cannot follow"},
		"the target is isolated":                            {with(healthy(3), promised(entry(1, "u2")), asked(1), seenBefore, isolatedAt(1, 7), member(1, func(m *Member) { m.Isolated = true })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "it is isolated"},
		"the target's volume is full":                       {with(healthy(3), asked(1), seenBefore, member(1, func(m *Member) { m.Seen.LowOnDisk = true })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "volume is full"},
		"an operation has the target":                       {with(healthy(3), asked(1), seenBefore, member(1, func(m *Member) { m.Seen.Busy = "backup-1" })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "backup-1"},
		"its commits would wait for ever":                   {with(healthy(4), asked(1), seenBefore, deaf(2), deaf(3), member(0, func(m *Member) { m.PodTerminating = true })), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "0 of the others could acknowledge its commits, and 1 have to"},
		"the last attempt was lately":                       {with(healthy(3), asked(1), seenBefore, func(v *View) { v.Memory.NotBefore, v.Memory.Refusal = testNow.Add(time.Second), "it took too long" }), "SwitchoverDue/TargetUnfit", ReasonTargetUnfit, "it took too long"},
		"the lease is old":                                  {with(healthy(3), asked(1), seenBefore, func(v *View) { v.LeaseFresh = false }), "SwitchoverDue/LeaseNotRenewed", "", ""},
		"another primary is demoted first":                  {with(healthy(3), asked(1), seenBefore, primaryAt(2, onThree, written+5)), "SplitBrain/SplitBrain Demote(u2)", "", ""},
		"nothing begins while it is paused":                 {with(healthy(3), asked(1), seenBefore, paused), "Paused/Paused", "", ""},
		"the primary is not one yet: it is promoted first":  {with(healthy(3), asked(1), standbyAt(0, onTwo, written), isolatedAt(0, 7)), "SwitchoverDue/TargetUnfit Promote(u0 w=1 timeline=4 open)", "", ""},
	})
}

// Up to the commit: the primary is stopped, its last WAL proven on the target.
func TestSwitchoverPreparing(t *testing.T) {
	decideEach(t, map[string]decided{
		"another process began it: its epoch rises first": {switching(func(v *View) { v.Memory = topology.Memory{} }), "InOperation/Preparing save Resume switchover-8-Requested u0->u1", "", ""},
		"paused or not": {switching(paused, func(v *View) { v.Memory = topology.Memory{} }), "InOperation/Preparing save Resume switchover-8-Requested u0->u1", "", ""},
		"the target falls behind: writes flow still":                    {switching(member(1, func(m *Member) { m.Server.Received, m.Server.Replayed = written-1, written-1 })), "InOperation/Preparing", topology.PhasePreparing, "waiting for u1 to catch up"},
		"the primary is demoted":                                        {switching(), "InOperation/Preparing Demote(u0)", "", ""},
		"it is being restarted: it is waited for":                       {switching(stopped(0, onTwo, written), isolatedAt(0, 8)), "InOperation/Preparing Observe(u0)", "", ""},
		"it is a standby of the operation before":                       {switching(stands(0, onTwo, written), isolatedAt(0, 7)), "InOperation/Preparing Demote(u0)", "", ""},
		"it is restarted by the operation before":                       {switching(stopped(0, onTwo, written), isolatedAt(0, 7)), "InOperation/Preparing Demote(u0)", "", ""},
		"it replays and does not say yet how far it comes":              {switching(stands(0, onTwo, written), member(0, func(m *Member) { m.Server.Received = wal.None })), "InOperation/Preparing Observe(u1) Observe(u0)", topology.PhasePreparing, "does not say yet"},
		"its shutdown checkpoint is not on the target yet":              {switching(stands(0, onTwo, written+100)), "InOperation/Preparing Observe(u1) Observe(u0)", topology.PhasePreparing, "u0 has WAL up to 0/834 of timeline 2, and u1 the same up to 0/7D0"},
		"it is: the commit follows":                                     {switching(stands(0, onTwo, written)), "InOperation/Preparing save Commit switchover-8-Requested u0->u1", "", ""},
		"its agent refuses: taken back":                                 {switching(refuses(0, topology.StepDemote)), "InOperation/Preparing save End", topology.PhasePreparing, "u0 could not be stopped: an operation has the unit"},
		"the primary hangs: it is not killed":                           {switching(hangs(0)), "InOperation/Preparing Promote(u0 w=1 timeline=4 open)", topology.PhasePreparing, "does not answer"},
		"the primary cannot be reached: it is judged as one that fails": {switching(away(0)), "InOperation/Preparing save End", topology.PhasePreparing, "u0, the primary, does not answer"},
		"the target goes before anything was done":                      {switching(away(1)), "InOperation/Preparing save End", topology.PhasePreparing, "u1 cannot become the primary: its agent does not answer"},
		"the target goes after the primary was stopped":                 {switching(stands(0, onTwo, written), away(1)), "InOperation/Preparing Promote(u0 w=1 timeline=4 open)", "", ""},
		"the target's pod is being deleted":                             {switching(stands(0, onTwo, written), member(1, func(m *Member) { m.PodTerminating = true })), "InOperation/Preparing Promote(u0 w=1 timeline=4 open)", "", ""},
		"it takes too long":                                             {switching(late), "InOperation/Preparing save End", topology.PhasePreparing, "took longer than 1m"},
		"the primary was stopped for too long":                          {switching(stands(0, onTwo, written+1), func(v *View) { v.Memory.ClosedAt = testNow.Add(-closedMost - 1) }), "InOperation/Preparing Promote(u0 w=1 timeline=4 open)", topology.PhasePreparing, "stopped for longer than 15s: u0 has WAL"},
		"the target left":                                               {switching(func(v *View) { v.Members = v.Members[2:]; v.Members = append(healthy(1).Members, v.Members...) }), "InOperation/Preparing save End", topology.PhasePreparing, "is no member any more"},
		"taken back: one that is held starts first":                     {switching(stands(0, onTwo, written), held(0, 8), aborting), "InOperation/Preparing Unhold(u0)", "", ""},
		"taken back: the primary is one again":                          {switching(aborting, member(0, func(m *Member) { m.Server.History = onThree })), "InOperation/Preparing save End", "", ""},
		"taken back: it came back with other data, and is not opened":   {switching(aborting, stands(0, onOne, promoted-1)), "InOperation/Preparing save End", "", ""},
		"taken back: not while another is a primary":                    {switching(aborting, stands(0, onTwo, written), primaryAt(2, onThree, written)), "InOperation/Preparing save End", "", ""},
	})
}

func aborting(v *View) { v.Memory.Aborting = "it took too long" }

// What the commit records: who is the primary, its timeline, and what it promises.
func TestSwitchoverCommit(t *testing.T) {
	p := Decide(switching(stands(0, onTwo, written)))
	to := p.Change.To
	if to.Source != "u1" || to.Data.Timeline != 3 || to.Data.BeginLSN != written.String() || to.Operation.TargetPosition != written.String() || to.Operation.Phase != topology.PhaseOpening {
		t.Errorf("recorded %+v, %+v", to, to.Operation)
	}
	if got := texts(to.Durability); got != "1/u1,u2 1/u0,u2" || to.Durability[1].Timeline != 3 || to.Durability[1].Source != testSystem {
		t.Errorf("promised %s: %+v", got, to.Durability)
	}
	if m := to.Member("u1"); m.PodUID != "pod-u1" || to.Operation.Fence.How != v1alpha1.FenceClosed || !p.Memory.Committed || p.Memory.Fenced != v1alpha1.FenceClosed {
		t.Errorf("its pod %s, fence %+v, remembered %+v", m.PodUID, to.Operation.Fence, p.Memory)
	}
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"in rpl_async nothing":                      {with(switching(stands(0, onTwo, written)), func(v *View) { v.Request.Sync, v.Recorded.Durability = false, list(entry(0)) }), "0/ 0/"},
		"who stops for good is not waited for":      {switching(stands(0, onTwo, written), member(0, func(m *Member) { m.PodTerminating = true })), "1/u1,u2 1/u2"},
		"unless there is nobody else":               {with(healthy(2), operating(v1alpha1.OperationSwitchover, topology.PhasePreparing, "u1", ReasonEvacuated), stands(0, onTwo, written), member(0, func(m *Member) { m.PodTerminating = true })), "1/u1 1/u0"},
		"nor who leaves":                            {switching(stands(0, onTwo, written), member(2, func(m *Member) { m.Leaving = true })), "1/u1,u2 1/u0"},
		"nor one that was made again by its name":   {switching(stands(0, onTwo, written), member(2, func(m *Member) { m.UnitUID = "new" })), "1/u1,u2 1/u0"},
		"an entry of before that is not held stays": {with(switching(stands(0, onTwo, written)), durability(entry(1, "u1"), entry(1, "u1", "u2"))), "1/u1 1/u1,u2 1/u0,u2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideTwice(t, tc.view)
			if p.Change == nil || texts(p.Change.To.Durability) != tc.want {
				t.Errorf("got %s: %+v, want %s", line(p), p.Change, tc.want)
			}
		})
	}
	evacuated := switching(stands(0, onTwo, written), func(v *View) {
		v.Recorded.Members[1].Evacuated = true
		v.Recorded.Members[1].Evacuation = &v1alpha1.MemberEvacuation{Request: v1alpha1.EvacuationRestart, State: v1alpha1.EvacuationDone}
	})
	if m := Decide(evacuated).Change.To.Member("u1"); m.Evacuated || m.Evacuation.State != v1alpha1.EvacuationInProgress {
		t.Errorf("the new primary is evacuated still: %+v", m)
	}
}

func list(entries ...v1alpha1.ReplicationDurabilityEntry) []v1alpha1.ReplicationDurabilityEntry {
	return entries
}

// After the commit: the new primary is promoted, and all others follow it.
func TestSwitchoverOpening(t *testing.T) {
	onFour := wal.MustHistory(4, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written})
	short := wal.MustHistory(3, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written - 20})
	// again: the old primary was promoted again after a commit of which nobody knew.
	again := wal.MustHistory(4, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written})
	decideEach(t, map[string]decided{
		"it is promoted with its rule in force, to the timeline that is recorded": {committed(), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"its agent refuses":                                                   {committed(refuses(1, topology.StepPromote)), "InOperation/Opening", topology.PhaseOpening, "an operation has the unit"},
		"another primary runs: it is demoted first":                           {committed(primaryAt(2, onThree, written+1)), "InOperation/Opening Demote(u2)", "", ""},
		"it and none else is to be opened":                                    {committed(primaryAt(2, onThree, written+1), refuses(2, topology.StepDemote)), "InOperation/Opening", topology.PhaseOpening, "u2 is a primary as well"},
		"the others follow it":                                                {committed(promotedAt(onThree)), "InOperation/Opening Follow(u0<-u1) Follow(u2<-u1)", "", ""},
		"not one that has more WAL than it":                                   {committed(promotedAt(onThree), stands(0, onTwo, written+5)), "InOperation/Opening Follow(u2<-u1)", "", ""},
		"nor one that does not answer":                                        {committed(promotedAt(onThree), serverDown(2)), "InOperation/Opening Follow(u0<-u1)", "", ""},
		"all do: it is over":                                                  {committed(promotedAt(onThree), followsNew(0), followsNew(2)), "InOperation/Opening save End", "", ""},
		"an agent that refuses does not hold it up":                           {committed(promotedAt(onThree), followsNew(0), refuses(2, topology.StepFollow)), "InOperation/Opening save End", "", ""},
		"its agent has not its rule":                                          {committed(promotedAt(onThree), member(1, func(m *Member) { m.Seen.Record.Rule.W = 2 })), "InOperation/Opening Promote(u1 w=1 open)", "", ""},
		"the end of what it received was half a record: it began before that": {committed(promotedAt(short)), "InOperation/Opening save Data u1 3@0/7BC", "", ""},
		"it took another number":                                              {committed(promotedAt(onFour)), "InOperation/Opening save Data u1 4@0/7D0", "", ""},
		"it has another pod":                                                  {committed(member(1, func(m *Member) { m.PodUID, m.Seen.PodUID = "pod-new", "pod-new" })), "InOperation/Opening save SourcePod switchover-8-Requested u0->u1", "", ""},
		"it left":                                                             {committed(func(v *View) { v.Members = append(v.Members[:1:1], v.Members[2:]...) }), "InOperation/Opening save End", "", ""},
		"it does not answer: it is waited for":                                {committed(serverDown(1)), "InOperation/Opening", topology.PhaseOpening, "u1 does not answer"},
		"not for ever":                                                        {committed(serverDown(1), late, away(0)), "InOperation/Unreachable", ReasonUnreachable, "force-promote: <member>/8"},
		"nor at once":                                                         {committed(newPod(1), serverDown(1)), "InOperation/Opening Isolate(u1)", "", ""},
		"another one takes its place where failovers are enabled":             {committed(member(1, func(m *Member) { m.Seen.ServerID = "1" }), away(0), enabled, durability(entry(1, "u2"))), "InOperation/Fencing save Begin failover-9-SourceFailed u1->", "", ""},
		"it has another database":                                             {committed(member(1, func(m *Member) { m.Seen.ServerID = "1" }), away(0)), "InOperation/Unreachable", ReasonUnreachable, "other data"},

		"another process: the old primary is asked to be none first":   {committed(byAnother, isolatedAt(0, 8)), "InOperation/Opening Demote(u0)", "", ""},
		"it is: the new one is promoted":                               {committed(byAnother), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"the new one was asked to be the primary: nothing is asked":    {committed(byAnother, away(0), promotedAt(onThree), followsNew(2)), "InOperation/Opening save End", "", ""},
		"the old one is a primary again, and is stopped again":         {committed(byAnother, primaryAt(0, again, written+50), followsAgain(1), followsAgain(2)), "InOperation/Opening Demote(u0)", "", ""},
		"what it wrote then has to be on the new one":                  {committed(byAnother, stands(0, again, written+50), isolatedAt(0, 9)), "InOperation/DataLossRisk Isolate(u1)", ReasonDataLossRisk, "u0 has WAL up to 0/802 of timeline 4"},
		"it cannot get that: the old one takes its role back":          {committed(byAnother, stands(0, again, written+50), isolatedAt(0, 9), isolatedAt(1, 9)), "InOperation/Opening save Commit switchover-8-Requested u1->u0", "", ""},
		"how much that is is not known yet":                            {committed(byAnother, member(0, func(m *Member) { m.Server.Received = wal.None })), "InOperation/DataLossRisk Observe(u0)", ReasonDataLossRisk, "does not say yet"},
		"it is: the promotion is recorded from there":                  {committed(byAnother, stands(0, again, written+50), isolatedAt(0, 9), standbyAt(1, again, written+50)), "InOperation/Opening save Data u1 5@0/802", "", ""},
		"it is held down: it is started as a standby":                  {committed(byAnother, serverDown(0), held(0, 9)), "InOperation/DataLossRisk Unhold(u0)", ReasonDataLossRisk, "to be asked"},
		"it is being started":                                          {committed(byAnother, serverDown(0)), "InOperation/Opening Observe(u0)", "", ""},
		"it does not start: it is held down":                           {committed(byAnother, serverDown(0), late), "InOperation/Opening Hold(u0)", "", ""},
		"it cannot be reached: those that it waited for are asked":     {committed(byAnother, away(0)), "InOperation/Opening Isolate(u1) Isolate(u2)", "", ""},
		"they acknowledge nothing, and have no more than the new one":  {committed(byAnother, away(0), isolatedAt(1, 9), isolatedAt(2, 9)), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"one of them has more":                                         {committed(byAnother, away(0), isolatedAt(1, 9), standbyAt(2, onTwo, written+7), isolatedAt(2, 9)), "InOperation/DataLossRisk", ReasonDataLossRisk, "u2 has WAL up to 0/7D7"},
		"too few of them answer":                                       {committed(byAnother, away(0), isolatedAt(1, 9), away(2)), "InOperation/FenceNotProven", ReasonNotFenced, "out-of-service"},
		"its pod has ended: those that it waited for are asked":        {committed(byAnother, away(0), ended(0)), "InOperation/DataLossRisk Isolate(u1) Isolate(u2)", ReasonDataLossRisk, "are asked"},
		"too few of them say what it wrote last":                       {committed(byAnother, away(0), ended(0), isolatedAt(1, 9), away(2)), "InOperation/DataLossRisk", ReasonDataLossRisk, "may have acknowledged commits"},
		"in rpl_async nobody can say that":                             {committed(byAnother, async, away(0), ended(0)), "InOperation/Opening Promote(u1 w=0 timeline=3 open)", "", ""},
		"nor fences it":                                                {committed(byAnother, async, away(0)), "InOperation/FenceNotProven", ReasonNotFenced, "force-promote: u1/9; make sure that u0 takes no writes"},
		"a person accepts the loss, at this epoch":                     {committed(byAnother, async, away(0), force(1, 9)), "InOperation/Opening save Resume switchover-8-Requested u0->u1", "", ""},
		"not at another":                                               {committed(byAnother, async, away(0), force(1, 8)), "InOperation/FenceNotProven", "", ""},
		"or has another one promoted":                                  {committed(byAnother, async, away(0), force(2, 9)), "InOperation/Fencing save Begin failover-10-Forced u1->u2", "", ""},
		"it is recorded that a person did":                             {committed(byAnother, away(0), away(2), byForce), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"one that can be stopped is, also by force":                    {committed(byAnother, isolatedAt(0, 8), byForce), "InOperation/Opening Demote(u0)", "", ""},
		"the new one does not answer: the old one takes the role back": {committed(serverDown(1), late), "InOperation/Fencing save Begin failover-9-TakenBack u1->u0", "", ""},
		"the new one does not say yet how far it has WAL":              {committed(byAnother, member(1, func(m *Member) { m.Server.Received = wal.None })), "InOperation/Opening Observe(u1)", "", ""},
	})
}

// ended: its pod is gone, and the end of that is proven.
func ended(i int) edit {
	return member(i, func(m *Member) { m.PodUID, m.EndedPodUID = "", m.PodUID })
}

// force: a person wants u<i> promoted, at an epoch.
func force(i int, epoch int64) edit {
	return func(v *View) { v.Request.Force, v.Request.ForceEpoch = v.Members[i].Name, epoch }
}

func byForce(v *View) {
	v.Recorded.Operation.Fence = &v1alpha1.ReplicationFence{How: v1alpha1.FenceForced}
}

// followsAgain: u<i> receives from u0 as before.
func followsAgain(i int) edit {
	return member(i, func(m *Member) { m.Server.Receiver = &Receiver{Host: "u0", Port: 5432} })
}

// A commit whose outcome is not known is taken back by calls to agents alone, on a timeline
// of a number that the commit has not.
func TestSwitchoverWhoseCommitIsNotKnown(t *testing.T) {
	unknown := func(v *View) { v.Memory.CommitUnknown = true }
	v := switching(stands(0, onTwo, written), unknown)
	if got := line(decideTwice(t, v)); got != "InOperation/Preparing Promote(u0 w=1 timeline=4 open)" {
		t.Errorf("the old primary: %s", got)
	}
	if p := Decide(with(v, refuses(0, topology.StepPromote))); len(p.Steps) > 0 || p.Change != nil || p.Requeue > time.Second || !p.Memory.CommitUnknown {
		t.Errorf("it refuses: %s, again after %v", line(p), p.Requeue)
	}
	p := Decide(switching(unknown))
	if len(p.Steps) > 0 || p.Change != nil || p.Memory.CommitUnknown || p.Memory.Operation != "" {
		t.Errorf("it is one again: %s, %+v", line(p), p.Memory)
	}
}

// Each phase as it follows from the one before, with servers that do what they are asked.
func TestSwitchoverFromBeginningToEnd(t *testing.T) {
	v := with(healthy(3), asked(1), seenBefore)
	trace := ""
	for range 20 {
		p := decideTwice(t, v)
		trace += " " + strings.TrimPrefix(line(p), "InOperation/")
		v.Memory = p.Memory
		if c := p.Change; c != nil {
			if v.Recorded = c.To.Clone(); c.Kind == topology.ChangeEnd {
				break
			}
			continue
		}
		for _, s := range p.Steps {
			obey(&v, s)
		}
	}
	want := " Preparing save Begin switchover-8-Requested u0->u1 Preparing Demote(u0) Preparing save Commit switchover-8-Requested u0->u1" +
		" Opening Promote(u1 w=1 timeline=3 open) Opening Follow(u0<-u1) Follow(u2<-u1) Opening save End"
	if trace != want {
		t.Errorf("got  %s\nwant %s", trace, want)
	}
	if got := line(Decide(v)); got != "/ Promote(u1 w=1 open)" {
		t.Errorf("afterwards the slots: %s", got)
	}
}

// obey a step, as an agent whose server is quick.
func obey(v *View, s topology.Step) {
	for i := range v.Members {
		m := &v.Members[i]
		if m.Name != s.Member {
			continue
		}
		record := topology.Record{Replication: "replication", Epoch: s.Epoch, Role: topology.RoleIsolated}
		b, _ := m.stored()
		switch s.Kind {
		case topology.StepPromote:
			record.Role, record.Rule, record.Open = topology.RoleSource, s.Rule, s.Open
			history, err := b.History.Promoted(wal.Timeline(s.Timeline), b.End) //nolint:gosec // A handful.
			if err != nil {
				panic(err)
			}
			primaryAt(i, history, b.End+10)(v)
			m.Server.Sync = v.names(s.Rule)
		case topology.StepFollow:
			record.Role, record.Upstream = topology.RoleReplica, s.Upstream
			up := v.Member(s.Upstream.Name).Server
			standbyAt(i, up.History, up.Written)(v)
			m.Server.Receiver = &Receiver{Host: s.Upstream.Host, Port: s.Upstream.Port}
			up.Standbys = append(up.Standbys, Standby{Application: m.Name, Streaming: true, Counted: true, Reloaded: true})
		default:
			standbyAt(i, b.History, b.End)(v)
		}
		m.Seen.Record, m.Seen.Epoch = &record, s.Epoch
	}
}
