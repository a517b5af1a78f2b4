// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"errors"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/operation"
)

var channel = engine.ChannelAccount{User: "unit_replication", Password: `p:w'\0123456789abcdef01234567`}

// A pod as a member of a Replication: its server has a role, and starts with it.

// become starts the server with the record.
func (p *pod) become(record engine.RoleRecord) {
	p.t.Helper()
	p.Start.Managed, p.Start.Record, p.Start.Channel = true, record, channel
	if p.Server != nil {
		p.Server.Stop()
	}
	p.Server = p.box.Start(p.t, p.engine, p.Start)
}

func (p *pod) isolate() {
	p.t.Helper()
	p.become(engine.RoleRecord{Role: engine.RoleIsolated})
}

// promote makes the server an open source, with slots for others.
func (p *pod) promote(others ...*pod) {
	p.t.Helper()
	record := engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: engine.Durability{Mode: engine.DurabilityAsync}}
	for _, o := range others {
		record.Durability.Members = append(record.Durability.Members, engine.DurabilityMember{Name: o.env.Name})
	}
	p.become(record)
	r := p.engine.(engine.Replicator)
	if err := errors.Join(r.Promote(p.t.Context(), record, channel), r.Open(p.t.Context(), record)); err != nil {
		p.t.Fatal(err)
	}
}

// followMember makes an isolated server follow source, and waits until it has what source
// has now.
func (p *pod) followMember(source *pod) {
	p.t.Helper()
	p.Start.Record = engine.RoleRecord{Role: engine.RoleReplica, Upstream: &engine.Upstream{
		Name: source.env.Name, Host: "127.0.0.1", Port: source.env.SQLPort, User: channel.User,
	}}
	for end := time.Now().Add(time.Minute); ; {
		err := p.engine.(engine.Replicator).Follow(p.t.Context(), p.Start.Record, channel, "")
		if err == nil {
			break
		}
		if !errors.Is(err, engine.ErrNotYet) || time.Now().After(end) {
			p.t.Fatal(err)
		}
	}
	p.caughtUp(source)
}

func (p *pod) systemID() string {
	p.t.Helper()
	return p.value("postgres", "SELECT system_identifier FROM pg_control_system()")
}

func (p *pod) timeline() string {
	p.t.Helper()
	return p.value("postgres", "SELECT timeline_id FROM pg_control_checkpoint()")
}

// from is the provision of a copy of p.
func (p *pod) from() *operation.Provision {
	p.t.Helper()
	return &operation.Provision{Donor: operation.Donor{
		Name: p.env.Name, Host: "127.0.0.1", Port: p.env.SQLPort, User: channel.User, ServerID: p.systemID(), DataGeneration: 7,
	}}
}

// replacing is from for data of the server that p is.
func (p *pod) replacing(donor *pod) *operation.Provision {
	p.t.Helper()
	params := donor.from()
	params.Replace, params.ServerID = true, p.systemID()
	return params
}

func channelPassword() map[string][]byte {
	return map[string][]byte{operation.SecretSourcePassword: []byte(channel.Password)}
}
