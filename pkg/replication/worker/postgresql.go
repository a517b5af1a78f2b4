// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"math"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// PostgreSQL is the engine of primaries and standbys by package postgresql.
func PostgreSQL() Engine { return postgresqlEngine{} }

type postgresqlEngine struct{}

func (postgresqlEngine) servers(n int) servers { return make(postgresqlServers, n) }

// postgresqlServers is what is known of each server; nil: neither it nor, of one that is
// stopped, its control file has answered.
type postgresqlServers []*postgresql.Server

func (s postgresqlServers) answered(i int, o *agentclient.Observation) (odd string, err error) {
	s[i] = nil
	if o != nil {
		s[i], odd, err = postgresqlServer(o)
	}
	return odd, err
}

// merge has nothing to do: no call is made of a PostgreSQL whose answer is more than an
// observation.
func (postgresqlServers) merge(int, result) {}

func (s postgresqlServers) decide(v view) topology.Plan {
	list := make([]postgresql.Member, len(v.members))
	for i, m := range v.members {
		list[i] = postgresql.Member{
			Member: m.Member, Seen: m.seen, Trouble: m.trouble, Refusals: m.refusals, Provision: (*postgresql.Provision)(m.provision), Server: s[i],
		}
	}
	return postgresql.Decide(postgresql.View{
		Request: v.request, Recorded: v.recorded, Members: list, Memory: v.memory, Now: v.now, LeaseFresh: v.leaseFresh,
	})
}

var (
	errNoPostgreSQL = errors.New("it is not that of a PostgreSQL")
	errNotWritten   = errors.New("it is a primary, and does not say how far it has written WAL")
)

// postgresqlServer is what a PostgreSQL said, or the control file of one that is stopped; nil:
// neither did. odd says what of it cannot be read and is taken as not known.
func postgresqlServer(o *agentclient.Observation) (out *postgresql.Server, odd string, err error) {
	in := o.PostgreSQL
	switch {
	case in == nil && o.Answered:
		return nil, "", errNoPostgreSQL
	case in == nil || !o.Answered && in.Control == nil:
		return nil, "", nil
	}
	out = &postgresql.Server{Primary: o.Answered && !in.InRecovery, Hints: in.Hints}
	timeline := in.Timeline
	if !o.Answered {
		timeline = in.Control.Timeline
		if out.Control, err = control(in.Control); err != nil {
			return nil, "", err
		}
	}
	if in.HistoryKnown {
		if out.History, err = history(timeline, in.History); err != nil {
			// A primary serves with such a file all the same. Who is to be promoted or copied
			// by it is not known.
			odd = "its history cannot be read: " + err.Error()
		}
	}
	if !o.Answered {
		return out, odd, nil
	}
	if err := positions(out, in); err != nil {
		return nil, "", err
	}
	if r := in.Receiver; r != nil {
		// In whatever state it is: one that begins may acknowledge in a moment.
		out.Receiver = &postgresql.Receiver{Host: r.Host, Port: r.Port}
	}
	for _, s := range in.Slots {
		out.Slots = append(out.Slots, postgresql.Slot{Name: s.Name, Logical: s.Logical, Active: s.Active, Lost: s.WALStatus == slotLost})
	}
	out.Sync = synchronous(in.SynchronousStandbyNames)
	return out, odd, nil
}

// Words of a server.
const (
	slotLost               = "lost"
	standbyStreaming       = "streaming"
	stateShutDown          = "shut down"
	stateShutDownAsStandby = "shut down in recovery"
)

// control file of a stopped server.
func control(in *agentclient.PostgreSQLControlData) (*postgresql.Control, error) {
	timeline, err := timelineOf(in.Timeline)
	if err != nil {
		return nil, err
	}
	checkpoint, err := lsn(in.CheckpointLSN)
	if err != nil {
		return nil, err
	}
	return &postgresql.Control{
		ShutDown: in.State == stateShutDown || in.State == stateShutDownAsStandby, Timeline: timeline, Checkpoint: checkpoint,
	}, nil
}

func timelineOf(number int64) (wal.Timeline, error) {
	if number < int64(wal.FirstTimeline) || number > math.MaxUint32 {
		return 0, fmt.Errorf("%d is no timeline", number)
	}
	return wal.Timeline(number), nil
}

func history(number int64, content string) (wal.History, error) {
	timeline, err := timelineOf(number)
	if err != nil {
		return wal.History{}, err
	}
	return wal.ParseHistory(timeline, content)
}

// lsn is a position; None: there is none.
func lsn(text string) (wal.LSN, error) {
	if text == "" {
		return wal.None, nil
	}
	return wal.ParseLSN(text)
}

// positions of a server that answers, and of those that receive from it.
func positions(out *postgresql.Server, in *agentclient.PostgreSQLObservation) (err error) {
	if out.Primary {
		if out.Written, err = lsn(in.WriteLSN); err != nil {
			return err
		}
		if out.Written == wal.None {
			return errNotWritten
		}
	} else {
		if out.Received, err = lsn(in.ReceivedLSN); err != nil {
			return err
		}
		if out.Replayed, err = lsn(in.ReplayedLSN); err != nil {
			return err
		}
	}
	for _, s := range in.Standbys {
		client := postgresql.Standby{Application: s.ApplicationName, Streaming: s.State == standbyStreaming, Counted: s.Counted, Reloaded: s.Reloaded}
		if client.Flushed, err = lsn(s.FlushLSN); err != nil {
			return err
		}
		out.Standbys = append(out.Standbys, client)
	}
	return nil
}

// synchronous is synchronous_standby_names. One that cannot be read is taken for that of a
// server which waits for a stranger: it is neither what any rule says, so that no promise
// counts, nor nobody, so that the rule is put in force again.
func synchronous(names string) settings.Sync {
	sync, err := settings.ParseSync(names)
	if err != nil {
		const most = 40
		return settings.Sync{Method: settings.First, Wait: 1, Names: []string{names[:min(len(names), most)]}}
	}
	return sync
}
