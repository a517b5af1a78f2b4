// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// Operated is the server of a unit as operations handle it: it is stopped, started and
// told of as supervise and the holds do it.
type Operated struct {
	Box    *Box
	Engine engine.Engine
	Start  engine.Start
	// Server is nil while it is down.
	Server *Server
	// Identities that ReplaceIdentity was told of, and how often the server was stopped.
	Identities []string
	Stops      int
	// Fault is asked before each step: stop, identity, start.
	Fault func(step string) error
	// Started is called when the server has been started, and its error is what is heard.
	Started func() error

	t *testing.T
}

var _ operations.Server = &Operated{}

// Operate initialises and starts a server.
func (b *Box) Operate(t *testing.T, e engine.Engine, start engine.Start) *Operated {
	t.Helper()
	b.Initialize(t, e, start)
	return &Operated{Box: b, Engine: e, Start: start, Server: b.Start(t, e, start), t: t}
}

func (o *Operated) step(name string) error {
	if o.Fault == nil {
		return nil
	}
	return o.Fault(name)
}

// StopServer implements operations.Server.
func (o *Operated) StopServer(context.Context, operations.Op) error {
	if err := o.step("stop"); err != nil {
		return err
	}
	o.Stops++
	if o.Server != nil {
		o.Server.Stop()
		o.Server = nil
	}
	return nil
}

// StartServer implements operations.Server.
func (o *Operated) StartServer(context.Context, operations.Op) error {
	if err := o.step("start"); err != nil {
		return err
	}
	if o.Server != nil {
		return nil
	}
	server, err := o.Box.TryStart(o.t, o.Engine, o.Start)
	if err != nil {
		return fmt.Errorf("%w: %w", operations.ErrNotStarted, err)
	}
	o.Server = server
	if o.Started != nil {
		return o.Started()
	}
	return nil
}

// ReplaceIdentity implements operations.Server.
func (o *Operated) ReplaceIdentity(_ context.Context, _ operations.Op, systemID string) error {
	if err := o.step("identity"); err != nil {
		return err
	}
	o.Identities = append(o.Identities, systemID)
	return nil
}

// Restart the server.
func (o *Operated) Restart() {
	o.t.Helper()
	o.Server.Stop()
	o.Server = o.Box.Start(o.t, o.Engine, o.Start)
}
