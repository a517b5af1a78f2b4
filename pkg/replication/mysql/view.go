// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"time"

	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
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

// Member is a member and what was observed of it in this pass.
type Member struct {
	topology.Member
	// Seen is nil while its agent has not answered in this pass; Trouble says why not.
	Seen    *topology.Observed
	Trouble string
	// Server is nil while the server itself has not answered.
	Server *Server
	// Refusals of the calls that were made in this pass and failed.
	Refusals []topology.Refusal
	// Provision is how the copy of a donor goes; nil: none was asked about in this pass.
	Provision *Provision
	// Evidence is where its errant transactions were kept in this pass; empty: they were
	// not.
	Evidence string
	// Activity of its clients, if it was asked for in this pass.
	Activity *Activity

	// kept: it is asked to be removed and stays, for it is the last that acknowledges.
	kept bool
}

// Server is what a MySQL says of its replication.
type Server struct {
	UUID             gtid.UUID
	Executed, Purged gtid.Set
	// Committing is what is in its binary log, or about to be, and not executed yet.
	Committing gtid.Set
	// Channel is nil if there is none.
	Channel  *Channel
	SemiSync SemiSync
	// Receivers are the servers that receive from this one now.
	Receivers []Receiver
}

// Channel is the channel that a server replicates by.
type Channel struct {
	Host       string
	Port       int32
	SourceUUID string
	// Receiving: the receiver is connected. Applying: the applier runs.
	Receiving, Applying bool
	// Retrieved is what lies in the relay log, applied or not.
	Retrieved gtid.Set
	// ReceiverError and ApplierError in the server's words; empty: none.
	ReceiverError, ApplierError string
	// ReceiverErrorNumber is the server's number of that error.
	ReceiverErrorNumber int32
}

// SemiSync is the state of semi-synchronous replication.
type SemiSync struct {
	// Enabled as a source, Active: it waits now.
	Enabled, Active bool
	// WaitFor so many acknowledgements; Clients may acknowledge, Waiting sessions wait.
	WaitFor, Clients, Waiting int32
	// Unacknowledged counts commits that were let through.
	Unacknowledged int64
	// Acknowledges: as a replica it does.
	Acknowledges bool
}

// Receiver is a server that receives.
type Receiver struct {
	ServerUUID    string
	Acknowledging bool
}

// Activity is what a switchover would have to end.
type Activity struct {
	// Definition that is being changed, and by whom, in words; empty: none.
	Definition string
	// Writing counts transactions that have changed rows and are open for a second or
	// longer.
	Writing int
}

// Provision is the operation that makes a member a copy of a donor.
type Provision struct {
	// Running, or else Failed with Reason and Message, or done.
	Running, Failed bool
	Reason, Message string
}

// reachable: its agent answered, from the pod that the API knows.
func (m *Member) reachable() bool { return m.Owned && m.Seen != nil && m.Seen.PodUID == m.PodUID }

// answers: its server did as well.
func (m *Member) answers() bool { return m.reachable() && m.Seen.Answered && m.Server != nil }

// open: it takes writes.
func (m *Member) open() bool { return m.answers() && !m.Seen.ReadOnly }

// receiving: it is connected to a source.
func (m *Member) receiving() bool {
	return m.answers() && m.Server.Channel != nil && m.Server.Channel.Receiving
}

// holds is all that the member has: what it executed, and what it only received.
func (m *Member) holds() gtid.Set {
	if m.Server == nil {
		return gtid.Set{}
	}
	if m.Server.Channel == nil {
		return m.Server.Executed
	}
	return m.Server.Executed.Union(m.Server.Channel.Retrieved)
}

// logged is all that is in the server's binary log, or about to be: also commits that wait
// for an acknowledgement.
func (s *Server) logged() gtid.Set { return s.Executed.Union(s.Committing) }

// refused says why a call of this kind failed in this pass; ok is false if none did.
func (m *Member) refused(kind topology.StepKind) (string, bool) {
	for _, r := range m.Refusals {
		if r.Kind == kind {
			return r.Message, true
		}
	}
	return "", false
}
