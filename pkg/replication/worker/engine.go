// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// Engine is the database that a replication is of: how its servers' answers are read, and
// who decides by them. There are those of this package.
type Engine interface {
	// servers of n members in one pass, of which nothing is known yet.
	servers(n int) servers
}

var errNoEngine = errors.New("the worker has no engine")

// servers are what is known of the members' servers in one pass, in the members' order:
// what an agent's answer has beyond that which all engines have.
type servers interface {
	// answered takes in what an agent said of its server; nil: the agent did not answer.
	// After an error nothing is known of the server. odd says what of an answer that is known
	// otherwise cannot be read; empty: nothing.
	answered(i int, o *agentclient.Observation) (odd string, err error)
	// merge what a call answered besides an observation.
	merge(i int, r result)
	// decide by what is known.
	decide(v view) topology.Plan
}

// view is what decisions of all engines depend on.
type view struct {
	request    topology.Request
	recorded   topology.Recorded
	members    []member
	memory     topology.Memory
	now        time.Time
	leaseFresh bool
}
