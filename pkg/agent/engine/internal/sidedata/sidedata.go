// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sidedata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Phases of an operation that replaces the data.
const (
	// PhaseBuild: the new data is being made; the old serves.
	PhaseBuild = "build"
	// PhaseExchange: the new data is complete. The server may be down, the directories may
	// have changed places.
	PhaseExchange = "exchange"
	// PhaseReleased: the server is let go on the new data.
	PhaseReleased = "released"
	// PhaseServing: it serves. What is left to do is to remove the old data.
	PhaseServing = "serving"
	// PhaseBack: the old data is on its way back.
	PhaseBack = "back"
)

// Recovery of an operation that was interrupted in a phase of this package.
func Recovery(phase string) operations.Recovery {
	switch phase {
	case PhaseExchange, PhaseReleased, PhaseServing, PhaseBack:
		// All that is needed is on the volume.
		return operations.RecoverAtOnce
	}
	return operations.RecoverByAbandon
}

// Machine replaces the data of one unit.
type Machine struct {
	operations.Deps
	// SystemID is that of the database in a directory.
	SystemID func(dir string) (string, error)
	// TakeAlong copies what belongs to the unit and not to its data from the old directory
	// to the new, while no server runs. It may be called again. May be nil.
	TakeAlong func() error
	// Record the note of what was made, once it serves. It may be called again. May be nil.
	Record func(note json.RawMessage) error

	// places are the directories; nil for those of Deps.
	places *places
}

// Plan of new data.
type Plan struct {
	// Room fails if there is not enough of it. What earlier operations left is gone then.
	Room func() error
	// Build makes the new data in Data, which is not there.
	Build func(ctx context.Context) (Made, error)
}

// Made says what was built.
type Made struct {
	// Result of the operation, once the new data serves.
	Result map[string]string
	// Note for Record.
	Note any
}

// exchange is what it takes to go forward or back.
type exchange struct {
	OldID string `json:"oldID"`
	NewID string `json:"newID"`
	// NewInode of the directory that is to become the data directory: both may be copies
	// of one system.
	NewInode uint64            `json:"newInode"`
	Result   map[string]string `json:"result"`
	Note     json.RawMessage   `json:"note,omitempty"`
	// Why the old data is put back.
	Why string `json:"why,omitempty"`
}

// Dir is where data is made, and where the old waits.
func (m Machine) Dir() string { return m.at().side }

// Data is the directory that is to become the data directory.
func (m Machine) Data() string { return m.at().newData() }

// Clear removes what is alongside the data.
func (m Machine) Clear() error {
	if err := os.RemoveAll(m.Dir()); err != nil {
		return fmt.Errorf("removing what is alongside the data: %w", err)
	}
	return nil
}

// Run replaces the data, or continues where an agent has ended.
func (m Machine) Run(ctx context.Context, op operations.Op, p Plan) (map[string]string, error) {
	if phase, _ := op.Phase(); Recovery(phase) == operations.RecoverAtOnce {
		return m.Resume(ctx, op)
	}
	if err := m.Clear(); err != nil {
		return nil, err
	}
	if err := p.Room(); err != nil {
		return nil, err
	}
	if err := op.SetPhase(PhaseBuild, nil); err != nil {
		return nil, err
	}
	x, err := m.build(ctx, p)
	if err == nil {
		err = op.SetPhase(PhaseExchange, x)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = errors.Join(err, m.Clear())
		}
		return nil, err
	}
	return m.Resume(ctx, op)
}

func (m Machine) build(ctx context.Context, p Plan) (x exchange, err error) {
	if err := os.MkdirAll(m.Dir(), 0o700); err != nil {
		return x, err
	}
	made, err := p.Build(ctx)
	if err != nil {
		return x, err
	}
	x.Result = made.Result
	if x.Note, err = json.Marshal(made.Note); err != nil {
		return x, err
	}
	if x.NewID, err = m.SystemID(m.Data()); err != nil {
		return x, err
	}
	if x.NewID == "" {
		return x, operations.Failed(operation.ReasonDataUnusable, "the new data has no system id")
	}
	if x.NewInode, err = inode(m.Data()); err != nil {
		return x, err
	}
	old, err := m.Engine.Inspect(ctx)
	if err != nil {
		return x, err
	}
	x.OldID = old.SystemID
	return x, m.at().syncAll(m.Data())
}

// Resume continues from where an operation is.
func (m Machine) Resume(ctx context.Context, op operations.Op) (map[string]string, error) {
	x, phase, err := recorded(op)
	if err != nil {
		return nil, err
	}
	switch phase {
	case PhaseExchange:
		return m.forward(ctx, op, x)
	case PhaseReleased:
		return m.start(ctx, op, x)
	case PhaseServing:
		return m.finish(op, x)
	case PhaseBack:
		return nil, m.goBack(ctx, op, x)
	}
	return nil, operations.Failed(operations.ReasonInterrupted, "the operation was interrupted in phase %s", phase)
}

func recorded(op operations.Op) (x exchange, phase string, err error) {
	phase, raw := op.Phase()
	if Recovery(phase) != operations.RecoverAtOnce {
		return x, phase, nil
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return x, phase, fmt.Errorf("the record of phase %s: %w", phase, err)
	}
	return x, phase, nil
}

// forward exchanges and starts, and goes back if that fails before the server was let go,
// or if it was and did not run.
func (m Machine) forward(ctx context.Context, op operations.Op, x exchange) (map[string]string, error) {
	err := m.swapIn(ctx, op, x)
	if err == nil {
		if err = m.Server.StartServer(ctx, op); err == nil {
			return m.serving(op, x)
		}
		if ctx.Err() == nil && !didNotRun(err) {
			return m.start(ctx, op, x)
		}
	}
	if ctx.Err() != nil {
		return nil, err
	}
	x.Why = err.Error()
	if err := op.SetPhase(PhaseBack, x); err != nil {
		return nil, err
	}
	return nil, m.goBack(ctx, op, x)
}

func (m Machine) swapIn(ctx context.Context, op operations.Op, x exchange) error {
	op.Progress("stopping the server", 0, 0)
	if err := m.Server.StopServer(ctx, op); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	swapped, err := m.at().swapped(x.NewInode)
	if err != nil {
		return err
	}
	if !swapped {
		if m.TakeAlong != nil {
			if err := m.TakeAlong(); err != nil {
				return err
			}
		}
		if err := m.at().swap(); err != nil {
			return err
		}
	}
	if err := m.Server.ReplaceIdentity(ctx, op, x.NewID); err != nil {
		return err
	}
	op.Progress("starting the server on the new data", 0, 0)
	return op.SetPhase(PhaseReleased, x)
}

// didNotRun is true of a start after which nobody can have written.
func didNotRun(err error) bool {
	return errors.Is(err, operations.ErrNotStarted) || errors.Is(err, operations.ErrHeld)
}

// start continues from where clients may have written to the new data. That it does not
// serve now takes nobody back to the old, which stays until the next operation.
func (m Machine) start(ctx context.Context, op operations.Op, x exchange) (map[string]string, error) {
	op.Progress("starting the server on the new data", 0, 0)
	err := m.Server.StartServer(ctx, op)
	switch {
	case err == nil:
		return m.serving(op, x)
	case ctx.Err() != nil:
		return nil, err
	}
	return nil, operations.Failed(operation.ReasonNewDataNotServing,
		"the server was let go on the new data, to which clients may have written, and is not known to run; the old is in %s until the next operation: %w", m.Data(), err)
}

func (m Machine) serving(op operations.Op, x exchange) (map[string]string, error) {
	if err := op.SetPhase(PhaseServing, x); err != nil {
		return nil, err
	}
	return m.finish(op, x)
}

// finish is what is left to do once the new data serves.
func (m Machine) finish(op operations.Op, x exchange) (map[string]string, error) {
	if m.Record != nil {
		if err := m.Record(x.Note); err != nil {
			return nil, fmt.Errorf("the new data serves, but that it was replaced could not be recorded: %w", err)
		}
	}
	op.Progress("removing the old data", 0, 0)
	if x.Result == nil {
		x.Result = map[string]string{}
	}
	if err := m.Clear(); err != nil {
		x.Result["message"] += "; the old data is alongside until the next operation: " + err.Error()
	}
	return x.Result, nil
}

// goBack puts the old data back and fails.
func (m Machine) goBack(ctx context.Context, op operations.Op, x exchange) error {
	if err := m.back(ctx, op, x); err != nil {
		return err
	}
	return operations.Failed(operation.ReasonNewDataNotServing, "the server does not serve with the new data, the old is back: %s", x.Why)
}

func (m Machine) back(ctx context.Context, op operations.Op, x exchange) error {
	op.Progress("putting the old data back", 0, 0)
	if err := m.Server.StopServer(ctx, op); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	swapped, err := m.at().swapped(x.NewInode)
	if err != nil {
		return err
	}
	if swapped {
		if err := m.at().swap(); err != nil {
			return fmt.Errorf("putting the old data back: %w", err)
		}
	}
	if x.OldID != "" {
		if err := m.Server.ReplaceIdentity(ctx, op, x.OldID); err != nil {
			return err
		}
	}
	if err := m.Server.StartServer(ctx, op); err != nil && !errors.Is(err, operations.ErrHeld) {
		return fmt.Errorf("starting the server on the old data: %w", err)
	}
	return m.Clear()
}

// Abandon cleans up after an operation that did not come to its end.
func (m Machine) Abandon(ctx context.Context, op operations.Op) error {
	x, phase, err := recorded(op)
	if err != nil {
		return err
	}
	switch phase {
	case PhaseExchange, PhaseBack:
		return m.back(ctx, op, x)
	case PhaseReleased, PhaseServing:
		if _, err := m.Resume(ctx, op); err != nil {
			return err
		}
		return operations.Failed(operation.ReasonTooLate, "the server was let go on the new data already, and clients may have written to it: it stays")
	}
	return m.Clear()
}
