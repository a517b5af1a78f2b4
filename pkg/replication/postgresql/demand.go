// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"
)

// demand begins a switchover if one is due and possible; else it says what is waited for,
// or how the primary fails. It reports whether it did begin one.
func (d *decision) demand() bool {
	s := d.source
	failing := s == nil || !s.answers() || d.lost(s)
	stopped := failing && s != nil && !s.answers() && s.StoppedByUser
	if d.mem.Stopped && !stopped {
		// That was no failure: what comes after it begins with that.
		d.mem.FailingSince = time.Time{}
	}
	d.mem.Stopped = stopped
	if !failing {
		d.mem.FailingSince, d.mem.AwaySince = time.Time{}, time.Time{}
		return d.demandSwitchover()
	}
	if d.mem.FailingSince.IsZero() {
		d.mem.FailingSince, d.mem.AwaySince = d.Now, time.Time{}
	}
	switch {
	case s == nil:
	case !s.reachable():
		d.agentAway()
	case !d.mem.AwaySince.IsZero():
		if !s.answers() && !s.Seen.Down {
			// An agent that is back, and has not seen its server yet, says nothing about the
			// time in which it was away. What it said before counts.
			d.mem.FailingSince = d.mem.FailingSince.Add(d.Now.Sub(d.mem.AwaySince))
		}
		d.mem.AwaySince = time.Time{}
	}
	d.requeue(workInterval)
	d.sayFailing()
	return false
}

// agentAway remembers since when the primary's agent says nothing.
func (d *decision) agentAway() {
	if d.mem.AwaySince.IsZero() {
		d.mem.AwaySince = d.Now
	}
}

// sayFailing says in which way the primary fails.
func (d *decision) sayFailing() {
	s, name := d.source, d.Recorded.Source
	switch {
	case s == nil:
		d.state(SourceFailed, ReasonSourceFailed, "%s, the primary, is no member any more", name)
	case d.lost(s):
		d.state(SourceLostData, ReasonLostData, "%s, the primary, came back with other data than it had (database %s, %s the recorded timeline): it is not opened; another member can be made the primary",
			name, s.Seen.ServerID, d.Standing(s))
	case s.StoppedByUser:
		d.state(SourceStoppedByUser, ReasonStoppedByUser, "%s, the primary, was stopped by startup: false; set it to true, or name another primary", name)
	case !s.reachable() && d.alive() != "":
		d.state(SourceUnreachable, ReasonUnreachable, "the agent of %s does not answer the operator (%s), but %s: that is no failure of the primary", name, shorten(s.Trouble), d.alive())
	case !s.reachable():
		d.state(SourceFailed, ReasonSourceFailed, "%s, the primary, does not answer since %s: %s", name, d.mem.FailingSince.UTC().Format(time.RFC3339), waitingFor(s))
	default:
		d.state(SourceFailed, ReasonSourceFailed, "the server of %s, the primary, does not answer since %s: %s", name, d.mem.FailingSince.UTC().Format(time.RFC3339), shorten(s.Seen.Trouble))
	}
}

// alive says who contradicts that the primary failed, when its agent cannot be reached;
// empty: nobody.
func (d *decision) alive() string {
	s := d.source
	if s == nil {
		return ""
	}
	if s.PodReady {
		return "the kubelet says that its pod is ready"
	}
	for i := range d.Members {
		if m := &d.Members[i]; m != s && m.receiving() && m.Server.Receiver.Host == s.Host {
			return m.Name + " receives from it"
		}
	}
	return ""
}
