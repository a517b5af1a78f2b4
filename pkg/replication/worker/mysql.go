// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// MySQL is the engine of sources and replicas by package mysql.
func MySQL() Engine { return mysqlEngine{} }

type mysqlEngine struct{}

func (mysqlEngine) servers(n int) servers { return make(mysqlServers, n) }

// mysqlServers is what is known of each server of a MySQL replication.
type mysqlServers []struct {
	// server is nil while it has not answered.
	server *mysql.Server
	// evidence of its errant transactions, and the activity of its clients, that a call of
	// this pass answered.
	evidence string
	activity *mysql.Activity
}

func (s mysqlServers) answered(i int, o *agentclient.Observation) (odd string, err error) {
	s[i].server = nil
	if o != nil {
		s[i].server, err = mysqlServer(o)
	}
	return "", err
}

func (s mysqlServers) merge(i int, r result) {
	if r.executed != nil && s[i].server != nil && r.executed.Contained {
		if set, err := gtid.Parse(r.executed.Executed); err == nil {
			next := *s[i].server
			next.Executed = set
			s[i].server = &next
		}
	}
	if r.evidence != nil {
		s[i].evidence = r.evidence.Path
	}
	if r.activity != nil {
		s[i].activity = activity(r.activity)
	}
}

func (s mysqlServers) decide(v view) topology.Plan {
	list := make([]mysql.Member, len(v.members))
	for i, m := range v.members {
		list[i] = mysql.Member{
			Member: m.Member, Seen: m.seen, Trouble: m.trouble, Refusals: m.refusals, Provision: (*mysql.Provision)(m.provision),
			Server: s[i].server, Evidence: s[i].evidence, Activity: s[i].activity,
		}
	}
	return mysql.Decide(mysql.View{
		Request: v.request, Recorded: v.recorded, Members: list, Memory: v.memory, Now: v.now, LeaseFresh: v.leaseFresh,
	})
}

// activity of a server's clients, as far as a switchover cares.
func activity(a *agentclient.Activity) *mysql.Activity {
	out := &mysql.Activity{}
	for _, t := range a.Transactions {
		if t.RowsModified > 0 {
			out.Writing++
		}
	}
	if len(a.Definitions) > 0 {
		d := a.Definitions[0]
		out.Definition = fmt.Sprintf("%s by %s@%s (session %d)", d.Kind, d.User, d.Host, d.Session)
	}
	return out
}

var errNoMySQL = errors.New("it is not that of a MySQL")

// mysqlServer is what a MySQL said; nil: it did not answer.
func mysqlServer(o *agentclient.Observation) (*mysql.Server, error) {
	if !o.Answered {
		return nil, nil //nolint:nilnil // No answer is no error: the agent said why.
	}
	in := o.MySQL
	if in == nil {
		return nil, errNoMySQL
	}
	out := &mysql.Server{SemiSync: mysql.SemiSync{
		Enabled: in.SemiSync.SourceEnabled, Active: in.SemiSync.SourceActive, WaitFor: in.SemiSync.WaitFor, Clients: in.SemiSync.Clients,
		Waiting: in.SemiSync.WaitingSessions, Unacknowledged: in.SemiSync.Unacknowledged, Acknowledges: in.SemiSync.ReplicaEnabled,
	}}
	var err error
	if out.UUID, err = gtid.ParseUUID(o.ServerID); err != nil {
		return nil, err
	}
	if out.Executed, err = gtid.Parse(in.Executed); err != nil {
		return nil, err
	}
	if out.Purged, err = gtid.Parse(in.Purged); err != nil {
		return nil, err
	}
	if out.Committing, err = gtid.Parse(in.Committing); err != nil {
		return nil, err
	}
	for _, d := range in.DumpThreads {
		out.Receivers = append(out.Receivers, mysql.Receiver{ServerUUID: d.ServerUUID, Acknowledging: d.Acknowledging})
	}
	if c := in.Channel; c != nil {
		out.Channel = &mysql.Channel{
			Host: c.Host, Port: c.Port, SourceUUID: c.SourceUUID, Receiving: c.Receiving, Applying: c.Applying,
			ReceiverError: c.ReceiverError, ReceiverErrorNumber: c.ReceiverErrorNumber, ApplierError: c.ApplierError,
		}
		if out.Channel.Retrieved, err = gtid.Parse(c.Retrieved); err != nil {
			return nil, err
		}
	}
	return out, nil
}
