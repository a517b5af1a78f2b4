// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// ErrConflict: what is recorded is newer than what was read.
var ErrConflict = errors.New("the object has been modified")

// journal is the API, as far as a Replication records in it.
type journal struct {
	w       *World
	status  *v1alpha1.MysqlReplicationStatus
	version int64
	// wanted is spec.source.
	wanted int
	// isolated members of spec.replica.
	isolated [maxMembers]bool
}

func newJournal(w *World) *journal {
	return &journal{w: w, status: &v1alpha1.MysqlReplicationStatus{}, version: 1}
}

// Load reads the status and its version.
func (s *Seat) Load(context.Context) (*v1alpha1.MysqlReplicationStatus, int64, error) {
	s.pause()
	f := s.fate
	s.fate = fateOK
	if f == fateLost || s.w.cut[operatorNode+s.index][apiNode] {
		s.w.now = s.w.now.Add(callTimeout)
		return nil, 0, errLost
	}
	s.w.now = s.w.now.Add(callTime)
	status := s.w.journal.status.DeepCopy()
	if r := s.w.Rules; len(status.Durability) > 1 && !r.DurabilityList {
		status.Durability = status.Durability[len(status.Durability)-1:]
	}
	if !s.w.Rules.CountQuorum {
		for i := range status.Durability {
			status.Durability[i].W = int32(len(status.Durability[i].Members))
		}
	}
	return status, s.w.journal.version, nil
}

// Save is a compare-and-swap. An error other than ErrConflict says nothing of the
// outcome.
func (s *Seat) Save(_ context.Context, status *v1alpha1.MysqlReplicationStatus, version int64) (int64, error) {
	s.pause()
	w, j, f := s.w, s.w.journal, s.fate
	s.fate = fateOK
	if f == fateLost || w.cut[operatorNode+s.index][apiNode] {
		w.now = w.now.Add(callTimeout)
		return 0, errLost
	}
	w.now = w.now.Add(callTime)
	status = status.DeepCopy()
	save := func() error {
		if version != j.version && w.Rules.CompareAndSwap {
			return ErrConflict
		}
		j.status = status.DeepCopy()
		j.version++
		return nil
	}
	switch f {
	case fateDelayed:
		w.delayed = append(w.delayed, func() { _ = save() })
		w.now = w.now.Add(callTimeout)
		return 0, errLost
	case fateDoubled:
		// The API server refuses the second.
	}
	if err := save(); err != nil {
		return 0, err
	}
	w.trace("operator %d records: epoch %d, source %s", s.index, status.Epoch, status.CurrentSource)
	if f == fateUnanswered || f == fateAgentDies {
		w.now = w.now.Add(callTimeout)
		return 0, errLost
	}
	return j.version, nil
}

// Wanted is spec.source, by place.
func (s *Seat) Wanted() int { return s.w.journal.wanted }

// Isolated says whether spec.replica isolates the member.
func (s *Seat) Isolated(member int) bool { return s.w.journal.isolated[member] }
