// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// journal is the API, as far as a Replication records in it.
type journal struct {
	recorded topology.Recorded
	// wanted is spec.source.
	wanted int
	// isolated members of spec.replica.
	isolated [maxMembers]bool
	// paused by its annotation.
	paused bool
	// restore is the call that is to replace, or replaces, the source's data; empty: none.
	restore types.UID
	// restores counts them.
	restores int
}

var _ worker.Journal = &Seat{}

// failoverDelay is spec.failover.delaySeconds of all worlds.
const failoverDelay = 2 * time.Second

// Load implements worker.Journal.
func (s *Seat) Load(context.Context) (*worker.Loaded, error) {
	s.pause()
	w, f := s.w, s.fate
	s.fate = fateOK
	if f == fateLost || w.cut[operatorNode+s.index][apiNode] {
		w.now = w.now.Add(callTimeout)
		return nil, errLost
	}
	w.now = w.now.Add(callTime)
	l := &worker.Loaded{
		Request: topology.Request{
			UID: replicationUID, Sync: !w.async, Source: w.members[w.journal.wanted].name, Paused: w.journal.paused, Replacing: w.journal.restore,
			Failover: topology.Failover{Enabled: true, Delay: failoverDelay},
		},
		Recorded: w.read(),
		Targets:  map[string]agentclient.Target{},
		Channel:  agentclient.ChannelAccount{User: channelUser, Password: "p"},
	}
	if s.term == w.term {
		l.LeaseRenewed = w.now
	}
	for i := range w.members {
		// The source that the spec asks for comes first.
		switch {
		case i == 0:
			i = w.journal.wanted
		case i <= w.journal.wanted:
			i--
		}
		m := w.members[i]
		all := m.server.all()
		reinit := ""
		if w.reinit {
			reinit = m.server.uuid()
		}
		l.Members = append(l.Members, topology.Member{
			Name: m.name, UnitUID: m.unitUID, Host: m.name, Port: 3306, Priority: 1, Isolated: w.journal.isolated[i], Owned: true,
			HadData: !all.empty(), PodUID: m.pod.uid, PodReady: m.server.runs() && !w.cut[apiNode][i], EndedPodUID: m.ended, Reinit: reinit,
		})
		if m.gone() {
			l.Members[len(l.Members)-1].PodUID = ""
			continue
		}
		l.Targets[m.name] = m.pod.target()
	}
	return l, nil
}

// read is what an operator reads as recorded, by the rules that hold.
func (w *World) read() topology.Recorded {
	r := w.journal.recorded.Clone()
	n := len(r.Durability)
	if op := r.Operation; op != nil && op.Phase == topology.PhaseFencing && !w.Rules.CountQuorum {
		for i := range r.Durability {
			if e := &r.Durability[i]; e.W > 0 {
				e.W = int32(len(e.Members))
			}
		}
	}
	switch {
	case n > 1 && !w.Rules.DurabilityList:
		r.Durability = r.Durability[n-1:]
	case n > 2 && !w.Rules.LeftMayCount && hasAll(r.Durability[n-2], r.Durability[n-3]) && hasAll(r.Durability[n-2], r.Durability[n-1]):
		r.Durability = slices.Delete(r.Durability, n-2, n-1)
	}
	return r
}

// hasAll says whether an entry names all that another one of the same source does.
func hasAll(e, of v1alpha1.ReplicationDurabilityEntry) bool {
	return e.Source == of.Source && !slices.ContainsFunc(of.Members, func(m v1alpha1.DurabilityMember) bool { return !slices.Contains(e.Members, m) })
}

// stored is what the API keeps of it: times in seconds.
func stored(r topology.Recorded) topology.Recorded {
	r = r.Clone()
	if op := r.Operation; op != nil {
		seconds(op.StartedAt)
		seconds(op.Deadline)
		if op.Fence != nil {
			seconds(op.Fence.At)
		}
	}
	if r.LastTransition != nil {
		seconds(&r.LastTransition.At)
	}
	return r
}

func seconds(t *metav1.Time) {
	if t != nil {
		t.Time = t.Truncate(time.Second)
	}
}

// Save implements worker.Journal.
func (s *Seat) Save(_ context.Context, from topology.Recorded, change topology.Change) error {
	s.pause()
	w, f := s.w, s.fate
	s.fate = fateOK
	if f == fateLost || w.cut[operatorNode+s.index][apiNode] {
		w.now = w.now.Add(callTimeout)
		return errLost
	}
	w.now = w.now.Add(callTime)
	to := stored(change.To)
	save := func() error {
		if now := w.read(); w.Rules.CompareAndSwap && !reflect.DeepEqual(from.Clone(), now) {
			return worker.ErrConflict
		}
		w.journal.recorded = to
		if w.traced {
			w.trace("recorded: %s %s, epoch %d, source %s, %s", change.Kind, change.Reason, to.Epoch, to.Source, durabilityText(to.Durability))
		}
		return nil
	}
	if f == fateDelayed {
		w.delayed = append(w.delayed, func() { _ = save() })
		w.now = w.now.Add(callTimeout)
		return errLost
	}
	if err := save(); err != nil {
		return err
	}
	if f == fateUnanswered || f == fateAgentDies {
		w.now = w.now.Add(callTimeout)
		return errLost
	}
	return nil
}
