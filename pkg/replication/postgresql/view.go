// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// View is everything that a decision depends on.
type View struct {
	Request  topology.Request
	Recorded topology.Recorded
	// Members in their order.
	Members []Member
	Memory  topology.Memory
	Now     time.Time
	// LeaseFresh: the lease was renewed lately enough to begin something that could wait.
	LeaseFresh bool
}

// Member is a member and what was observed of it.
type Member struct {
	topology.Member
	// Seen is nil while its agent has not answered; Trouble says why not.
	Seen    *topology.Observed
	Trouble string
	// Server is nil while neither the server nor, of one that is stopped, its control file
	// has answered.
	Server *Server
	// Refusals of the calls that were made in this pass and failed.
	Refusals []topology.Refusal
	// Provision is how the copy of a donor goes; nil: none was asked about in this pass.
	Provision *Provision

	// kept: its removal is asked for and it stays, for it is the last that acknowledges.
	kept bool
}

// Provision is the operation that makes a member a copy of a donor.
type Provision struct {
	// Running, or else Failed with Reason and Message, or done.
	Running, Failed bool
	Reason, Message string
}

// Server is what a PostgreSQL says of its replication. Its system identifier is the
// ServerID of what was observed: all members have the same.
type Server struct {
	// Primary: it is not in recovery.
	Primary bool
	// History of the timeline that it writes or replays; zero: its agent did not say.
	History wal.History
	// Written is how far a primary has stored WAL.
	Written wal.LSN
	// Received is how far a standby has stored WAL; None while it cannot say, as before its
	// first receiver. Replayed is how far it has replayed it: within what it received, or
	// beyond, for the receiver begins again at the beginning of a file.
	Received, Replayed wal.LSN
	// Receiver is nil while none runs.
	Receiver *Receiver
	// Standbys are who receives from it now.
	Standbys []Standby
	Slots    []Slot
	// Sync is its synchronous_standby_names in force.
	Sync settings.Sync
	// Control is that of a server that does not run; nil: it runs.
	Control *Control
	// Hints: it logs what pg_rewind needs, by wal_log_hints or checksums.
	Hints bool
}

// Receiver of a standby.
type Receiver struct {
	Host string
	Port int32
}

// Standby is a client of a walsender. Everybody may call itself anything.
type Standby struct {
	Application string
	// Streaming: it has caught up once.
	Streaming bool
	// Counted: the walsender takes it for one of those that commits wait for.
	Counted bool
	// Reloaded: the walsender has read the setting that is in force, for it began after that
	// was loaded, or was seen to work through answers since. Each walsender reads the
	// configuration for itself, and lets commits go by what it has read.
	Reloaded bool
	Flushed  wal.LSN
}

// Slot is a replication slot.
type Slot struct {
	Name string
	// Logical slots are their users' business.
	Logical, Active bool
	// Lost: the server has dropped WAL that it should keep.
	Lost bool
}

// Control is what the control file of a stopped server says. Its History is that of the
// file's timeline.
type Control struct {
	// ShutDown cleanly, as a primary or as a standby.
	ShutDown bool
	Timeline wal.Timeline
	// Checkpoint is where the last one begins: the server has WAL at least up to there.
	Checkpoint wal.LSN
}

// reachable: its agent answered, from the pod that the API knows.
func (m *Member) reachable() bool { return m.Owned && m.Seen != nil && m.Seen.PodUID == m.PodUID }

// answers: its server did as well.
func (m *Member) answers() bool {
	return m.reachable() && m.Seen.Answered && m.Server != nil && m.Server.Control == nil
}

// primary: it answers, and is not in recovery.
func (m *Member) primary() bool { return m.answers() && m.Server.Primary }

// receiving: it is a standby that is connected to another server.
func (m *Member) receiving() bool { return m.answers() && m.Server.Receiver != nil }

// refused says why a call of this kind failed in this pass; ok is false if none did.
func (m *Member) refused(kind topology.StepKind) (string, bool) {
	for _, r := range m.Refusals {
		if r.Kind == kind {
			return r.Message, true
		}
	}
	return "", false
}

// stored is the WAL that the member has for good; ok is false while that is not known. A
// control file is no answer: it is a lower bound of a server that crashed.
func (m *Member) stored() (b wal.Branch, ok bool) {
	switch {
	case !m.answers() || m.Server.History.IsZero():
		return wal.Branch{}, false
	case m.Server.Primary:
		return wal.Branch{History: m.Server.History, End: m.Server.Written}, true
	case m.Server.Received == wal.None:
		return wal.Branch{}, false
	}
	return wal.Branch{History: m.Server.History, End: max(m.Server.Received, m.Server.Replayed)}, true
}

// applied is the WAL that is in the member's data: what it received and has not replayed it
// can receive again of another one.
func (m *Member) applied() (b wal.Branch, ok bool) {
	if b, ok = m.stored(); ok && !m.Server.Primary {
		b.End = m.Server.Replayed
	}
	return b, ok
}

// leaves: it is to be no member any more.
func (m *Member) leaves() bool {
	return m.Leaving || m.Evacuate == v1alpha1.EvacuationRemove && !m.kept
}

// stays: it is to be a standby that may acknowledge and be promoted.
func (m *Member) stays() bool { return !m.Isolated && !m.leaves() }

// Member of that name; nil: none.
func (v *View) Member(name string) *Member {
	if name == "" {
		return nil
	}
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i]
		}
	}
	return nil
}

// Source is the recorded primary; nil: none is recorded, or it is no member.
func (v *View) Source() *Member { return v.Member(v.Recorded.Source) }
