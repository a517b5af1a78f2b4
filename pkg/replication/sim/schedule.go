// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Schedule is what happens in a world of so many members, after they have become a
// set.
type Schedule struct {
	Members int
	// Async is mode rpl_async.
	Async   bool
	Actions []Action
}

// String is the schedule as a scenario.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "world %d", s.Members)
	if s.Async {
		b.WriteString(" async")
	}
	b.WriteString("\n")
	for _, a := range s.Actions {
		fmt.Fprintf(&b, "%v\n", a)
	}
	b.WriteString("recover\n----\n")
	return b.String()
}

// settleRounds is the time that a set has to come about, recoverRounds to recover at the
// end, which has deadlines to wait for and more time in each.
const settleRounds, recoverRounds = 40, 90

// profile is what a random schedule is made of: how often which action comes.
type profile map[string]int

// usual is what a set does by itself, with clients, and an operator that looks after it.
var usual = profile{
	"commit": 10, "commit-everywhere": 60, "receive": 60, "acknowledge": 60, "apply": 50, "replicate": 90, "tend": 60, "supervise": 50,
	"operator": 200, "deliver": 12, "apply-unit": 12, "wait": 8, "rounds": 6,
}

// faults all over, or of a kind. A schedule has one of them in addition to what is usual.
var faults = []profile{
	{
		"disconnect": 6, "kill": 8, "restart-agent": 6, "power": 5, "hang": 3, "unhang": 4, "cut": 16, "heal": 8, "heal-all": 3,
		"delete-pod": 4, "force-delete": 3, "commit-former": 4, "lose-volume": 2, "operator-dies": 6, "want": 8, "isolate": 2, "join": 3,
	},
	// A source that is cut off, and comes back.
	{"cut": 40, "heal": 12, "heal-all": 4, "kill": 8, "restart-agent": 6, "power": 6, "hang": 6, "unhang": 4},
	// Members that come and go.
	{"isolate": 14, "join": 14, "cut": 12, "heal": 8, "lose-volume": 3, "deliver": 30, "foreign": 6, "foreign-receives": 60, "kill": 4},
	// Operators that die and sleep.
	{"operator-dies": 10, "want": 30, "deliver": 40, "cut": 16, "heal": 10, "kill": 6, "hang": 6, "unhang": 8},
	// Pods and volumes.
	{"delete-pod": 14, "force-delete": 10, "commit-former": 20, "lose-volume": 5, "power": 10, "cut": 12, "heal": 8, "kill": 6},
	// Nodes that are gone for good, restores, pauses.
	{
		"node-gone": 6, "delete-pod": 10, "restore": 8, "forget-restore": 4, "pause": 4, "unpause": 6, "want": 10, "operator-dies": 8,
		"kill": 6, "cut": 12, "heal": 8, "power": 4,
	},
}

// mix is a profile to draw from.
type mix struct {
	verbs   []string
	weights []int
	total   int
}

// allMixes are made once: they need the kinds of actions, which are made by an init.
var allMixes = sync.OnceValue(func() (out []mix) {
	for _, f := range faults {
		m := mix{verbs: slices.Sorted(maps.Keys(kinds))}
		for _, v := range m.verbs {
			n := usual[v] + f[v]
			m.weights = append(m.weights, n)
			m.total += n
		}
		out = append(out, m)
	}
	return out
})

// draw an action.
func (m mix) draw(rng *rand.Rand) string {
	at := rng.IntN(m.total)
	for i, w := range m.weights {
		if at < w {
			return m.verbs[i]
		}
		at -= w
	}
	panic("sim: a mix without actions")
}

// Random makes a schedule from a seed.
func Random(seed uint64) Schedule {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := Schedule{Members: []int{3, 3, 3, 2, 4, 5}[rng.IntN(6)], Async: rng.IntN(4) == 0}
	mixes := allMixes()
	m := mixes[rng.IntN(len(mixes))]
	n := 60 + rng.IntN(300)
	// Most faults hit the same member: that finds more than faults all over.
	favourite := rng.IntN(s.Members) * rng.IntN(2)
	for len(s.Actions) < n {
		a := randomAction(rng, m.draw(rng), s.Members, favourite)
		s.Actions = append(s.Actions, a)
		if a.verb == "operator" {
			// What it does takes many calls: most of them in a row.
			for range rng.IntN(6) {
				s.Actions = append(s.Actions, Action{verb: a.verb, a: a.a})
			}
		}
	}
	return s
}

func randomAction(rng *rand.Rand, verb string, members, favourite int) Action {
	a := Action{verb: verb}
	member := func() int {
		if rng.IntN(3) == 0 {
			return favourite
		}
		return rng.IntN(members)
	}
	for i, letter := range kinds[a.verb].arguments {
		v := 0
		switch letter {
		case 'm':
			v = member()
		case 'n':
			if v = member(); rng.IntN(2) == 0 {
				v = operatorNode + rng.IntN(3)
			}
		case 'o':
			if rng.IntN(8) == 0 {
				v = 1
			}
		case 'f':
			if rng.IntN(10) == 0 {
				v = 1 + rng.IntN(len(fates)-1)
			}
		default:
			v = 1 + rng.IntN(5)
		}
		if i == 0 {
			a.a = v
		} else {
			a.b = v
		}
	}
	return a
}

// Outcome of a schedule.
type Outcome struct {
	// Violation of an invariant; empty: none.
	Violation string
	// Settled says whether the set has recovered when faults ended, Lost how many volumes
	// were destroyed; Acknowledged counts commits, Tenures how often there was a new source.
	Settled      bool
	Lost         int
	Acknowledged int
	Tenures      int
	// Full: no server can be made any more.
	Full bool
	// Steps until the violation, or all.
	Steps int
}

// Run makes a world, lets it become a set, makes the schedule happen, and looks at what
// is left when nothing goes wrong any more.
func (s Schedule) Run(rules Rules, make Operator, trace func(format string, args ...any)) Outcome {
	w := newWorld(s.Members, rules)
	w.async = s.Async
	if trace != nil {
		w.trace, w.traced = trace, true
	}
	defer func() {
		w.stopOperator(0)
		w.stopOperator(1)
	}()
	w.begin(make)
	out := Outcome{}
	for i, a := range s.Actions {
		if trace != nil && a.verb != "operator" {
			trace("> %v", a)
		}
		w.Do(a, make)
		if w.violation != "" {
			out.Steps = i + 1
			break
		}
	}
	if w.violation == "" {
		out.Steps = len(s.Actions)
		w.recover(make)
	}
	out.Lost, out.Full = w.lostVolumes, w.servers == maxServers-1
	out.Violation, out.Settled = w.violation, w.violation == "" && w.Settled()
	for i := range w.acked {
		out.Acknowledged += w.acked[i].count()
	}
	out.Tenures = w.tenures
	return out
}

// begin lets the members become a set whose commits are safe.
func (w *World) begin(make Operator) {
	committed := false
	for i := 0; i < settleRounds; i++ {
		if !committed && w.opened != nil && w.Settled() {
			committed = w.opened.commit(false)
		}
		if entries := w.journal.recorded.Durability; committed && w.Settled() && (w.async || len(entries) == 1 && entries[0].W > 0 && len(entries[0].Members) == len(w.members)-1) {
			return
		}
		w.round(make)
	}
}

// recover is what comes when nothing goes wrong any more: the set must become whole,
// and have all that was acknowledged.
func (w *World) recover(make Operator) {
	w.trace("--- nothing goes wrong any more")
	w.cut = [maxNodes][maxNodes]bool{}
	for _, m := range w.members {
		m.server.hung = false
		if m.gone() {
			m.newPod()
		}
	}
	for len(w.delayed) > 0 {
		w.Do(Action{verb: "deliver"}, make)
	}
	// Whoever comes next has the Lease.
	w.stopOperator(0)
	w.stopOperator(1)
	w.reinit, w.journal.paused = true, false
	for i := 0; i < recoverRounds && !w.Settled() && w.violation == ""; i++ {
		w.round(make)
		w.now = w.now.Add(2 * time.Second)
	}
	if w.violation != "" || w.forced {
		return
	}
	// Where a failover is refused for good, what was acknowledged is somewhere still.
	var has set
	where := "no volume has it"
	for _, m := range w.members {
		if m.server == w.opened && m.server.up && !m.server.readOnly {
			has, where = m.server.all(), m.name+" is the source and has it not"
			break
		}
		all := m.server.all()
		has.addAll(&all)
	}
	promised := w.promised()
	if lost := promised.without(&has); !lost.empty() {
		w.violate("an acknowledged commit is lost: %v, %s", lost.first(), where)
	}
}

// Fault is what is wrong with an outcome; empty: nothing.
type Fault func(Outcome) string

// Violation of an invariant.
func Violation(o Outcome) string { return o.Violation }

// Unrecovered is a violation, or a set that stays broken although all its volumes are
// there.
func Unrecovered(o Outcome) string {
	if o.Violation == "" && !o.Settled && o.Lost == 0 && !o.Full {
		return "the set does not become whole again"
	}
	return o.Violation
}

// Shrink leaves out what a fault does not need.
func (s Schedule) Shrink(rules Rules, make Operator, fault Fault) Schedule {
	fails := func(actions []Action) bool {
		return fault(Schedule{s.Members, s.Async, actions}.Run(rules, make, nil)) != ""
	}
	actions := s.Actions
	if out := s.Run(rules, make, nil); out.Violation != "" {
		actions = actions[:out.Steps]
	}
	for size := len(actions) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(actions); {
			shorter := append(append([]Action(nil), actions[:at]...), actions[at+size:]...)
			if fails(shorter) {
				actions = shorter
				continue
			}
			at += size
		}
	}
	return Schedule{s.Members, s.Async, actions}
}
