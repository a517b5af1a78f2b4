// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// World is a set and what is around it.
type World struct {
	Rules Rules
	// now moves with calls and waits.
	now     time.Time
	members []*member
	// acked are commits that clients were told to be safe, by how many copies next to one
	// that was a promise of.
	acked    [maxMembers]set
	openings int
	// opened is the server opened last, of the highest tenure.
	opened *server
	// tenures counts how often a member was made the source.
	tenures int
	// reinit: a person gives up what members alone have.
	reinit bool
	// forced: a person has accepted a loss.
	forced bool
	// cut links between nodes: members first, then operators, then the API.
	cut     [maxNodes][maxNodes]bool
	journal journal
	// async: mode rpl_async. Nothing is promised of a commit then, but that one member
	// acknowledges.
	async bool
	// operators may be two at once. term is the Lease's.
	operators [2]*operator
	term      int64
	delayed   []func()
	// foreign is a replica of the user's own, which acknowledges; nil: there is none.
	foreign *server
	// servers counts those that were ever made, pods too.
	servers, pods int
	// learned are the servers of members as the pilot has seen them last.
	learned [maxMembers]string
	// lostVolumes counts those that were destroyed by a fault.
	lostVolumes int
	// violation is the first that was seen, with the step that led to it.
	violation string
	trace     func(format string, args ...any)
	// speed is how many transactions a replica receives and applies in a round.
	speed int
	// calm: nothing goes wrong now, and a server has the second that its agent gives it.
	calm bool
	// traced: somebody reads it.
	traced bool
}

const (
	maxMembers = 5
	maxNodes   = maxMembers + 3
	// The nodes of the operators and of the API.
	operatorNode = maxMembers
	apiNode      = maxMembers + 2
)

// member is a unit: its name leads to the server of its pod.
type member struct {
	w       *World
	index   int
	name    string
	unitUID types.UID
	server  *server
	pod     *pod
	// former are pods that were given up and whose servers may run on.
	former []*pod
	// ended is the pod whose end was proven last.
	ended types.UID
}

// newWorld has n members, whose pods run and have nothing but empty servers.
func newWorld(n int, rules Rules) *World {
	w := &World{Rules: rules, speed: 1, now: time.Unix(1_700_000_000, 0).UTC(), term: 1, trace: func(string, ...any) {}}
	for i := range n {
		m := &member{w: w, index: i, name: fmt.Sprintf("u%d", i), unitUID: types.UID(fmt.Sprintf("unit-u%d", i))}
		m.server = newServer(w, i)
		w.servers++
		w.members = append(w.members, m)
		m.newPod()
	}
	return w
}

func (m *member) newPod() {
	m.w.pods++
	m.pod = &pod{m: m, server: m.server, uid: types.UID(fmt.Sprintf("pod-%s-%d", m.name, m.w.pods)), alive: true}
	m.server.pod = m.pod
}

// learn is what an operator has seen: the identity of a member's server.
func (w *World) learn(member int, serverID string) {
	if serverID != "" {
		w.learned[member] = serverID
	}
}

// linked says whether two nodes reach each other. The numbers of servers beyond the
// members' are of servers made anew on a member's node.
func (w *World) linked(a, b int) bool { return !w.cut[w.nodeOf(a)][w.nodeOf(b)] }

func (w *World) nodeOf(server int) int {
	if server < len(w.members) {
		return server
	}
	for _, m := range w.members {
		if m.server.number == server {
			return m.index
		}
	}
	return 0
}

// violate records the first violation.
func (w *World) violate(format string, args ...any) {
	if w.violation == "" {
		w.violation = fmt.Sprintf(format, args...)
		w.trace("VIOLATION: %s", w.violation)
	}
}

// acknowledged is a client that was told that its commit is safe.
func (w *World) acknowledged(s *server, c commit) {
	w.trace("%s acknowledges %v", s.name(), c.transaction)
	if !w.async {
		w.acked[min(s.promised, maxMembers-1)].add(c.transaction)
	}
	if o := w.opened; o != nil && o != s && o.tenure > s.tenure {
		has := o.all()
		switch {
		case c.openings == w.openings:
			w.violate("two members acknowledge: %s has taken %v after %s was opened, and acknowledges it", s.name(), c.transaction, o.name())
		case !w.async && !has.has(c.transaction) && s.promised >= w.lostVolumes && !w.forced:
			w.violate("an acknowledged commit is lost: %s acknowledges %v, which %s has not, and %s is the source", s.name(), c.transaction, o.name(), o.name())
		}
	}
}

// promised is what must not be lost: commits that had more copies than volumes were
// destroyed.
func (w *World) promised() (s set) {
	for n := w.lostVolumes; n < maxMembers; n++ {
		s.addAll(&w.acked[n])
	}
	return s
}

// open is the end of a promotion: the server takes writes.
func (w *World) open(s *server, tenure int) {
	if !s.readOnly && s.tenure == tenure {
		return
	}
	w.trace("%s is opened", s.name())
	s.readOnly, s.superReadOnly, s.tenure = false, false, tenure
	w.openings++
	if w.opened != nil && tenure < w.opened.tenure {
		// One that was replaced may open by its record: nobody acknowledges its commits.
		return
	}
	w.opened = s
	has, promised := s.all(), w.promised()
	if lost := promised.without(&has); !lost.empty() && !w.forced {
		w.violate("an acknowledged commit is lost: %s is opened without %v", s.name(), lost.first())
	}
}

// destroyed is data that a server no longer has. What was acknowledged must be
// somewhere still.
func (w *World) destroyed(s *server, gone *set, how string) {
	var elsewhere set
	for _, m := range w.members {
		all := m.server.all()
		elsewhere.addAll(&all)
	}
	none := set{}
	promised := w.promised()
	notPromised := gone.without(&promised)
	acked := gone.without(&notPromised)
	if acked == none || w.forced {
		return
	}
	if lost := acked.without(&elsewhere); !lost.empty() {
		w.violate("an acknowledged commit is lost: %s had the last copy of %v, and %s", s.name(), lost.first(), how)
	}
}

func (s *server) name() string {
	for _, m := range s.w.members {
		if m.server == s {
			return m.name
		}
		for _, p := range m.former {
			if p.server == s {
				return m.name + " (former pod)"
			}
		}
	}
	return fmt.Sprintf("s%d", s.number)
}
