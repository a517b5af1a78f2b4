// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// unansweredTime is for how long a source must not have answered before the member that is
// asked for replaces it, where nobody has seen that it is down.
const unansweredTime = 10 * time.Second

// demand begins an operation if one is due and possible; else it says what is waited
// for. It reports whether it did begin one.
func (d *decision) demand() bool {
	if d.Request.Force != "" && d.Request.ForceEpoch == d.Recorded.Epoch && d.Request.Force != d.Recorded.Source {
		return d.beginFailover(cause{reason: ReasonForced, to: d.Request.Force, forced: true})
	}
	s := d.source
	failing := s == nil || !s.answers() || d.lost(s)
	if d.Request.Replacing != "" {
		if failing {
			d.sayReplacing()
		}
		return false
	}
	stopped := failing && s != nil && !s.answers() && s.StoppedByUser
	if d.mem.Stopped && !stopped {
		// That was no failure: the delay of one that comes after it begins with that. An agent
		// that is away may be the first sign of one, for kubelets and replicas notice later.
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
			// An agent that is back, and has not heard of its server yet, says nothing about
			// the time in which it was away. What it said before counts: one that is away
			// every few seconds, before a server that hangs, keeps it from no failover.
			d.mem.FailingSince = d.mem.FailingSince.Add(d.Now.Sub(d.mem.AwaySince))
		}
		d.mem.AwaySince = time.Time{}
	}
	return d.demandFailover()
}

// agentAway remembers since when the source's agent says nothing.
func (d *decision) agentAway() {
	if d.mem.AwaySince.IsZero() {
		d.mem.AwaySince = d.Now
	}
}

// requested is the member that somebody asks to be the source and that is not; empty:
// none. What the spec named when the source last changed is no request any more.
func (d *decision) requested() string {
	if r := d.Request.Switchover; r != "" && r != d.Recorded.Source {
		return r
	}
	r, last := d.Request.Source, d.Recorded.LastTransition
	if r == "" || r == d.Recorded.Source || last != nil && last.Requested == r {
		return ""
	}
	return r
}

// demandSwitchover begins one if another source is asked for, or the source's unit is
// about to stop.
func (d *decision) demandSwitchover() bool {
	s := d.source
	c := cause{reason: ReasonRequested, to: d.requested()}
	if c.to == "" {
		if !d.evacuates(s) {
			return false
		}
		c.reason = ReasonEvacuated
	}
	if !d.mem.NotBefore.IsZero() && d.Now.Before(d.mem.NotBefore) {
		d.state(SwitchoverDue, ReasonTargetUnfit, "the last attempt was taken back: %s; the next is made at %s", d.mem.Refusal, d.mem.NotBefore.UTC().Format(time.TimeOnly))
		d.requeue(d.mem.NotBefore.Sub(d.Now))
		return false
	}
	to, why := d.target(c)
	if to == nil {
		d.requeue(workInterval)
		d.state(SwitchoverDue, ReasonTargetUnfit, "%s", why)
		return false
	}
	if !d.LeaseFresh {
		d.requeue(workInterval)
		d.state(SwitchoverDue, ReasonLeaseOld, "the operator's lease was not renewed lately: a switchover begins when the API server answers again")
		return false
	}
	c.to = to.Name
	d.begin(v1alpha1.OperationSwitchover, topology.PhasePreparing, c, switchoverTime)
	return true
}

// evacuates: the member is about to stop, and another one should be the source.
func (d *decision) evacuates(m *Member) bool {
	return m.Evacuate != "" || m.PodTerminating || m.StoppedByUser || m.Leaving
}

// demandFailover begins one if it is asked for or allowed, and possible. A member that is
// asked for and cannot be the source does not keep another one from it.
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

// unproven says why the member that is asked for does not replace the source yet; empty: it
// may. Who names another source wants its role to pass in order if that can be. A question
// that came to nothing is no reason for less: an agent that has just been started answers
// nothing at first, and may not have come to look at its server when it does.
func (d *decision) unproven(to string) (reason, message string) {
	s := d.source
	if s == nil || s.answers() || s.reachable() && s.Seen.Down || d.podEnded(s) {
		return "", ""
	}
	wait := unansweredTime
	if f := d.Request.Failover; f.Enabled {
		// Else another member were made the source first, as nobody asked for.
		wait = min(wait, f.Delay)
	}
	if !s.reachable() && d.alive() != "" {
		return ReasonUnreachable, "the role passes to " + to + ", which is asked for, when the agent of " + s.Name +
			" answers again; if it never will, annotate the replication with unit-operator.io/force-promote"
	}
	if since := d.Now.Sub(d.mem.FailingSince); since < wait {
		d.requeue(wait - since)
		return ReasonDelay, to + " is asked for, and replaces " + s.Name + " when nobody has heard of it for " + lasting(wait)
	}
	return "", ""
}

// sayFailing says in which way the source fails.
func (d *decision) sayFailing() {
	s, name := d.source, d.Recorded.Source
	switch {
	case s == nil:
		d.state(SourceFailed, ReasonSourceFailed, "%s, the source, is no member any more", name)
	case s.answers():
		d.state(SourceLostData, ReasonLostData, "%s, the source, came back with other data than it had, or with none (%s): it is not opened; another member can be made the source", name, s.Seen.ServerID)
	case s.StoppedByUser:
		d.state(SourceStoppedByUser, ReasonStoppedByUser, "%s, the source, was stopped by startup: false; set it to true, or name another source", name)
	case !s.reachable() && d.alive() != "":
		d.state(SourceUnreachable, ReasonUnreachable, "the agent of %s does not answer the operator (%s), but %s: that is no failure of the source", name, shorten(s.Trouble), d.alive())
	case !s.reachable():
		d.state(SourceFailed, ReasonSourceFailed, "%s, the source, does not answer since %s: %s", name, d.mem.FailingSince.UTC().Format(time.RFC3339), waitingFor(s))
	default:
		d.state(SourceFailed, ReasonSourceFailed, "the server of %s, the source, does not answer since %s: %s", name, d.mem.FailingSince.UTC().Format(time.RFC3339), shorten(s.Seen.Trouble))
	}
}

// alive says who contradicts that the source failed, when its agent cannot be reached;
// empty: nobody.
func (d *decision) alive() string {
	s := d.source
	if s == nil {
		return ""
	}
	if s.PodReady {
		return "the kubelet says that its pod is ready"
	}
	id := d.upstream(s).ServerID
	for i := range d.Members {
		m := &d.Members[i]
		if m != s && m.receiving() && id != "" && m.Server.Channel.SourceUUID == id {
			return m.Name + " receives from it"
		}
	}
	return ""
}

// mayFailOver says why no failover is made without being asked for; empty: it may.
func (d *decision) mayFailOver() (reason, message string) {
	f, last := d.Request.Failover, d.Recorded.LastTransition
	since := d.Now.Sub(d.mem.FailingSince)
	switch {
	case d.Request.Paused:
		return ReasonPaused, "no failover is made while the annotation paused says so"
	case d.plan.State == SourceUnreachable || d.plan.State == SourceStoppedByUser:
		return d.plan.Reason, "no failover is made for that by itself"
	case !f.Enabled:
		return ReasonNotEnabled, "spec.failover is not enabled: the source is waited for; name another member as source to replace it"
	case since < f.Delay:
		d.requeue(f.Delay - since)
		return ReasonDelay, "another member is promoted when that has lasted " + lasting(f.Delay)
	case last != nil && last.Type == v1alpha1.OperationFailover && d.Now.Sub(last.At.Time) < f.MinimumInterval:
		d.requeue(f.MinimumInterval - d.Now.Sub(last.At.Time))
		return ReasonTooSoon, "the last failover was less than " + lasting(f.MinimumInterval) + " ago: name another member as source if this one is to be replaced, too"
	}
	return "", ""
}
