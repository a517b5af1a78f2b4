// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// node is a server of the model.
type node struct {
	name string
	wal  wal.Branch
	// truth is the same with a number of its own for each promotion, which no server knows.
	truth wal.Branch
	// primary writes; upstream is whom a standby receives from.
	primary  bool
	upstream *node
	down     bool
	// cut off from the operator, not from the others.
	cut bool
	// rule of a primary that a new session sees, and that the walsenders have, each of which
	// reads it for itself.
	rule    topology.Rule
	senders map[string]topology.Rule
	// waiting commits.
	waiting []wal.LSN
}

// world is a set, and an operator that works with the parts that are tested.
type world struct {
	rng   *rand.Rand
	nodes []*node
	view  View
	want  topology.Rule
	// memory of the operator between two passes.
	memory topology.Memory
	now    time.Time
	// acknowledged commits, by where they end in truth, and how many promotions there were.
	acknowledged []wal.Position
	promotions   wal.Timeline
	// commitsMayBeUnknown: whoever records a primary may not know that it did.
	commitsMayBeUnknown bool
	// mayLose: what is acknowledged may be lost, for nobody waits for others.
	mayLose bool
	trace   []string
	// silent: nothing is traced.
	silent   bool
	violated string
	// faults replace a rule by one that does not hold.
	faults faults
}

type faults struct{ dropAtOnce, noUnion, highestPosition, countNobody, anyFollows, ownNumbers, walsendersAtOnce bool }

func newWorld(seed uint64, f faults) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), now: testNow, faults: f}
	for i := range 3 + w.rng.IntN(3) {
		n := &node{name: fmt.Sprintf("u%d", i), wal: wal.Branch{History: onOne, End: 10}, truth: wal.Branch{History: onOne, End: 10}, senders: map[string]topology.Rule{}}
		if i > 0 {
			n.upstream = w.nodes[0]
		}
		w.nodes = append(w.nodes, n)
	}
	w.nodes[0].primary = true
	w.view.Request.Sync = true
	w.view.Recorded.Source = "u0"
	w.view.Recorded.Data = v1alpha1.ReplicationData{SystemID: testSystem, Timeline: 1}
	w.want = w.anyRule(w.nodes[0])
	return w
}

func (w *world) say(format string, args ...any) {
	if w.silent {
		return
	}
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) violate(format string, args ...any) {
	if w.violated == "" {
		w.violated = fmt.Sprintf(format, args...)
		w.say("VIOLATED: %s", w.violated)
	}
}

func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *world) any() *node { return w.nodes[w.rng.IntN(len(w.nodes))] }

// anyRule that a primary could have.
func (w *world) anyRule(primary *node) topology.Rule {
	var r topology.Rule
	for len(r.Members) == 0 {
		for _, n := range w.nodes {
			if n != primary && w.rng.IntN(3) > 0 {
				r.Members = append(r.Members, v1alpha1.DurabilityMember{Name: n.name, UnitUID: types.UID("unit-" + n.name)})
			}
		}
	}
	r.W = int32(1 + w.rng.IntN(len(r.Members)))
	return r
}

// observe everybody that can be reached, at one time.
func (w *world) observe() View {
	v := w.view
	v.Members = nil
	w.now = w.now.Add(time.Second)
	for _, n := range w.nodes {
		pod := types.UID("pod-" + n.name)
		m := Member{Member: topology.Member{Name: n.name, UnitUID: types.UID("unit-" + n.name), PodUID: pod, Priority: 1, Owned: true}}
		if !n.down && !n.cut {
			m.Seen = &topology.Observed{At: w.now, PodUID: pod, Answered: true, ReadOnly: !n.primary, ServerID: testSystem, Version: "17.2"}
			m.Server = &Server{Primary: n.primary, History: n.wal.History, Hints: true}
			if n.primary {
				m.Seen.Record = &topology.Record{Role: topology.RoleSource, Rule: n.rule}
				m.Server.Written, m.Server.Sync = n.wal.End, v.names(n.rule)
			} else {
				m.Server.Received, m.Server.Replayed = n.wal.End, n.wal.End
			}
			for _, other := range w.nodes {
				if n.primary && other.upstream == n && !other.down {
					m.Server.Standbys = append(m.Server.Standbys, Standby{Application: other.name, Streaming: true, Counted: n.counts(other.name), Reloaded: w.faults.walsendersAtOnce || n.reloaded(other.name), Flushed: other.wal.End})
				}
			}
		}
		v.Members = append(v.Members, m)
	}
	return v
}

// counts: the standby's walsender takes it for one that commits wait for.
func (n *node) counts(standby string) bool {
	r := n.senders[standby]
	return r.W > 0 && r.Has(standby)
}

// reloaded: its walsender has the rule that a new session sees, or will when it begins.
func (n *node) reloaded(standby string) bool {
	r, begun := n.senders[standby]
	return !begun || r.Equal(n.rule)
}

// write a commit.
func (w *world) write(n *node) {
	if !n.primary || n.down {
		return
	}
	n.wal.End++
	n.truth.End++
	w.say("%s writes %s", n.name, n.wal.Position())
	if n.rule.W == 0 {
		w.acknowledge(n, n.wal.End)
		return
	}
	n.waiting = append(n.waiting, n.wal.End)
}

func (w *world) acknowledge(n *node, at wal.LSN) {
	w.say("%s acknowledges %s", n.name, at)
	if n.name != w.view.Recorded.Source && !w.commitsMayBeUnknown {
		w.violate("%s acknowledges, and %s is the recorded primary", n.name, w.view.Recorded.Source)
	}
	for _, p := range w.acknowledged {
		if !w.mayLose && (!n.truth.History.Contains(p) || n.truth.End < p.LSN) {
			w.violate("%s acknowledges, and lacks %s", n.name, p)
		}
	}
	w.acknowledged = append(w.acknowledged, wal.Position{Timeline: n.truth.History.On(at), LSN: at})
}

// receive some WAL, after which the walsender looks who has what.
func (w *world) receive(n *node) {
	up := n.upstream
	if up == nil || n.down || up.down || !up.primary {
		return
	}
	if _, diverged := n.wal.Diverged(up.wal.History); w.commitsMayBeUnknown && (diverged || n.wal.End > up.wal.End) {
		// It was to follow before that happened: the server refuses to send.
		return
	}
	if at, diverged := n.truth.Diverged(up.truth.History); diverged || n.wal.End > up.wal.End {
		w.violate("%s follows %s and has WAL that it has not: they have the same up to %s", n.name, up.name, at)
		return
	}
	if _, ok := up.senders[n.name]; !ok {
		up.senders[n.name] = up.rule
	}
	n.wal = wal.Branch{History: up.wal.History, End: min(up.wal.End, n.wal.End+wal.LSN(w.rng.IntN(4)))}
	n.truth = wal.Branch{History: up.truth.History, End: n.wal.End}
	if !up.counts(n.name) {
		return
	}
	up.waiting = slices.DeleteFunc(up.waiting, func(at wal.LSN) bool {
		var have int32
		for _, other := range w.nodes {
			if other.upstream == up && up.counts(other.name) && other.wal.End >= at && other.wal.History.Timeline() == up.wal.History.Timeline() {
				have++
			}
		}
		if have < up.senders[n.name].W {
			return false
		}
		w.acknowledge(up, at)
		return true
	})
}

// reload the configuration in one of a primary's walsenders.
func (w *world) reload(standby *node) {
	if up := standby.upstream; up != nil && up.primary {
		up.senders[standby.name] = up.rule
		if up.rule.W == 0 {
			// Whoever sees that nobody is waited for lets all commits go.
			for _, at := range up.waiting {
				w.acknowledge(up, at)
			}
			up.waiting = nil
		}
	}
}

// converge is one pass of an operator while the primary is what is recorded.
func (w *world) converge() {
	v := w.observe()
	before := v.Recorded.Durability
	step, mem := v.Durability(w.want, w.memory, w.now)
	w.memory = mem
	switch {
	case step.Revoked:
		w.violate("a promise is revoked that nobody broke")
	case step.Record != nil:
		record := step.Record
		if w.faults.dropAtOnce {
			record = record[len(record)-1:]
		}
		if w.faults.noUnion && len(record) == len(before)+2 {
			record = slices.Delete(slices.Clone(record), len(record)-2, len(record)-1)
		}
		w.view.Recorded.Durability = record
		w.say("recorded: %s", texts(record))
	case step.Enforce:
		w.node(v.Recorded.Source).rule = topology.RuleOf(v.last())
		w.say("%s is to wait for %s", v.Recorded.Source, texts([]v1alpha1.ReplicationDurabilityEntry{v.last()}))
	}
	for i := range v.Members {
		n := w.nodes[i]
		if n.name == v.Recorded.Source || n.upstream == w.node(v.Recorded.Source) {
			continue
		}
		w.rejoin(v, n)
	}
}

// rejoin a member that does not receive from the recorded primary.
func (w *world) rejoin(v View, n *node) {
	r := v.Rejoin(n.name)
	if v.MayOpen(n.name) == "" {
		w.violate("%s may open", n.name)
	}
	if w.faults.anyFollows && r.Way == WayRewind {
		r.Way = WayFollow
	}
	source := w.node(v.Recorded.Source)
	switch r.Way {
	case WayRefused:
		w.violate("%s is refused: %s", n.name, r.Why)
	case WayRewind, WayCopy:
		if r.Way == WayRewind && n.wal.History.Timeline() == source.wal.History.Timeline() {
			w.violate("%s is rewound from a timeline of the same number", n.name)
		}
		n.wal, n.truth = source.wal, source.truth
	}
	if r.Way != WayWait {
		w.say("%s: %s, %s", n.name, r.Way, r.Why)
		n.primary, n.upstream, n.waiting = false, source, nil
		delete(source.senders, n.name)
	}
}

// failOver the recorded primary, which has gone, or cannot be reached by the operator.
func (w *world) failOver() {
	from := w.node(w.view.Recorded.Source)
	if from.down = from.down || w.rng.IntN(2) == 0; from.down {
		// Their sessions are gone.
		from.waiting = nil
	} else {
		from.cut = true
	}
	w.say("%s is gone: down %v", from.name, from.down)
	var voters []string
	for _, n := range w.nodes {
		if n != from && !n.down && !n.cut && !n.primary && w.rng.IntN(5) > 0 {
			n.upstream = nil
			voters = append(voters, n.name)
		}
	}
	// Those that are not isolated go on in between.
	for range w.rng.IntN(5) {
		w.write(from)
		w.receive(w.any())
	}
	v := w.observe()
	e := v.Elect(voters, w.faults.countNobody)
	if w.faults.highestPosition && e.To != "" {
		for _, name := range voters {
			if w.node(name).wal.End > w.node(e.To).wal.End {
				e.To = name
			}
		}
	}
	if e.To == "" {
		w.say("no failover with %v: %s", voters, e.Why)
		from.down, from.cut = false, false
		return
	}
	w.promote(v, w.node(e.To), voters)
}

func (w *world) promote(v View, n *node, voters []string) {
	for _, p := range w.acknowledged {
		if !n.truth.History.Contains(p) || n.truth.End < p.LSN {
			w.violate("%s is promoted by %v, and lacks %s", n.name, voters, p)
		}
	}
	begin, number := n.wal.End, v.NextTimeline()
	if w.faults.ownNumbers {
		number = n.wal.History.Timeline() + 1
	}
	w.promotions++
	history, err := n.wal.History.Promoted(number, begin)
	truth, trueErr := n.truth.History.Promoted(1000+w.promotions, begin)
	if err != nil || trueErr != nil {
		w.violate("%v, %v", err, trueErr)
		return
	}
	n.wal, n.truth = wal.Branch{History: history, End: begin + 1}, wal.Branch{History: truth, End: begin + 1}
	n.primary, n.rule, n.senders, n.waiting = true, w.anyRule(n), map[string]topology.Rule{}, nil
	r := &w.view.Recorded
	r.Source = n.name
	r.Data.Timeline, r.Data.BeginLSN = int64(history.Timeline()), begin.String()
	r.Durability = topology.Appended(r.Durability, v1alpha1.ReplicationDurabilityEntry{Source: testSystem, Timeline: r.Data.Timeline, W: n.rule.W, Members: n.rule.Members})
	w.want = n.rule
	w.say("%s is promoted to timeline %d at %s by %v; recorded: %s", n.name, history.Timeline(), begin, voters, texts(r.Durability))
}

// comeBack: a server that was down, or cut off, is there again. One that was a primary and
// is none any more by the record does not come back as one.
func (w *world) comeBack(n *node) {
	if !n.down && !n.cut {
		return
	}
	n.down, n.cut = false, false
	if n.name != w.view.Recorded.Source && n.primary {
		if v := w.observe(); v.MayOpen(n.name) == "" {
			w.violate("%s, a former primary, may open", n.name)
		}
		n.primary, n.waiting = false, nil
	}
	for _, other := range w.nodes {
		if other.upstream == n && n.name != w.view.Recorded.Source {
			other.upstream = nil
		}
	}
	w.say("%s is back at %s", n.name, n.wal.Position())
}

func (w *world) step() {
	switch n := w.rng.IntN(40); {
	case n < 8:
		w.write(w.any())
	case n < 22:
		w.receive(w.any())
	case n < 27:
		w.reload(w.any())
	case n < 34:
		w.converge()
	case n < 36:
		w.want = w.anyRule(w.node(w.view.Recorded.Source))
	case n < 38:
		w.comeBack(w.any())
	case n < 39:
		w.failOver()
	}
}

// run a world for a while; it says how the invariants were violated, or nothing.
func run(seed uint64, f faults) (violated string, trace []string) {
	w := newWorld(seed, f)
	for range 300 {
		if w.step(); w.violated != "" {
			break
		}
	}
	return w.violated, w.trace
}

// runs of the test below; each has another seed.
const runs = 300

func TestNothingAcknowledgedIsLost(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	promotions := 0
	for i := range uint64(runs) {
		violated, trace := run(seed+i, faults{})
		if violated != "" {
			t.Fatalf("seed %d: %s\n%s", seed+i, violated, strings.Join(trace, "\n"))
		}
		promotions += strings.Count(strings.Join(trace, "\n"), "is promoted to")
	}
	if promotions < runs/2 {
		t.Errorf("%d promotions in %d runs", promotions, runs)
	}
}

// TestEachRuleIsNeeded: without one of them the runs above would find it.
func TestEachRuleIsNeeded(t *testing.T) {
	for name, f := range map[string]faults{
		"the entries before are dropped at once":                       {dropAtOnce: true},
		"nobody says that commits which wait may be on any of both":    {noUnion: true},
		"the highest position is promoted, of whatever timeline":       {highestPosition: true},
		"votes are not counted":                                        {countNobody: true},
		"a member with WAL that the primary has not is told to follow": {anyFollows: true},
		"two promotions have one number":                               {ownNumbers: true},
		"walsenders are taken to have what a new session sees":         {walsendersAtOnce: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20000) {
				if violated, _ := run(seed, f); violated != "" {
					t.Logf("seed %d: %s", seed, violated)
					return
				}
			}
			t.Error("no run finds it")
		})
	}
}
