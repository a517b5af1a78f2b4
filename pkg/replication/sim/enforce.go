// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

var (
	errNotYet    = errors.New("not done yet")
	errWouldLose = errors.New("this would lose received transactions")
)

// enforce makes the server what is recorded, as far as it can at once.
func (p *pod) enforce(upstreamExecuted string) error {
	d, s := &p.desired, p.server
	stopped := p.proof != nil && !s.up
	switch {
	case stopped && len(d.holds) > 0:
		if d.record.Role == agentclient.RoleIsolated {
			return nil
		}
		return errNotYet
	case d.restart || !s.runs():
		return errNotYet
	}
	var err error
	switch d.record.Role {
	case agentclient.RoleSource:
		err = p.enforceSource()
	case agentclient.RoleReplica:
		err = p.enforceReplica(upstreamExecuted)
	case agentclient.RoleIsolated:
		err = p.enforceIsolated()
	default:
		return nil
	}
	if err == nil {
		p.enforced, p.before = p.enforcement(), nil
	}
	return err
}

func (p *pod) enforceSource() error {
	s, r, w := p.server, &p.desired.record, p.m.w
	if s.receiver || s.upstream != nil {
		s.stopReceiver()
	}
	if len(s.relay) > 0 {
		if s.applierError != 0 {
			return errWouldLose
		}
		s.applying = true
		return errNotYet
	}
	s.applying, s.semiSync.replica = false, false
	if !w.Rules.DurabilityBeforeOpen && r.Open && s.readOnly {
		w.open(s, r.tenure)
		return errNotYet
	}
	switch {
	case p.forgot:
	case r.Durability.Sync:
		s.semiSync.source, s.semiSync.waitFor = true, int(r.Durability.W)
		s.promised = s.semiSync.waitFor
		s.release()
	case s.semiSync.source && !p.makeAsync():
		return errNotYet
	default:
		s.promised = 0
	}
	if r.Open {
		w.open(s, r.tenure)
	}
	return nil
}

// makeAsync switches the wait off; it says whether the server is so now.
func (p *pod) makeAsync() bool {
	if len(p.server.waiting) > 0 && p.m.w.Rules.KillWaiting {
		p.kill()
		return false
	}
	p.server.stopWaiting()
	return true
}

// kill is SIGKILL and a start afterwards, if nothing holds it.
func (p *pod) kill() {
	p.m.w.trace("the server of %s is killed", p.m.name)
	p.server.end()
}

// closed takes writes away; it says whether the server is closed.
func (p *pod) closed() bool {
	s := p.server
	if p.m.w.calm {
		s.acknowledgeAll()
	}
	switch {
	case s.readOnly && len(s.waiting) == 0:
	case len(s.waiting) > 0 && p.m.w.Rules.KillWaiting:
		p.kill()
		return false
	case len(s.waiting) > 0:
		s.terminate()
		return false
	}
	s.readOnly, s.superReadOnly = true, true
	if s.semiSync.source {
		s.stopWaiting()
	}
	return true
}

func (p *pod) enforceReplica(upstreamExecuted string) error {
	s, r, w := p.server, &p.desired.record, p.m.w
	if !p.closed() {
		return errNotYet
	}
	want := channel{host: w.indexOf(r.Upstream.Host), user: r.Upstream.User}
	if s.channel != want || !w.Rules.KeepReceived {
		s.stopReceiver()
		if len(s.relay) > 0 && w.Rules.KeepReceived {
			there, err := setOf(upstreamExecuted)
			all := s.all()
			if err != nil || !there.contains(&all) || w.Rules.ApplyFirst && s.applierError == 0 {
				if s.applierError != 0 {
					return errWouldLose
				}
				s.applying = true
				return errNotYet
			}
		}
		s.changeSource(want)
	}
	if s.semiSync.replica != r.acknowledge || s.upstream != nil && s.upstream.acknowledges != r.acknowledge {
		s.stopReceiver()
	}
	s.semiSync.replica = r.acknowledge
	s.applying = s.applierError == 0
	return p.startReceiver()
}

// startReceiver asks the upstream who it is before it is followed.
func (p *pod) startReceiver() error {
	s, r, w := p.server, &p.desired.record, p.m.w
	if s.receiver || s.receiverError == errorPurged {
		return nil
	}
	if id := r.Upstream.ServerID; id != "" {
		host := w.indexOf(r.Upstream.Host)
		if host < 0 {
			return errNotYet
		}
		up := w.members[host].server
		if !up.runs() || !w.linked(s.number, up.number) || up.uuid() != id {
			return errNotYet
		}
	}
	s.receiver = true
	return nil
}

func (p *pod) enforceIsolated() error {
	s := p.server
	if !p.closed() {
		return errNotYet
	}
	s.stopReceiver()
	s.semiSync.replica = false
	s.applying = s.applierError == 0
	return nil
}

// tend is the agent's look after a server with a role, about once a second.
func (p *pod) tend() {
	d, s := &p.desired, p.server
	if !p.alive || d.record.Role == agentclient.RoleUnknown || len(d.holds) > 0 || !s.runs() || d.restart {
		return
	}
	if p.enforced != p.enforcement() {
		if err := p.enforce(""); errors.Is(err, errWouldLose) {
			return
		}
		return
	}
	switch d.record.Role {
	case agentclient.RoleSource:
		p.tendSource()
	case agentclient.RoleReplica:
		if c := s.upstream; c != nil && d.record.Upstream.ServerID != "" && c.to.uuid() != d.record.Upstream.ServerID {
			s.stopReceiver()
			return
		}
		s.applying = s.applierError == 0
		_ = p.startReceiver()
	case agentclient.RoleIsolated:
		s.stopReceiver()
		s.applying = s.applierError == 0
	}
	if closed := d.record.Role != agentclient.RoleSource; s.readOnly != closed && (closed || d.record.Open) {
		p.enforced = enforcement{}
	}
}

// lostAfter is how many looks commits wait, with enough receivers attached, before an
// acknowledgement counts as lost.
const lostAfter = 2

func (p *pod) tendSource() {
	s, w := p.server, p.m.w
	if w.Rules.ForeignReceivers && p.desired.record.Durability.Sync {
		for _, c := range s.attached {
			if c != nil && c.acknowledges && !p.isMember(c.from) {
				s.detach(c)
			}
		}
	}
	if !w.Rules.NeverDegrade && len(s.waiting) > 0 {
		s.stopWaiting()
		return
	}
	if len(s.waiting) == 0 || s.readOnly || s.clients() < s.semiSync.waitFor {
		p.since = 0
		return
	}
	if p.since++; p.since > lostAfter {
		p.since = 0
		if last := s.waiting[len(s.waiting)-1]; !last.own {
			s.commit(true)
		}
	}
}

func (p *pod) isMember(of *server) bool {
	for _, m := range p.desired.record.Durability.Members {
		if m.ServerID == of.uuid() {
			return true
		}
	}
	return false
}

// supervise is one look of supervise: it stops a server that is held, and starts one
// that is not.
func (p *pod) supervise() {
	d, s, w := &p.desired, p.server, p.m.w
	if !p.alive {
		return
	}
	mayRun := d.applied && len(d.holds) == 0
	switch {
	case s.up && !mayRun:
		p.stop()
	case s.up:
		d.restart = false
		return
	case mayRun && !s.hung && w.free(p):
		p.proof = nil
		d.restart = false
		p.startServer()
		return
	}
	if !s.up && len(d.holds) > 0 {
		if p.proof == nil || p.proof.Order != d.holdsOrder {
			p.proof = &agentclient.StopProof{Order: d.holdsOrder, How: "Exited", At: w.now}
		}
	}
}

// stop is a stop plan: nobody's commit is acknowledged by it.
func (p *pod) stop() {
	s := p.server
	if len(s.waiting) > 0 && !p.m.w.Rules.KillWaiting {
		s.terminate()
		return
	}
	s.end()
}

func (p *pod) startServer() {
	p.resume()
	s, r, w := p.server, &p.desired.record, p.m.w
	s.start()
	if r.Role == agentclient.RoleSource && r.Durability.Sync && w.Rules.RecordedDurability {
		s.semiSync.source, s.semiSync.waitFor = true, int(r.Durability.W)
	}
	p.forgot = !w.Rules.RecordedDurability
	s.semiSync.replica = r.acknowledge
	if !w.Rules.ClosedStart {
		w.open(s, r.tenure)
	}
}

// free says whether no other pod's server has the volume.
func (w *World) free(p *pod) bool {
	for _, f := range p.m.former {
		if f.server == p.server && f.server.up {
			return false
		}
	}
	return true
}

func (w *World) indexOf(name string) int {
	for _, m := range w.members {
		if m.name == name {
			return m.index
		}
	}
	return -1
}
