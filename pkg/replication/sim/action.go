// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// Action is one thing that happens: a verb and what it happens to.
type Action struct {
	verb string
	// a and b are members, or an operator and what becomes of its call.
	a, b int
}

// kind of action: how it is written, and what it does.
type kind struct {
	// arguments, one letter each: m a member, n a node (a member, an operator or the API),
	// o an operator, f a fate, d a number.
	arguments string
	do        func(w *World, a Action, make Operator)
}

// kinds of actions by their verbs.
var kinds map[string]kind

func init() {
	of := func(f func(m *member)) kind {
		return kind{"m", func(w *World, a Action, _ Operator) { f(w.members[a.a]) }}
	}
	kinds = map[string]kind{
		// Clients.
		"commit": of(func(m *member) { m.w.tryCommit(m.server) }),
		"commit-everywhere": {"", func(w *World, _ Action, _ Operator) {
			for _, m := range w.members {
				w.tryCommit(m.server)
				w.tryCommit(m.formerServer())
			}
		}},
		"commit-former": of(func(m *member) { m.w.tryCommit(m.formerServer()) }),
		// Replication.
		"receive":     of(func(m *member) { m.server.receive() }),
		"acknowledge": of(func(m *member) { m.server.acknowledge() }),
		"apply":       of(func(m *member) { m.server.apply() }),
		"replicate": of(func(m *member) {
			for range 2 {
				m.server.receive()
				m.server.acknowledge()
			}
			m.server.apply()
		}),
		"disconnect": of(func(m *member) { m.server.disconnect() }),
		"foreign":    of(func(m *member) { m.w.attachForeign(m) }),
		"foreign-receives": {"", func(w *World, _ Action, _ Operator) {
			if w.foreign != nil {
				w.foreign.receive()
				w.foreign.acknowledge()
			}
		}},
		// What looks after a server.
		"tend":      of(func(m *member) { m.pod.tend(); m.pod.clone(); m.pod.restoring(); m.eachFormer((*pod).tend) }),
		"supervise": of(func(m *member) { m.pod.supervise(); m.eachFormer((*pod).supervise) }),
		"apply-unit": of(func(m *member) {
			if !m.pod.desired.applied && !m.w.cut[apiNode][m.index] {
				m.pod.apply()
			}
		}),
		// Operators.
		"operator": {"of", func(w *World, a Action, make Operator) {
			if w.operators[a.a] == nil {
				w.startOperator(a.a, make)
			}
			w.operators[a.a].step(fate(a.b))
		}},
		"operator-dies": {"o", func(w *World, a Action, _ Operator) { w.stopOperator(a.a) }},
		"deliver": {"", func(w *World, _ Action, _ Operator) {
			if len(w.delayed) > 0 {
				f := w.delayed[0]
				w.delayed = w.delayed[1:]
				f()
			}
		}},
		"wait": {"d", func(w *World, a Action, _ Operator) { w.now = w.now.Add(time.Duration(a.a) * time.Second) }},
		// Faults.
		"kill": of(func(m *member) {
			if m.server.up {
				m.pod.kill()
			}
		}),
		"restart-agent": of(func(m *member) { m.pod.restartAgent() }),
		// The first question comes before the agent has come to look at its server.
		"restart-agent-slowly": of(func(m *member) { m.pod.restartAgent(); m.pod.unlooked = true }),
		"power":                of(func(m *member) { m.power() }),
		"hang":                 of(func(m *member) { m.server.hung = true }),
		"unhang":               of(func(m *member) { m.server.hung = false }),
		"cut":                  {"nn", func(w *World, a Action, _ Operator) { w.setCut(a.a, a.b, true) }},
		"heal":                 {"nn", func(w *World, a Action, _ Operator) { w.setCut(a.a, a.b, false) }},
		"heal-all": {"", func(w *World, _ Action, _ Operator) {
			w.cut = [maxNodes][maxNodes]bool{}
			for _, m := range w.members {
				m.server.hung = false
			}
		}},
		"delete-pod":   of(func(m *member) { m.deletePod() }),
		"force-delete": of(func(m *member) { m.forceDelete() }),
		"node-gone":    of(func(m *member) { m.nodeGone() }),
		"lose-volume":  of(func(m *member) { m.loseVolume() }),
		// People.
		"want":           {"m", func(w *World, a Action, _ Operator) { w.journal.wanted = a.a }},
		"isolate":        {"m", func(w *World, a Action, _ Operator) { w.journal.isolated[a.a] = true }},
		"pause":          {"", func(w *World, _ Action, _ Operator) { w.journal.paused = true }},
		"unpause":        {"", func(w *World, _ Action, _ Operator) { w.journal.paused = false }},
		"restore":        {"", func(w *World, _ Action, _ Operator) { w.askRestore() }},
		"forget-restore": {"", func(w *World, _ Action, _ Operator) { w.forgetRestore() }},
		"join":           {"m", func(w *World, a Action, _ Operator) { w.journal.isolated[a.a] = false }},
		// Time in which nothing goes wrong.
		"rounds": {"d", func(w *World, a Action, make Operator) {
			for range a.a {
				w.round(make)
			}
		}},
	}
}

// callsPerRound are an operator's in a second or so.
const callsPerRound = 10

// round lets everybody do what he has to, once.
func (w *World) round(make Operator) {
	for _, m := range w.members {
		m.step()
	}
	w.now = w.now.Add(time.Second)
	w.calm = true
	defer func() { w.calm = false }()
	for range callsPerRound {
		if w.operators[0] == nil {
			w.startOperator(0, make)
		}
		w.operators[0].step(fateOK)
	}
}

// attachForeign makes a replica of the user's own receive from a member, with the
// plugin that acknowledges.
func (w *World) attachForeign(m *member) {
	if w.foreign == nil {
		w.foreign = newServer(w, maxServers-1)
		w.foreign.start()
		w.foreign.semiSync.replica, w.foreign.receiver = true, true
	}
	w.foreign.disconnect()
	w.foreign.channel.host = m.index
}

// step lets everybody on a member do what he has to, once.
func (m *member) step() {
	if !m.pod.desired.applied && !m.w.cut[apiNode][m.index] {
		m.pod.apply()
	}
	m.pod.supervise()
	m.pod.tend()
	m.pod.clone()
	m.pod.restoring()
	for range m.w.speed {
		m.server.receive()
		m.server.acknowledge()
		m.server.apply()
	}
}

func (w *World) tryCommit(s *server) {
	if s != nil && s.commit(false) {
		w.trace("a client commits on %s", s.name())
	}
}

func (w *World) setCut(a, b int, cut bool) {
	if a == b {
		return
	}
	w.cut[a][b], w.cut[b][a] = cut, cut
}

// apply is the Unit controller's Apply of a new pod.
func (p *pod) apply() {
	d := &p.desired
	d.applied, d.owner, d.generation = true, replicationUID, 1
}

func (m *member) formerServer() *server {
	for _, p := range m.former {
		if p.alive {
			return p.server
		}
	}
	return nil
}

func (m *member) eachFormer(f func(*pod)) {
	for _, p := range m.former {
		if p.alive {
			f(p)
		}
	}
}

// power failure of the node: all on it is gone but what was synced. The kubelet starts
// the containers of the same pod again.
func (m *member) power() {
	m.server.powerFailure()
	m.pod.restartAgent()
	m.pod.proof = nil
}

// deletePod is the end of a pod in order, and the next one. Who stops it asks nobody
// but the stop plan.
func (m *member) deletePod() {
	if m.server.hung || m.w.cut[apiNode][m.index] {
		// The kubelet cannot report its end: with the rule no other pod comes.
		if m.w.Rules.PodEndProven {
			return
		}
		m.forceDelete()
		return
	}
	if m.server.up {
		m.pod.stop()
	}
	m.pod.alive = false
	m.ended = m.pod.uid
	m.newPod()
}

// forceDelete removes the pod from the API, whatever runs on its node.
func (m *member) forceDelete() {
	if m.w.Rules.PodEndProven || len(m.former) > 0 {
		return
	}
	old := m.pod
	m.former = append(m.former, old)
	// The new pod has the volume too, as a node-local class or two mounts of one image
	// let it. What either writes from here on the other does not see.
	s := newServer(m.w, m.server.number)
	s.volume = old.server.volume
	s.binlog, s.relay = slices.Clone(s.binlog), slices.Clone(s.relay)
	s.hung = false
	m.server = s
	m.newPod()
}

// loseVolume destroys the node with the volume: the unit comes back empty, on another
// node.
func (m *member) loseVolume() {
	if m.w.lostVolumes == maxLostVolumes || m.w.servers == maxServers-1 {
		return
	}
	m.w.lostVolumes++
	if m.server.up {
		m.server.end()
	}
	m.pod.alive = false
	m.ended = m.pod.uid
	for n := range m.w.cut {
		m.w.setCut(m.index, n, false)
	}
	m.server = newServer(m.w, m.w.servers)
	m.w.servers++
	m.newPod()
}

// nodeGone is the proven end of a pod with its node. The next pod waits for a node until
// delete-pod, or until nothing goes wrong any more.
func (m *member) nodeGone() {
	if m.server.up {
		m.server.end()
	}
	m.pod.alive, m.ended = false, m.pod.uid
}

// gone: the member has no pod now.
func (m *member) gone() bool { return m.ended == m.pod.uid }

// maxLostVolumes in one schedule. Where W is 2 or more two could be lost, but for the
// moment in which a replica has dropped what it received because its new upstream has it.
const maxLostVolumes = 1

// String is the action in words, as Parse reads it.
func (a Action) String() string {
	out := a.verb
	for i, letter := range kinds[a.verb].arguments {
		v := a.a
		if i == 1 {
			v = a.b
		}
		switch letter {
		case 'm':
			out += fmt.Sprintf(" u%d", v)
		case 'n':
			switch {
			case v == apiNode:
				out += " api"
			case v >= operatorNode:
				out += fmt.Sprintf(" op%d", v-operatorNode)
			default:
				out += fmt.Sprintf(" u%d", v)
			}
		case 'f':
			if v != int(fateOK) {
				out += " " + fates[v]
			}
		default:
			out += fmt.Sprintf(" %d", v)
		}
	}
	return out
}

// ParseAction reads an action in words.
func ParseAction(line string) (Action, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Action{}, fmt.Errorf("want an action")
	}
	a := Action{verb: words[0]}
	k, ok := kinds[a.verb]
	if !ok {
		return a, fmt.Errorf("%q is no action", a.verb)
	}
	words = words[1:]
	if strings.HasSuffix(k.arguments, "f") && len(words) == len(k.arguments)-1 {
		words = append(words, fates[fateOK])
	}
	if len(words) != len(k.arguments) {
		return a, fmt.Errorf("%q: want %d arguments", line, len(k.arguments))
	}
	for i, letter := range k.arguments {
		v, err := parseArgument(letter, words[i])
		if err != nil {
			return a, fmt.Errorf("%q: %w", line, err)
		}
		if i == 0 {
			a.a = v
		} else {
			a.b = v
		}
	}
	return a, nil
}

func parseArgument(letter rune, word string) (int, error) {
	switch {
	case letter == 'f':
		if i := slices.Index(fates, word); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("%q is none of %v", word, fates)
	case letter == 'n' && word == "api":
		return apiNode, nil
	case letter == 'n' && strings.HasPrefix(word, "op"):
		n, err := strconv.Atoi(word[2:])
		if err != nil || n < 0 || n > 1 {
			return 0, fmt.Errorf("%q is no operator", word)
		}
		return operatorNode + n, nil
	case letter == 'm' || letter == 'n':
		n, err := strconv.Atoi(strings.TrimPrefix(word, "u"))
		if err != nil || n < 0 || n >= maxMembers || word[0] != 'u' {
			return 0, fmt.Errorf("%q is no member", word)
		}
		return n, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || letter == 'o' && n > 1 {
		return 0, fmt.Errorf("%q is no number that fits", word)
	}
	return n, nil
}

// Do makes the action happen. One that cannot happen now does nothing.
func (w *World) Do(a Action, make Operator) {
	k := kinds[a.verb]
	if strings.HasPrefix(k.arguments, "m") && a.a >= len(w.members) {
		return
	}
	k.do(w, a, make)
}

// Settled says whether the set is as its users want it: one open source, which all
// others follow and have caught up with.
func (w *World) Settled() bool {
	var source *server
	for _, m := range w.members {
		if s := m.server; s.runs() && !s.readOnly {
			if source != nil {
				return false
			}
			source = s
		}
	}
	if source == nil || len(source.waiting) > 0 {
		return false
	}
	for _, m := range w.members {
		if m.server == source || w.journal.isolated[m.index] {
			continue
		}
		if r := m.pod.desired.record; r.Role != agentclient.RoleReplica || m.server.upstream == nil || m.server.upstream.to != source || !m.server.executed.contains(&source.executed) {
			return false
		}
	}
	return true
}
