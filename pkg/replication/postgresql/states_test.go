// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Each state, what leads to it, and what is done in it.
func TestStates(t *testing.T) {
	decideEach(t, map[string]decided{
		"Healthy: nothing is called or recorded":                   {healthy(3), "Healthy/Healthy", "", ""},
		"Healthy: alone":                                           {healthy(1), "Healthy/Healthy", "", ""},
		"Healthy: in rpl_async":                                    {with(healthy(3), async), "Healthy/Healthy", "", ""},
		"Healthy: another account is given to the primary first":   {with(healthy(3), channels("old", "old", "old")), "/ Promote(u0 w=1 open)", "", ""},
		"Healthy: then to the standbys":                            {with(healthy(3), channels("new", "old", "new")), "Healthy/Healthy Follow(u1<-u0)", "", ""},
		"Healthy: not before the primary's agent has it":           {with(healthy(3), channels("", "old", "new")), "Healthy/Healthy", "", ""},
		"Healthy: agents that do not say which are left alone":     {with(healthy(3), channels("", "", "")), "Healthy/Healthy", "", ""},
		"Healthy: a slot is missing":                               {with(healthy(3), slotless(2)), "/ Promote(u0 w=1 open)", "", ""},
		"Healthy: a slot of one that left is dropped":              {with(healthy(2), member(0, func(m *Member) { m.Server.Slots = append(m.Server.Slots, Slot{Name: settings.SlotName("u7")}) })), "/ Promote(u0 w=1 open)", "", ""},
		"Hibernated: nothing is done":                              {with(healthy(3), away(0), away(1), away(2), func(v *View) { v.Request.Hibernated = true }), "Hibernated/Hibernated", "", ""},
		"Paused: nothing is done":                                  {with(healthy(3), away(0), paused), "Paused/Paused", "", ""},
		"Paused: a new pod is asked what it has before it follows": {with(healthy(3), paused, newPod(1), stopped(1, onTwo, written)), "Paused/Paused Isolate(u1)", "", ""},
		"Paused: then it follows":                                  {with(healthy(3), paused, isolatedAt(1, 7)), "Paused/Paused Follow(u1<-u0)", "", ""},
		"Paused: not with WAL that the primary has not":            {with(healthy(3), paused, standbyAt(1, onOne, promoted+5), isolatedAt(1, 7)), "Paused/Paused", "", ""},
		"Paused: nor one that is isolated by the spec":             {with(healthy(3), paused, isolatedAt(1, 7), member(1, func(m *Member) { m.Isolated = true })), "Paused/Paused", "", ""},
		"Paused: the primary's new pod is recorded first":          {with(healthy(3), paused, newPod(0), serverDown(0)), "Paused/Paused save SourcePod", "", ""},
		"Paused: then it is started":                               {with(healthy(3), paused, newPod(0), serverDown(0), podRecorded), "Paused/Paused Promote(u0 w=1 timeline=4 open)", "", ""},
		"Blind: no agent answers":                                  {with(healthy(3), away(0), away(1), away(2), failingFor(time.Hour)), "Blind/NoAgentAnswers", "", ""},

		"Uninitialised: the first primary is recorded before it is called": {with(healthy(3), pristine), "Uninitialised/NoSource save Adopt u0 1@", "", ""},
		"Uninitialised: its agent is waited for":                           {with(healthy(3), pristine, away(0)), "Uninitialised/Waiting", ReasonWaiting, "no answer"},
		"Uninitialised: its database is not known yet":                     {with(healthy(3), pristine, hangs(0)), "Uninitialised/Waiting", "", ""},
		"Uninitialised: it is no member":                                   {with(healthy(3), pristine, func(v *View) { v.Request.Source = "u9" }), "Uninitialised/NoSource", ReasonNoSource, "is no member"},
		"Uninitialised: another member with data is waited for":            {with(healthy(3), pristine, away(2)), "Uninitialised/Waiting", "", ""},
		"Uninitialised: one that never had data is not":                    {with(healthy(3), pristine, away(2), member(2, func(m *Member) { m.HadData = false })), "Uninitialised/NoSource save Adopt u0 1@", "", ""},
		"Uninitialised: another database is not given up":                  {with(healthy(3), pristine, hasData(2, "1")), "Uninitialised/OtherMembersHaveData", ReasonOtherData, "reinit: 1"},
		"Uninitialised: unless a person gives it up":                       {with(healthy(3), pristine, hasData(2, "1"), member(2, func(m *Member) { m.Reinit = "1" })), "Uninitialised/NoSource save Adopt u0 1@", "", ""},
		"Uninitialised: two that have data are asked how far it comes":     {with(healthy(3), pristine, hasData(0, testSystem), hasData(2, testSystem)), "Uninitialised/Waiting Isolate(u0) Isolate(u2)", "", ""},
		"Uninitialised: one that lacks something is not made the primary": {with(healthy(3), pristine, hasData(0, testSystem), hasData(2, testSystem), standbyAt(0, onTwo, written), standbyAt(2, onTwo, written+1)),
			"Uninitialised/OtherMembersHaveData", ReasonOtherData, "up to 0/7D0 of timeline 2, and that has it up to 0/7D1"},
		"Uninitialised: one that has it all is": {with(healthy(3), pristine, hasData(0, testSystem), hasData(2, testSystem), standbyAt(0, onTwo, written), standbyAt(2, onTwo, written-1)),
			"Uninitialised/NoSource save Adopt u0 2@0/3E8", "", ""},
		"Uninitialised: a recreated replication takes the primary over that an agent knows": {with(healthy(3), pristine, formerPrimary(2, 9)), "Uninitialised/NoSource save Adopt u2 2@0/3E8", "", ""},
		"Uninitialised: of two the later one":                                               {with(healthy(3), pristine, formerPrimary(1, 5), formerPrimary(2, 6)), "Uninitialised/NoSource save Adopt u2 2@0/3E8", "", ""},
		"Uninitialised: one that is away may be a later":                                    {with(healthy(3), pristine, formerPrimary(1, 5), away(2)), "Uninitialised/Waiting", ReasonWaiting, "later than u1"},

		"SplitBrain: one that is not the recorded primary is demoted": {with(healthy(3), primaryAt(1, onThree, written+5)), "SplitBrain/SplitBrain Demote(u1)", "", ""},
		"SplitBrain: a former primary that is down and would be one again": {with(healthy(3), serverDown(1), member(1, func(m *Member) {
			m.Seen.Record = &topology.Record{Replication: "replication", Epoch: 6, Role: topology.RoleSource, Open: true}
		})), "/ Demote(u1)", "", ""},

		"SourceLostData: an older volume is not opened":         {with(healthy(3), primaryAt(0, onOne, promoted-1), deaf(1), deaf(2)), "SourceLostData/LostData", ReasonLostData, "Before the recorded timeline"},
		"SourceLostData: nor what another timeline wrote":       {with(healthy(3), primaryAt(0, onOne, promoted+500), deaf(1), deaf(2)), "SourceLostData/LostData", ReasonLostData, "Beyond"},
		"SourceLostData: nor another database":                  {with(healthy(3), serverDown(0), member(0, func(m *Member) { m.Seen.ServerID = "1" })), "SourceLostData/LostData", ReasonLostData, "database 1"},
		"SourceLostData: nor another unit of its name":          {with(healthy(3), member(0, func(m *Member) { m.UnitUID = "new" })), "SourceLostData/LostData", "", ""},
		"SourceStoppedByUser: it is not started":                {with(healthy(3), serverDown(0), member(0, func(m *Member) { m.StoppedByUser = true })), "SourceStoppedByUser/StoppedByUser", "", ""},
		"SourceUnreachable: a standby receives from it":         {with(healthy(3), away(0)), "SourceUnreachable/Unreachable", ReasonUnreachable, "u1 receives from it"},
		"SourceUnreachable: the kubelet says that it is ready":  {with(healthy(3), away(0), deaf(1), deaf(2), member(0, func(m *Member) { m.PodReady = true })), "SourceUnreachable/Unreachable", "", ""},
		"SourceFailed: nobody has an answer of it":              {with(healthy(3), deaf(1), deaf(2), away(0)), "SourceFailed/SourceFailed", "", ""},
		"SourceFailed: it is down":                              {with(healthy(3), serverDown(0)), "SourceFailed/SourceFailed", ReasonSourceFailed, "it is down"},
		"SourceFailed: its new pod is recorded before its role": {with(healthy(3), newPod(0), serverDown(0)), "SourceFailed/SourceFailed save SourcePod", "", ""},
		"SourceFailed: a primary that was one is started as it": {with(healthy(3), newPod(0), serverDown(0), podRecorded), "SourceFailed/SourceFailed Promote(u0 w=1 timeline=4 open)", "", ""},
		"SourceFailed: one whose files do not say so is asked":  {with(healthy(3), newPod(0), podRecorded, stopped(0, onOne, promoted-5)), "SourceFailed/SourceFailed Isolate(u0)", "", ""},
		"SourceFailed: or are not read yet":                     {with(healthy(3), newPod(0), podRecorded, hangs(0)), "SourceFailed/SourceFailed Isolate(u0)", "", ""},
		"SourceFailed: standbys without a role are asked":       {with(healthy(3), serverDown(0), newPod(1), stopped(1, onTwo, written)), "SourceFailed/SourceFailed Isolate(u1)", "", ""},

		"WritesBlocked: the recorded primary is a standby and is promoted": {with(healthy(3), standbyAt(0, onTwo, written), isolatedAt(0, 7)), "/ Promote(u0 w=1 timeline=4 open)", "", ""},
		"WritesBlocked: its agent refuses that": {with(healthy(3), standbyAt(0, onTwo, written), isolatedAt(0, 7), deaf(1), deaf(2), refuses(0, topology.StepPromote)),
			"WritesBlocked/NotInForce", ReasonNotInForce, "its agent refuses that role: an operation has the unit"},
		"WritesBlocked: too few can acknowledge": {with(healthy(2), deaf(1), func(v *View) { v.Memory.BlockedSince = testNow.Add(-time.Minute) }), "WritesBlocked/WritesBlocked", ReasonWritesBlocked, "1 of u1 can acknowledge, 0 can"},
		"WritesBlocked: they are being made": {with(healthy(2), standbyAt(1, onOne, promoted+5), isolatedAt(1, 7), deaf(1), func(v *View) { v.Memory.BlockedSince = testNow.Add(-time.Minute) }),
			"WritesBlocked/ReplicaBeingMade Provision(u1<-u0 replace)", "", ""},
		"Degraded: the agent refuses the primary its rule": {with(healthy(3), durability(entry(0), entry(1, "u1", "u2")), inForce(entry(0)), refuses(0, topology.StepPromote)),
			"Degraded/NotInForce", ReasonNotInForce, "that commits wait for 1 of u1, u2 is recorded for u0 and not in force"},
		"SyncDegraded: what was promised is broken": {with(healthy(3), member(0, func(m *Member) { m.Server.Sync = settings.Sync{} })), "/ save Durability 0/", "", ""},
		"SyncDegraded: nobody has caught up":        {with(healthy(2), promised(entry(0)), away(1), deaf(1)), "SyncDegraded/Unacknowledged", "", ""},

		"Provisioning: an empty member is made a copy":   {with(healthy(3), promised(entry(1, "u1")), emptied(2)), "Provisioning/Provisioning Provision(u2<-u0)", "", ""},
		"Provisioning: commits do not wait for it then":  {with(healthy(3), emptied(2)), "/ save Durability 1/u1,u2 1/u1", "", ""},
		"Provisioning: one at a time":                    {with(healthy(3), promised(entry(0)), emptied(1), emptied(2)), "SyncDegraded/Unacknowledged Provision(u1<-u0)", "", ""},
		"Provisioning: not while one is copied":          {with(healthy(3), promised(entry(0)), emptied(1), emptied(2), member(2, func(m *Member) { m.Provision = &Provision{Running: true} })), "SyncDegraded/Unacknowledged", "", ""},
		"Degraded: a standby does not receive":           {with(healthy(3), deaf(1)), "Degraded/NotReplicating", ReasonReplicating, "does not receive"},
		"Degraded: a standby does not answer":            {with(healthy(3), away(2)), "Degraded/Unreachable", "", ""},
		"Degraded: one that left degrades nothing":       {with(healthy(3), promised(entry(1, "u1")), away(2), member(2, func(m *Member) { m.Leaving = true })), "Healthy/Healthy", "", ""},
		"Degraded: one that has no role is asked first":  {with(healthy(3), newPod(2), stopped(2, onTwo, written)), "Degraded/Unreachable Isolate(u2)", "", ""},
		"Degraded: it replays, and is waited for":        {with(healthy(3), isolatedAt(2, 7), member(2, func(m *Member) { m.Server.Received = wal.None })), "Degraded/NotReplicating", ReasonReplicating, "does not say yet how far"},
		"Degraded: then it follows":                      {with(healthy(3), isolatedAt(2, 7)), "Degraded/NotReplicating Follow(u2<-u0)", "", ""},
		"Degraded: one that follows another is asked to": {with(healthy(3), member(2, func(m *Member) { m.Seen.Record.Upstream.Name = "u1" })), "Healthy/Healthy Follow(u2<-u0)", "", ""},
		"Degraded: or receives from another":             {with(healthy(3), member(2, func(m *Member) { m.Server.Receiver.Host = "u1" })), "Healthy/Healthy Follow(u2<-u0)", "", ""},
		"Degraded: its agent refuses to follow":          {with(healthy(3), isolatedAt(2, 7), refuses(2, topology.StepFollow)), "Degraded/NotReplicating", ReasonReplicating, "an operation has the unit"},
		"Degraded: WAL that the primary has not is isolated first": {with(healthy(3), promised(entry(1, "u1")), standbyAt(2, onOne, promoted+5)),
			"Degraded/MembersDiverged Isolate(u2)", ReasonDiverged, "it has WAL up to 0/3ED of timeline 1, the primary has the same up to 0/3E8"},
		"Degraded: then it is replaced, and kept aside": {with(healthy(3), promised(entry(1, "u1")), standbyAt(2, onOne, promoted+5), isolatedAt(2, 7)),
			"Degraded/MembersDiverged Provision(u2<-u0 replace)", ReasonDiverged, "kept aside"},
		"Degraded: another database is left alone": {with(healthy(3), promised(entry(1, "u1")), isolatedAt(2, 7), member(2, func(m *Member) { m.Seen.ServerID = "1" })),
			"Degraded/NeedsPermission", ReasonNeedsPermission, "reinit: 1"},
		"Degraded: until a person gives it up": {with(healthy(3), promised(entry(1, "u1")), isolatedAt(2, 7), member(2, func(m *Member) { m.Seen.ServerID, m.Reinit = "1", "1" })),
			"Degraded/NeedsPermission Provision(u2<-u0 replace)", "", ""},
		"Degraded: what the primary has lost is left alone": {with(healthy(3), promised(entry(1, "u1")), standbyAt(2, onTwo, written+10), isolatedAt(2, 7)),
			"Degraded/NeedsPermission", ReasonNeedsPermission, "the primary has lost it"},
		"Degraded: its Unit is not ours":                            {with(healthy(3), member(2, func(m *Member) { m.Owned = false })), "Degraded/NotOwned", "", ""},
		"Degraded: a fenced former primary is made a standby first": {with(healthy(3), serverDown(2), deaf(2), held(2, 7)), "Degraded/Unreachable Demote(u2)", "", ""},
		"Degraded: and started then":                                {with(healthy(3), serverDown(2), deaf(2), held(2, 7), isolatedAt(2, 7)), "Degraded/Unreachable Unhold(u2)", "", ""},
	})
}

// What is recorded about the primary and its rule, and what follows for its members.
func TestConvergence(t *testing.T) {
	isolate := member(2, func(m *Member) { m.Isolated = true })
	leave := member(2, func(m *Member) { m.Leaving = true })
	decideEach(t, map[string]decided{
		"the primary was promoted again: its timeline is recorded":         {with(healthy(3), member(0, func(m *Member) { m.Server.History, m.Server.Written = onThree, written+5 })), "/ save Data u0 3@0/7D0", "", ""},
		"and what it promises on that":                                     {with(healthy(3), timeline(3, written), member(0, func(m *Member) { m.Server.History, m.Server.Written = onThree, written+5 })), "/ save Durability 1/u1,u2 1/u1,u2", "", ""},
		"a standby that has caught up is recorded before it is waited for": {with(healthy(3), promised(entry(1, "u1"))), "/ save Durability 1/u1 1/u1,u2", "", ""},
		"then the primary waits for it":                                    {with(healthy(3), durability(entry(1, "u1"), entry(1, "u1", "u2")), inForce(entry(1, "u1"))), "/ Promote(u0 w=1 open)", "", ""},
		"not one that has not caught up":                                   {with(healthy(3), promised(entry(1, "u1")), member(2, func(m *Member) { m.Server.Received, m.Server.Replayed = written-1, written-1 })), "Healthy/Healthy", "", ""},
		"nor one that the primary does not send to":                        {with(healthy(3), promised(entry(1, "u1")), member(0, func(m *Member) { m.Server.Standbys = m.Server.Standbys[:1] })), "Healthy/Healthy", "", ""},
		"one that is away stays in the rule":                               {with(healthy(3), away(2), deaf(2)), "Degraded/Unreachable", "", ""},
		"a unit that was made again by the name does not":                  {with(healthy(3), away(2), deaf(2), member(2, func(m *Member) { m.UnitUID = "new" })), "/ save Durability 1/u1,u2 1/u1", "", ""},
		"one is isolated: the rule changes before it is":                   {with(healthy(3), isolate), "/ save Durability 1/u1,u2 1/u1", "", ""},
		"then it is isolated":                                              {with(healthy(3), promised(entry(1, "u1")), isolate), "Healthy/Healthy Isolate(u2)", "", ""},
		"one leaves: it is released once no promise names it":              {with(healthy(3), promised(entry(1, "u1")), leave, isolatedAt(2, 7), slotless(2)), "Healthy/Healthy Release(u2)", "", ""},
		"not before":                                 {with(healthy(3), durability(entry(1, "u1", "u2"), entry(1, "u1")), inForce(entry(1, "u1")), leave, isolatedAt(2, 7), slotUnused(2)), "Healthy/Healthy", "", ""},
		"the last one is isolated: commits wait":     {with(healthy(2), member(1, func(m *Member) { m.Isolated = true })), "/ save Durability 1/u1 0/", "", ""},
		"the mode becomes rpl_async: recorded first": {with(healthy(3), func(v *View) { v.Request.Sync = false }), "/ save Durability 1/u1,u2 0/", "", ""},
		"Preferred: commits do not wait for long":    {with(healthy(2), away(1), deaf(1), preferred, func(v *View) { v.Memory.BlockedSince = testNow.Add(-blockedFor) }), "/ save Durability 1/u1 0/", "", ""},
		"Preferred: but for a while":                 {with(healthy(2), away(1), deaf(1), preferred, func(v *View) { v.Memory.BlockedSince = testNow.Add(time.Second - blockedFor) }), "WritesBlocked/WritesBlocked", "", ""},
		"Preferred: and again as soon as one can":    {with(healthy(2), promised(entry(0)), preferred), "/ save Durability 0/ 1/u1", "", ""},
		"another primary runs: the recorded one is not opened before it ends": {with(healthy(3), standbyAt(0, onTwo, written), isolatedAt(0, 7), primaryAt(2, onThree, written+5), refuses(2, topology.StepDemote)),
			"WritesBlocked/NotInForce", ReasonNotInForce, "u2 is a primary as well"},
	})
}

// The answers to requests to let a member go.
func TestEvacuation(t *testing.T) {
	asked := func(i int, r v1alpha1.EvacuationRequest) edit {
		return member(i, func(m *Member) { m.Evacuate = r })
	}
	gone := member(2, func(m *Member) {
		m.Seen.Record = &topology.Record{Epoch: 7, Role: topology.RoleIsolated, Released: true}
		m.Server.Receiver = nil
	})
	for name, tc := range map[string]struct {
		view   View
		member int
		want   v1alpha1.EvacuationState
		reason string
	}{
		"a standby restarts at once":                             {with(healthy(3), asked(2, v1alpha1.EvacuationRestart)), 2, v1alpha1.EvacuationDone, ""},
		"one that is to be removed is waited for":                {with(healthy(3), promised(entry(1, "u1")), asked(2, v1alpha1.EvacuationRemove)), 2, v1alpha1.EvacuationInProgress, ReasonWaiting},
		"it is released":                                         {with(healthy(3), promised(entry(1, "u1")), slotless(2), asked(2, v1alpha1.EvacuationRemove), gone), 2, v1alpha1.EvacuationDone, ""},
		"it has what the primary has not":                        {with(healthy(3), promised(entry(1, "u1")), slotless(2), asked(2, v1alpha1.EvacuationRemove), standbyAt(2, onOne, promoted+5), gone), 2, v1alpha1.EvacuationRefused, ReasonDiverged},
		"the primary cannot be compared with":                    {with(healthy(3), promised(entry(1, "u1")), away(0), asked(2, v1alpha1.EvacuationRemove), gone), 2, v1alpha1.EvacuationInProgress, ReasonWaiting},
		"the last that acknowledges stays":                       {with(healthy(2), asked(1, v1alpha1.EvacuationRemove)), 1, v1alpha1.EvacuationRefused, ReasonDurability},
		"the only member restarts, with nobody to take its role": {with(healthy(1), asked(0, v1alpha1.EvacuationRestart)), 0, v1alpha1.EvacuationDone, ReasonOnlyMember},
		"and is not removed":                                     {with(healthy(1), asked(0, v1alpha1.EvacuationRemove)), 0, v1alpha1.EvacuationRefused, ReasonOnlyMember},
		"the primary waits for another one":                      {with(healthy(3), asked(0, v1alpha1.EvacuationRestart)), 0, v1alpha1.EvacuationInProgress, ReasonNoCandidate},
	} {
		t.Run(name, func(t *testing.T) {
			// A change is reported by the decision after it.
			d := &decision{View: tc.view, mem: tc.view.Memory}
			d.keepLast()
			d.source = d.Source()
			got := d.reportOf(&d.Members[tc.member]).Evacuation
			if got == nil || got.State != tc.want || got.Reason != tc.reason {
				t.Errorf("got %+v, want %s, %q", got, tc.want, tc.reason)
			}
		})
	}
}

// Services find the primary and the standbys that replicate by the labels of their pods.
func TestLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		view View
		want string
	}{
		"all": {healthy(3), "source replica replica"},
		"an answer is no reason, nor is its absence": {with(healthy(3), away(0)), "source replica replica"},
		"a primary that is a standby has none":       {with(healthy(3), standbyAt(0, onTwo, written)), " replica replica"},
		"nor one with other data":                    {with(healthy(3), primaryAt(0, onOne, promoted-1)), " replica replica"},
		"nor a standby that does not receive":        {with(healthy(3), deaf(1)), "source  replica"},
		"nor one of another timeline":                {with(healthy(3), member(1, func(m *Member) { m.Server.History = apart })), "source  replica"},
		"nor one that is isolated":                   {with(healthy(3), member(2, func(m *Member) { m.Isolated = true })), "source replica "},
		"nor a second primary":                       {with(healthy(3), primaryAt(1, onThree, written)), "source  replica"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(tc.view)
			got := ""
			for i, m := range tc.view.Members {
				if i > 0 {
					got += " "
				}
				got += string(p.Labels[m.Name])
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// How far a standby lags is seen from where the primary was before.
func TestLag(t *testing.T) {
	history := func(v *View) {
		for i := range 5 {
			v.Memory.Positions = append(v.Memory.Positions, topology.Position{
				At: testNow.Add(time.Duration(i-5) * 20 * time.Second), ServerID: testSystem,
				Executed: wal.Position{Timeline: 2, LSN: written - 500 + 100*wal.LSN(i)}, //nolint:gosec // A handful.
			})
		}
	}
	for name, tc := range map[string]struct {
		replayed wal.LSN
		want     v1alpha1.ReplicationLag
	}{
		"it has all":             {written, v1alpha1.LagCaughtUp},
		"it has what was before": {written - 50, v1alpha1.LagUnder1m},
		"and of a minute ago":    {written - 350, v1alpha1.LagUnder10m},
		"longer than remembered": {written - 600, v1alpha1.LagOver10m},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(with(healthy(2), history, member(1, func(m *Member) { m.Server.Replayed = tc.replayed })))
			if got := p.Members[1]; got.Lag != tc.want || got.CaughtUp != (tc.want == v1alpha1.LagCaughtUp) {
				t.Errorf("got %s, caught up %v, want %s", got.Lag, got.CaughtUp, tc.want)
			}
		})
	}
	v := healthy(2)
	for i := range 100 {
		v.Members[0].Seen.At = testNow.Add(time.Duration(i) * time.Second)
		v.Memory = Decide(v).Memory
	}
	if n := len(v.Memory.Positions); n > maxPositions {
		t.Errorf("%d positions are remembered", n)
	}
}

// pristine: there has never been a primary, and nobody has data or a role.
func pristine(v *View) {
	v.Recorded, v.Memory = topology.Recorded{}, topology.Memory{}
	for i := range v.Members {
		m := &v.Members[i]
		stopped(i, onOne, 10)(v)
		m.Seen.Record, m.Seen.Epoch, m.Seen.Pristine = nil, 0, true
		m.Seen.ServerID = testSystem
		if i > 0 {
			m.Seen.ServerID = "none"
		}
	}
}

// hasData of a database, in a server that has no role.
func hasData(i int, system string) edit {
	return member(i, func(m *Member) { m.Seen.Pristine, m.Seen.ServerID = false, system })
}

// formerPrimary of a replication that is gone.
func formerPrimary(i int, epoch int64) edit {
	return func(v *View) {
		primaryAt(i, onTwo, written)(v)
		m := &v.Members[i]
		m.Seen.Pristine, m.Seen.ServerID, m.Seen.Epoch = false, testSystem, epoch
		m.Seen.Record = &topology.Record{Epoch: epoch, Role: topology.RoleSource, Open: true, Released: true}
	}
}

// podRecorded: in which pod the primary gets its role.
func podRecorded(v *View) {
	for i := range v.Recorded.Members {
		if m := &v.Recorded.Members[i]; m.Name == v.Recorded.Source {
			m.PodUID = v.Members[0].PodUID
		}
	}
}

// emptied: its volume is new, and it has no role.
func emptied(i int) edit {
	return func(v *View) {
		deaf(i)(v)
		stopped(i, wal.History{}, wal.None)(v)
		m := &v.Members[i]
		m.Seen.ServerID, m.Seen.Pristine, m.Seen.Record = "", true, nil
	}
}

// held down as a fence at an epoch, and proven to be stopped.
func held(i int, epoch int64) edit {
	return member(i, func(m *Member) {
		m.Seen.Epoch = epoch
		m.Seen.Holds, m.Seen.HoldsOrder, m.Seen.StopOrder, m.Seen.StopProven = []string{topology.HoldFence}, 5, 5, true
	})
}

// slotUnused: nobody uses the slot of u<i>.
func slotUnused(i int) edit {
	return member(0, func(m *Member) { m.Server.Slots[i-1].Active = false })
}

func preferred(v *View) { v.Request.Durability.Preferred = true }

// timeline that is recorded.
func timeline(t wal.Timeline, begin wal.LSN) edit {
	return func(v *View) { setTimeline(&v.Recorded.Data, t, begin) }
}

// channels: the members have these accounts in force, and another one is asked for.
func channels(ids ...string) edit {
	return func(v *View) {
		v.Request.Channel = "new"
		for i, id := range ids {
			v.Members[i].Seen.Record.Channel = id
		}
	}
}
