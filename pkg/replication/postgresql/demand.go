// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// unansweredTime is for how long a primary must not have answered before the member that is
// asked for replaces it, where nobody has seen that it is down.
const unansweredTime = 10 * time.Second

// demand begins an operation if one is due and possible; else it says what is waited for. It
// reports whether it did begin one.
func (d *decision) demand() bool {
	if d.Request.Force != "" && d.Request.ForceEpoch == d.Recorded.Epoch && d.Request.Force != d.Recorded.Source {
		if d.beginFailover(cause{reason: ReasonForced, to: d.Request.Force, forced: true}) {
			return true
		}
	}
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
	return d.demandFailover()
}

// demandFailover begins one if it is asked for or allowed, and possible. A member that is
// asked for and cannot be the primary does not keep another one from it.
func (d *decision) demandFailover() bool {
	d.requeue(workInterval)
	d.sayFailing()
	waits := !d.mem.NotBefore.IsZero() && d.Now.Before(d.mem.NotBefore)
	if waits {
		d.find("", ReasonDelay, "the last attempt was taken back: "+d.mem.Refusal)
	}
	if to := d.requested(); to != "" && !waits {
		if reason, message := d.unproven(to); reason != "" {
			d.find("", reason, message)
		} else if d.beginFailover(cause{reason: ReasonRequested, to: to}) {
			return true
		}
	}
	if reason, message := d.mayFailOver(); reason != "" {
		d.find("", reason, message)
		return false
	}
	return !waits && d.beginFailover(cause{reason: ReasonSourceFailed})
}

// unproven says why the member that is asked for does not replace the primary yet; empty: it
// may. Who names another primary wants its role to pass in order if that can be. A question
// that came to nothing is no reason for less: an agent that has just been started answers
// nothing at first, and may not have come to look at its server when it does.
func (d *decision) unproven(to string) (reason, message string) {
	s := d.source
	if s == nil || s.answers() || s.reachable() && (s.Seen.Down || d.lost(s)) || d.podEnded(s) {
		return "", ""
	}
	wait := unansweredTime
	if f := d.Request.Failover; f.Enabled {
		// Else another member were made the primary first, as nobody asked for.
		wait = min(wait, f.Delay)
	}
	if !s.reachable() && d.alive() != "" {
		return ReasonUnreachable, "the role passes to " + to + ", which is asked for, when the agent of " + s.Name +
			" answers again; if it never will, annotate the replication with unit-operator.io/force-promote"
	}
	if since := d.Now.Sub(d.mem.FailingSince); since < wait {
		d.requeue(wait - since)
		return ReasonDelay, to + " is asked for, and replaces " + s.Name + " when it has not answered for " + lasting(wait)
	}
	return "", ""
}

// mayFailOver says why no failover is made without being asked for; empty: it may.
func (d *decision) mayFailOver() (reason, message string) {
	f, last := d.Request.Failover, d.Recorded.LastTransition
	since := d.Now.Sub(d.mem.FailingSince)
	switch {
	case d.plan.State == SourceUnreachable || d.plan.State == SourceStoppedByUser:
		return d.plan.Reason, "no failover is made for that by itself"
	case !f.Enabled:
		return ReasonNotEnabled, "spec.failover is not enabled: the primary is waited for; name another member as primary to replace it"
	case since < f.Delay:
		d.requeue(f.Delay - since)
		return ReasonDelay, "another member is promoted when that has lasted " + lasting(f.Delay)
	case last != nil && last.Type == v1alpha1.OperationFailover && d.Now.Sub(last.At.Time) < f.MinimumInterval:
		d.requeue(f.MinimumInterval - d.Now.Sub(last.At.Time))
		return ReasonTooSoon, "the last failover was less than " + lasting(f.MinimumInterval) + " ago: name another member as primary if this one is to be replaced, too"
	}
	return "", ""
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
