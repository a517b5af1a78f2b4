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

func enabled(v *View) {
	v.Request.Failover = topology.Failover{Enabled: true, Delay: 30 * time.Second, MinimumInterval: 10 * time.Minute}
}

// gone: the primary is down, and nobody receives from it.
func gone(v *View) {
	deaf(1)(v)
	deaf(2)(v)
	serverDown(0)(v)
}

func maximumLag(limit time.Duration) edit {
	return func(v *View) { v.Request.Failover.MaximumLag = &limit }
}

// When another member takes the place of a primary that fails, and why it does not.
func TestFailoverDue(t *testing.T) {
	const begins = "InOperation/Fencing save Begin failover-8-SourceFailed u0->"
	unreached := func(v *View) {
		deaf(1)(v)
		deaf(2)(v)
		away(0)(v)
	}
	lately := func(v *View) {
		v.Recorded.LastTransition = &v1alpha1.ReplicationTransition{Type: v1alpha1.OperationFailover, To: "u0", At: metav1.NewTime(testNow.Add(-5 * time.Minute)), Requested: "u0"}
	}
	decideEach(t, map[string]decided{
		"it is not enabled":                     {with(healthy(3), gone, failingFor(time.Hour)), "SourceFailed/SourceFailed", ReasonNotEnabled, "name another member"},
		"within its delay":                      {with(healthy(3), gone, enabled, failingFor(29*time.Second)), "SourceFailed/SourceFailed", ReasonDelay, "30s"},
		"after its delay":                       {with(healthy(3), gone, enabled, failingFor(30*time.Second)), begins, "", ""},
		"the last one was lately":               {with(healthy(3), gone, enabled, failingFor(time.Minute), lately), "SourceFailed/SourceFailed", ReasonTooSoon, "less than 10m ago"},
		"the last attempt was taken back":       {with(healthy(3), gone, enabled, failingFor(time.Minute), func(v *View) { v.Memory.NotBefore, v.Memory.Refusal = testNow.Add(1), "it took too long" }), "SourceFailed/SourceFailed", ReasonDelay, "it took too long"},
		"nobody has an answer of it":            {with(healthy(3), unreached, enabled, failingFor(time.Minute)), begins, "", ""},
		"a standby receives from it":            {with(healthy(3), away(0), enabled, failingFor(time.Hour)), "SourceUnreachable/Unreachable", ReasonUnreachable, "by itself"},
		"it was stopped by a user":              {with(healthy(3), gone, enabled, failingFor(time.Hour), member(0, func(m *Member) { m.StoppedByUser = true })), "SourceStoppedByUser/StoppedByUser", "", ""},
		"that was no failure: its delay begins": {with(healthy(3), gone, enabled, failingFor(time.Hour), func(v *View) { v.Memory.Stopped = true }), "SourceFailed/SourceFailed", ReasonDelay, "30s"},
		"it has other data":                     {with(healthy(3), deaf(1), deaf(2), primaryAt(0, onOne, promoted-1), enabled, failingFor(time.Minute)), begins, "", ""},
		"it is paused":                          {with(healthy(3), gone, enabled, paused, failingFor(time.Hour)), "Paused/Paused", "", ""},
		"an agent that is back says nothing about the time in which it was away": {with(healthy(3), deaf(1), deaf(2), hangs(0), enabled, failingFor(time.Minute), func(v *View) { v.Memory.AwaySince = testNow.Add(-50 * time.Second) }),
			"SourceFailed/SourceFailed", ReasonDelay, "30s"},
		"it does where it has seen that the server is down": {with(healthy(3), gone, enabled, failingFor(time.Minute), func(v *View) { v.Memory.AwaySince = testNow.Add(-50 * time.Second) }), begins, "", ""},

		"another one is asked for: one that is down is replaced at once":  {with(healthy(3), gone, asked(2)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"one that hangs may answer yet":                                   {with(healthy(3), deaf(1), deaf(2), hangs(0), asked(2)), "SourceFailed/SourceFailed", ReasonDelay, "when it has not answered for 10s"},
		"not for long":                                                    {with(healthy(3), deaf(1), deaf(2), hangs(0), asked(2), failingFor(10*time.Second)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"nor for longer than a failover waits":                            {with(healthy(3), deaf(1), deaf(2), hangs(0), asked(2), enabled, func(v *View) { v.Request.Failover.Delay = time.Second }, failingFor(time.Second)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"one that lives is not replaced behind its back":                  {with(healthy(3), away(0), asked(2), failingFor(time.Hour)), "SourceUnreachable/Unreachable", ReasonUnreachable, "force-promote"},
		"one that was stopped by a user is":                               {with(healthy(3), gone, asked(2), member(0, func(m *Member) { m.StoppedByUser = true })), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},
		"the one that is asked for lacks something: another one is taken": {with(healthy(3), gone, asked(2), enabled, failingFor(time.Minute), standbyAt(2, onTwo, written-5)), begins, ReasonNoCandidate, "u1 has WAL up to 0/7D0"},
		"the one that is asked for is no member":                          {with(healthy(3), gone, func(v *View) { v.Request.Source = "u9" }), "SourceFailed/SourceFailed", ReasonNoCandidate, "u9 does not answer"},
		"the one that is asked for has no volume left":                    {with(healthy(3), gone, asked(2), member(2, func(m *Member) { m.Seen.LowOnDisk = true })), "SourceFailed/SourceFailed", ReasonNoCandidate, "volume is full"},

		"nobody else answers":                              {with(healthy(3), gone, enabled, failingFor(time.Minute), away(1), away(2)), "SourceFailed/SourceFailed", ReasonNoCandidate, "no other member answers"},
		"too few answer":                                   {with(healthy(3), gone, enabled, failingFor(time.Minute), away(2)), "SourceFailed/SourceFailed", ReasonDataLossRisk, "1 more of those that acknowledge must"},
		"nobody was waited for":                            {with(healthy(3), gone, enabled, failingFor(time.Minute), durability(entry(0), entry(1, "u1", "u2"))), "SourceFailed/SourceFailed", ReasonDataLossRisk, "nobody but the primary"},
		"all that answer have priority 0":                  {with(healthy(2), deaf(1), serverDown(0), enabled, failingFor(time.Minute), member(1, func(m *Member) { m.Priority = 0 })), "SourceFailed/SourceFailed", ReasonNoCandidate, "u1: its priority is 0"},
		"members have diverged":                            {with(healthy(3), gone, enabled, failingFor(time.Minute), standbyAt(1, onThree, written+9), standbyAt(2, wal.MustHistory(4, wal.Switch{Timeline: 1, At: promoted}, wal.Switch{Timeline: 2, At: written}), written+9)), "SourceFailed/SourceFailed", ReasonNoCandidate, "none of the members"},
		"rpl_async: its agent can be asked to stop":        {with(healthy(3), async, gone, enabled, failingFor(time.Minute)), begins, "", ""},
		"rpl_async: it cannot":                             {with(healthy(3), async, unreached, enabled, failingFor(time.Minute)), "SourceFailed/SourceFailed", ReasonNotFenced, "force-promote"},
		"rpl_async: its pod is gone, which proves nothing": {with(healthy(3), async, unreached, enabled, failingFor(time.Minute), member(0, func(m *Member) { m.PodUID = "" })), "SourceFailed/SourceFailed", ReasonNotFenced, "taint its node"},
		"rpl_async: the end of its pod is proven":          {with(healthy(3), async, unreached, enabled, failingFor(time.Minute), ended(0)), begins, "", ""},
		"rpl_async: nobody knows how far the others lag":   {with(healthy(3), async, gone, enabled, failingFor(time.Minute), maximumLag(time.Minute)), "SourceFailed/SourceFailed", ReasonDataLossRisk, "not known to this process"},
		"rpl_async: they lag too far":                      {with(healthy(3), async, seenBefore, gone, enabled, failingFor(time.Minute), maximumLag(time.Minute), standbyAt(1, onTwo, written-1), standbyAt(2, onTwo, written-1)), "SourceFailed/SourceFailed", ReasonDataLossRisk, "further behind than"},
		"rpl_async: one does not":                          {with(healthy(3), async, seenBefore, gone, enabled, failingFor(time.Minute), maximumLag(time.Minute), standbyAt(1, onTwo, written-1)), begins, "", ""},
		"rpl_async: who names one accepts the lag":         {with(healthy(3), async, seenBefore, gone, asked(2), maximumLag(time.Minute), standbyAt(1, onTwo, written-1), standbyAt(2, onTwo, written-1)), "InOperation/Fencing save Begin failover-8-Requested u0->u2", "", ""},

		"by force, although too few answer":      {with(healthy(3), unreached, away(2), force(1, 7)), "InOperation/Fencing save Begin failover-8-Forced u0->u1", "", ""},
		"by force, although the primary is well": {with(healthy(3), force(1, 7)), "InOperation/Fencing save Begin failover-8-Forced u0->u1", "", ""},
		"by force at another epoch: nothing":     {with(healthy(3), force(1, 6)), "Healthy/Healthy", "", ""},
		"by force, one that cannot be a primary": {with(healthy(3), force(1, 7), member(1, func(m *Member) { m.Isolated = true }), promised(entry(1, "u2")), isolatedAt(1, 7)), "Healthy/Healthy", ReasonTargetUnfit, "it is isolated"},
		"by force, one with another database":    {with(healthy(3), force(1, 7), promised(entry(1, "u2")), isolatedAt(1, 7), member(1, func(m *Member) { m.Seen.ServerID = "1" })), "Degraded/NeedsPermission", ReasonTargetUnfit, "another database"},
		"by force, one that is no member":        {with(healthy(3), func(v *View) { v.Request.Force, v.Request.ForceEpoch = "u9", 7 }), "Healthy/Healthy", ReasonTargetUnfit, "no member"},
	})
}

func failing(edits ...edit) View {
	return with(healthy(3), append([]edit{gone, enabled, operating(v1alpha1.OperationFailover, topology.PhaseFencing, "", ReasonSourceFailed)}, edits...)...)
}

// Up to the commit: votes are collected, the fence is proven, and somebody has everything.
func TestFailoverFencing(t *testing.T) {
	votes := func(v *View) {
		isolatedAt(1, 8)(v)
		isolatedAt(2, 8)(v)
	}
	const commits = "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1"
	decideEach(t, map[string]decided{
		"votes are called for and the primary is stopped at once":    {failing(), "InOperation/Fencing Hold(u0) Isolate(u1) Isolate(u2)", "", ""},
		"another process began it: its epoch rises first":            {failing(func(v *View) { v.Memory = topology.Memory{} }), "InOperation/Fencing save Resume failover-8-SourceFailed u0->", "", ""},
		"a vote of the epoch before does not count":                  {failing(isolatedAt(1, 7), isolatedAt(2, 8), held(0, 8)), "InOperation/Fencing Isolate(u1)", "", ""},
		"nor one of another pod":                                     {failing(votes, held(0, 8), newPod(1)), "InOperation/Fencing Isolate(u1)", "", ""},
		"nor one whose receiver runs":                                {failing(votes, held(0, 8), member(1, func(m *Member) { m.Server.Receiver = &Receiver{Host: "u0"} })), "InOperation/Fencing Isolate(u1)", "", ""},
		"a server that starts for its vote is not asked again":       {failing(isolatedAt(2, 8), held(0, 8), stopped(1, onTwo, written), isolatedAt(1, 8)), "InOperation/Fencing Observe(u1)", topology.PhaseFencing, "waiting for votes"},
		"a second primary is demoted":                                {failing(votes, held(0, 8), primaryAt(2, onThree, written+5)), "InOperation/Fencing Demote(u2)", "", ""},
		"the hold is not proven, and too few votes are a fence":      {failing(isolatedAt(1, 8), away(2), held(0, 8), unproven), "InOperation/Fencing", topology.PhaseFencing, "waiting for the proof"},
		"votes are one where nobody can reach it":                    {failing(votes, away(0)), commits, "", ""},
		"not those of members that were made again by their names":   {failing(votes, away(0), member(2, func(m *Member) { m.UnitUID = "new" })), "InOperation/Fencing", topology.PhaseFencing, "waiting for the proof"},
		"nor where it waits for nobody":                              {failing(votes, away(0), async), "InOperation/Fencing", topology.PhaseFencing, "waiting for the proof"},
		"its stop is proven":                                         {failing(votes, held(0, 8)), commits, "", ""},
		"in rpl_async as well":                                       {failing(votes, held(0, 8), async), commits, "", ""},
		"the end of its pod is":                                      {failing(votes, away(0), ended(0), async), commits, "", ""},
		"too few votes have what was acknowledged: it is taken back": {failing(isolatedAt(1, 8), away(2), held(0, 8)), "InOperation/Fencing Unhold(u0) Follow(u1<-u0)", topology.PhaseFencing, "1 more of those that acknowledge must"},
		"one that does not say how far it has WAL is waited for":     {failing(votes, held(0, 8), member(1, func(m *Member) { m.Server.Received = wal.None })), "InOperation/Fencing Observe(u1)", topology.PhaseFencing, "1 more"},
		"nor one whose data is being replaced":                       {failing(votes, held(0, 8), member(1, func(m *Member) { m.Seen.Busy = "rebuild" })), "InOperation/Fencing Unhold(u0) Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "1 more"},
		"the one that has most is taken":                             {failing(votes, held(0, 8), standbyAt(2, onTwo, written+5), isolatedAt(2, 8)), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},
		"the one that is asked for has as much":                      {failing(votes, held(0, 8), func(v *View) { v.Recorded.Operation.To = "u2" }), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u2", "", ""},
		"it has not: taken back":                                     {failing(votes, held(0, 8), standbyAt(1, onTwo, written+5), isolatedAt(1, 8), func(v *View) { v.Recorded.Operation.To = "u2" }), "InOperation/Fencing Unhold(u0) Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "u1 has WAL up to 0/7D5"},
		"the primary answers again":                                  {failing(votes, primaryAt(0, onTwo, written)), "InOperation/Fencing Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "answers again"},
		"it answers as a standby with more than the others":          {failing(votes, stands(0, onTwo, written+9)), "InOperation/Fencing Promote(u0 w=1 timeline=4 open) Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "has more than the others"},
		"with as much: another one is made the primary":              {failing(votes, stands(0, onTwo, written), member(0, func(m *Member) { m.Priority = 0 })), commits, "", ""},
		"it has other data: that is no answer":                       {failing(votes, primaryAt(0, onOne, promoted-1)), "InOperation/Fencing Demote(u0)", "", ""},
		"not for ever":                                               {failing(votes, held(0, 8), member(1, func(m *Member) { m.Server.Received = wal.None }), late), "InOperation/Fencing Unhold(u0) Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "took longer than 1m"},
		"it takes too long":                                          {failing(votes, late), "InOperation/Fencing Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "took longer than 1m"},
		"it is taken back, and nobody has anything to be asked":      {failing(aborting, followsAgain(1), followsAgain(2)), "InOperation/Fencing save End", "", ""},
		"in rpl_async they lag too far":                              {failing(votes, held(0, 8), async, seenBefore, maximumLag(time.Minute), standbyAt(1, onTwo, written-1), standbyAt(2, onTwo, written-1), votes), "InOperation/Fencing Unhold(u0) Follow(u1<-u0) Follow(u2<-u0)", topology.PhaseFencing, "further behind"},
		"another process judged that":                                {failing(votes, held(0, 8), async, maximumLag(time.Minute), standbyAt(1, onTwo, written-1), standbyAt(2, onTwo, written-1), votes), commits, "", ""},
	})
}

func unproven(v *View) { v.Members[0].Seen.StopProven = false }

// A person accepts that acknowledged commits may be lost.
func TestFailoverByForce(t *testing.T) {
	forced := func(edits ...edit) View {
		return with(failing(append([]edit{away(0), away(2), isolatedAt(1, 8)}, edits...)...), func(v *View) {
			v.Recorded.Operation.To = "u1"
			v.Recorded.Operation.Fence = &v1alpha1.ReplicationFence{How: v1alpha1.FenceForced}
		})
	}
	decideEach(t, map[string]decided{
		"nothing but that fences the primary":             {forced(), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1", "", ""},
		"one that can be stopped is":                      {forced(comesBack(0), primaryAt(0, onTwo, written)), "InOperation/Fencing Demote(u0)", "", ""},
		"it promotes what the recorded promotion gave up": {forced(standbyAt(1, onOne, promoted+5), isolatedAt(1, 8)), "InOperation/Fencing save Commit failover-8-SourceFailed u0->u1", "", ""},
		"not what nobody knows":                           {forced(member(1, func(m *Member) { m.Server.Received = wal.None })), "InOperation/Fencing Observe(u1)", topology.PhaseFencing, "does not say how far it has WAL"},
		"nor another database":                            {forced(member(1, func(m *Member) { m.Seen.ServerID = "1" })), "InOperation/Fencing save End", topology.PhaseFencing, "cannot become the primary any more"},
	})
	v := forced(standbyAt(1, onOne, promoted+5), isolatedAt(1, 8))
	p := Decide(v)
	v.Recorded, v.Memory = p.Change.To.Clone(), p.Memory
	if got := line(decideTwice(t, v)); got != "InOperation/Opening Promote(u1 w=1 timeline=3 open)" {
		t.Errorf("what was given up is promoted: %s", got)
	}
	if data := v.Recorded.Data; data.BeginLSN != (promoted + 5).String() {
		t.Errorf("recorded %+v", data)
	}
}

// After the commit of a failover, and where the role is taken back from one that was never
// promoted.
func TestFailoverOpening(t *testing.T) {
	after := func(edits ...edit) View {
		v := failing(isolatedAt(1, 8), isolatedAt(2, 8), away(0))
		p := Decide(v)
		v.Recorded, v.Memory = p.Change.To.Clone(), p.Memory
		return with(v, edits...)
	}
	takenBack := func(edits ...edit) View {
		v := committed(serverDown(1), late)
		p := Decide(v)
		v.Recorded, v.Memory = p.Change.To.Clone(), p.Memory
		return with(v, edits...)
	}
	decideEach(t, map[string]decided{
		"it is promoted": {after(), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"it receives more before it is asked: the promotion begins there": {after(standbyAt(1, onTwo, written+5), isolatedAt(1, 8)), "InOperation/Opening save Data u1 5@0/7D5", "", ""},
		"the other one follows": {after(promotedAt(onThree)), "InOperation/Opening Follow(u2<-u1)", "", ""},
		"it is over":            {after(promotedAt(onThree), followsNew(2)), "InOperation/Opening save End", "", ""},
		"the former primary comes back, and is none": {after(promotedAt(onThree), followsNew(2), comesBack(0), primaryAt(0, onTwo, written+50)), "InOperation/Opening Demote(u0)", "", ""},
		"another process: votes are the fence again": {after(byAnother, isolatedAt(1, 8), isolatedAt(2, 8)), "InOperation/Opening Isolate(u1) Isolate(u2)", "", ""},
		"they are": {after(byAnother), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"the end of its pod is, and nobody is asked":                            {after(byAnother, ended(0), away(2)), "InOperation/Opening Promote(u1 w=1 timeline=3 open)", "", ""},
		"a commit that was not confirmed is read: the fence is asked for again": {after(func(v *View) { v.Memory.CommitUnknown = true }), "InOperation/Opening save Resume failover-8-SourceFailed u0->u1", "", ""},
		"or it was not recorded":                                                {failing(func(v *View) { v.Memory.CommitUnknown = true }), "InOperation/Fencing save Resume failover-8-SourceFailed u0->", "", ""},

		"taken back: the new primary is stopped, and all vote": {takenBack(), "InOperation/Fencing Isolate(u0) Hold(u1) Isolate(u2)", "", ""},
		"the old one has all, and is the primary again":        {takenBack(held(1, 9), isolatedAt(0, 9), isolatedAt(2, 9)), "InOperation/Fencing save Commit failover-9-TakenBack u1->u0", "", ""},
		"it cannot be: the new primary is to be promoted yet":  {takenBack(held(1, 9), isolatedAt(2, 9), away(0), func(v *View) { v.Memory.Aborting = "it took too long" }), "InOperation/Fencing Unhold(u1) Follow(u2<-u1)", "", ""},
		"what its predecessor had is asked for again before":   {takenBack(isolatedAt(2, 9), away(0), away(2), func(v *View) { v.Memory.Aborting = "it took too long" }), "InOperation/Fencing save Resume switchover-9-Requested u0->u1", "", ""},
		"the new one was promoted meanwhile: it stays":         {takenBack(promotedAt(onThree), isolatedAt(0, 9), isolatedAt(2, 9)), "InOperation/Fencing Follow(u0<-u1) Follow(u2<-u1)", topology.PhaseFencing, "answers again"},
	})
	if p := Decide(after()); len(p.Steps) != 1 || strings.Join(p.Steps[0].Slots, " ") != "u0 u2" {
		t.Errorf("slots of all others: %+v", p.Steps)
	}
}

// comesBack: its agent answers, with the record of the time before.
func comesBack(i int) edit {
	return member(i, func(m *Member) {
		m.Seen = &topology.Observed{
			At: testNow, PodUID: m.PodUID, Epoch: 7, Answered: true, ServerID: testSystem, Version: "17.2",
			Record: &topology.Record{Replication: "replication", Epoch: 7, Role: topology.RoleSource, Open: true},
		}
	})
}
