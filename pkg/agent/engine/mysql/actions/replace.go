// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Phases of replacing the data directory.
const (
	// phaseBuild: the new one is made alongside; the old one serves.
	phaseBuild = "build"
	// phaseExchange: the new one is complete. From here on the way is forward, and
	// back if the server does not start on it.
	phaseExchange = "exchange"
	// phaseReleased: the server is let go on the new one. Clients may have written to it,
	// so that who finds this goes forward only.
	phaseReleased = "released"
	// phaseBack: the server did not start.
	phaseBack = "back"
)

// replaceDir is the side directory that new data is made in, and old data ends in.
const replaceDir = "replace"

// exchanged is what it takes to go forward or back from phaseExchange.
type exchanged struct {
	NewID string `json:"newID"`
	OldID string `json:"oldID"`
	// Restored is recorded when the new data serves.
	Restored restored          `json:"restored"`
	Result   map[string]string `json:"result"`
	// Why the server did not start, in phaseBack.
	Why string `json:"why,omitempty"`
}

func (u unit) sideData() string { return filepath.Join(u.Env.SideDir(replaceDir), "data") }

// built is what a build says of the data it made.
type built struct {
	restored restored
	result   map[string]string
}

// replace puts the data that build makes in the place of the unit's.
func (u unit) replace(ctx context.Context, op operations.Op, build func(ctx context.Context, data string) (built, error)) (map[string]string, error) {
	phase, raw := op.Phase()
	if phase == phaseExchange || phase == phaseReleased || phase == phaseBack {
		var x exchanged
		if err := json.Unmarshal(raw, &x); err != nil {
			return nil, err
		}
		switch phase {
		case phaseBack:
			return nil, u.goBack(ctx, op, x)
		case phaseReleased:
			return u.released(ctx, op, x)
		}
		return u.goOn(ctx, op, x)
	}
	if err := op.SetPhase(phaseBuild, nil); err != nil {
		return nil, err
	}
	x, err := u.build(ctx, op, build)
	if err != nil {
		if ctx.Err() == nil {
			err = errors.Join(err, u.clearSide())
		}
		return nil, err
	}
	if err := op.SetPhase(phaseExchange, x); err != nil {
		return nil, err
	}
	return u.goOn(ctx, op, x)
}

func (u unit) build(ctx context.Context, op operations.Op, build func(ctx context.Context, data string) (built, error)) (exchanged, error) {
	if err := u.clearSide(); err != nil {
		return exchanged{}, err
	}
	if err := os.MkdirAll(u.Env.SideDir(replaceDir), 0o700); err != nil {
		return exchanged{}, err
	}
	b, err := build(ctx, u.sideData())
	if err != nil {
		return exchanged{}, err
	}
	x := exchanged{Restored: b.restored, Result: b.result}
	if x.NewID, err = mysql.ServerUUID(filepath.Join(u.sideData(), "auto.cnf")); err != nil {
		return x, err
	}
	if x.NewID == "" {
		return x, operations.Failed(operation.ReasonDataUnusable, "the restored data has no server_uuid")
	}
	if x.OldID, err = mysql.ServerUUID(filepath.Join(u.Env.DataDir(), "auto.cnf")); err != nil {
		return x, err
	}
	return x, syncFilesystem(u.sideData())
}

// goOn exchanges, starts, and goes back if that fails.
func (u unit) goOn(ctx context.Context, op operations.Op, x exchanged) (map[string]string, error) {
	if u.answersWith(ctx, x.NewID) {
		return u.finish(x)
	}
	err := u.forward(ctx, op, x)
	switch {
	case err == nil:
		return u.finish(x)
	case ctx.Err() != nil:
		return nil, err
	}
	if phase, _ := op.Phase(); phase == phaseReleased && !errors.Is(err, operations.ErrNotStarted) && !errors.Is(err, operations.ErrHeld) {
		return u.released(ctx, op, x)
	}
	x.Why = err.Error()
	if err := op.SetPhase(phaseBack, x); err != nil {
		return nil, err
	}
	return nil, u.goBack(ctx, op, x)
}

func (u unit) forward(ctx context.Context, op operations.Op, x exchanged) error {
	op.Progress("stopping the server", 0, 0)
	if err := u.Server.StopServer(ctx, op); err != nil {
		return err
	}
	if err := u.keepPersisted(); err != nil {
		return err
	}
	if err := u.exchange(x.NewID); err != nil {
		return err
	}
	if err := u.Server.ReplaceIdentity(ctx, op, x.NewID); err != nil {
		return err
	}
	op.Progress("starting the server", 0, 0)
	if err := op.SetPhase(phaseReleased, x); err != nil {
		return err
	}
	return u.Server.StartServer(ctx, op)
}

// released goes on from where clients may have written to the new data. That it does not
// serve now takes nobody back to the old, which stays alongside until the next operation.
func (u unit) released(ctx context.Context, op operations.Op, x exchanged) (map[string]string, error) {
	if u.answersWith(ctx, x.NewID) {
		return u.finish(x)
	}
	op.Progress("starting the server", 0, 0)
	err := u.Server.StartServer(ctx, op)
	switch {
	case err == nil:
		return u.finish(x)
	case errors.Is(err, operations.ErrNotStarted), errors.Is(err, operations.ErrHeld):
		return nil, operations.Failed(operation.ReasonNewDataNotServing,
			"the server was let go on the new data, to which clients may have written, and does not run now; the old lies in %s until the next operation: %w", u.sideData(), err)
	}
	return nil, err
}

// answersWith says whether the new data serves: clients may have written to it, so
// there is no way back.
func (u unit) answersWith(ctx context.Context, newID string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	o, err := u.Engine.Observe(ctx)
	return err == nil && o.SystemID == newID
}

// finish is all that is left to do once the new data serves. The old data goes only
// now.
func (u unit) finish(x exchanged) (map[string]string, error) {
	x.Restored.At = now()
	if err := u.recordRestored(x.Restored); err != nil {
		return nil, fmt.Errorf("the new data serves, but that it was replaced could not be recorded: %w", err)
	}
	if err := u.clearSide(); err != nil {
		// The next operation removes it.
		x.Result["message"] += "; the old data lies beside still: " + err.Error()
	}
	return x.Result, nil
}

// goBack puts the old data back and fails.
func (u unit) goBack(ctx context.Context, op operations.Op, x exchanged) error {
	if err := u.back(ctx, op, x); err != nil {
		return err
	}
	return operations.Failed(operation.ReasonNewDataNotServing, "the server does not serve with the new data, the old one is back: %s", x.Why)
}

func (u unit) back(ctx context.Context, op operations.Op, x exchanged) error {
	op.Progress("putting the old data back", 0, 0)
	if err := u.Server.StopServer(ctx, op); err != nil {
		return err
	}
	if err := u.unexchange(x.NewID); err != nil {
		return err
	}
	if x.OldID != "" {
		if err := u.Server.ReplaceIdentity(ctx, op, x.OldID); err != nil {
			return err
		}
	}
	if err := u.Server.StartServer(ctx, op); err != nil && !errors.Is(err, operations.ErrHeld) {
		return err
	}
	return u.clearSide()
}

// abandonReplace cleans up after a run that did not come to its end.
func (u unit) abandonReplace(ctx context.Context, op operations.Op) error {
	if err := os.RemoveAll(u.privateDir(op)); err != nil {
		return err
	}
	phase, raw := op.Phase()
	if phase != phaseExchange && phase != phaseReleased && phase != phaseBack {
		if err := u.endClones(ctx); err != nil {
			return err
		}
		return errors.Join(u.clearSide(), u.clearLoad())
	}
	var x exchanged
	if err := json.Unmarshal(raw, &x); err != nil {
		return err
	}
	if phase == phaseReleased {
		if _, err := u.released(ctx, op, x); err != nil {
			return err
		}
		return operations.Failed(operation.ReasonTooLate, "the new data was let go already: there was no way back any more")
	}
	if phase == phaseExchange && u.answersWith(ctx, x.NewID) {
		if _, err := u.finish(x); err != nil {
			return err
		}
		return operations.Failed(operation.ReasonTooLate, "the new data served already: there was no way back any more")
	}
	return u.back(ctx, op, x)
}

// exchange makes the side directory's data the unit's, if it is not yet.
func (u unit) exchange(newID string) error {
	if done, err := u.serves(newID); done || err != nil {
		return err
	}
	return u.swap()
}

// unexchange is the way back.
func (u unit) unexchange(newID string) error {
	if done, err := u.serves(newID); !done || err != nil {
		return err
	}
	return u.swap()
}

// serves says whether the data directory is the new one. Where an exchange took two
// renames and was interrupted between them, the first is undone.
func (u unit) serves(newID string) (bool, error) {
	id, err := mysql.ServerUUID(filepath.Join(u.Env.DataDir(), "auto.cnf"))
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(u.Env.DataDir()); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(u.parked(), u.Env.DataDir()); err != nil {
			return false, err
		}
		return u.serves(newID)
	}
	return id == newID, u.unpark()
}

// parked is where one of the two waits if the file system cannot exchange them.
func (u unit) parked() string { return filepath.Join(u.Env.SideDir(replaceDir), "parked") }

func (u unit) swap() error {
	data, side := u.Env.DataDir(), u.sideData()
	err := unix.Renameat2(unix.AT_FDCWD, side, unix.AT_FDCWD, data, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = u.swapInSteps()
	}
	if err != nil {
		return fmt.Errorf("exchanging %s and %s: %w", side, data, err)
	}
	return errors.Join(u.Files.SyncDir(u.Env.DataMount), u.Files.SyncDir(u.Env.SideDir(replaceDir)))
}

// swapInSteps is swap where the file system has no exchange: whatever lies in data at
// each step is whole, or parked.
func (u unit) swapInSteps() error {
	data, side := u.Env.DataDir(), u.sideData()
	if err := os.Rename(data, u.parked()); err != nil {
		return err
	}
	if err := os.Rename(side, data); err != nil {
		return err
	}
	return os.Rename(u.parked(), side)
}

// unpark ends an exchange in steps that was interrupted before its last.
func (u unit) unpark() error {
	if _, err := os.Lstat(u.sideData()); err == nil {
		return nil
	}
	if err := os.Rename(u.parked(), u.sideData()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keepPersisted takes what SET PERSIST recorded along: it is the unit's, not the
// data's.
func (u unit) keepPersisted() error {
	const name = "mysqld-auto.cnf"
	to := filepath.Join(u.sideData(), name)
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(u.Env.DataDir(), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.Files.WriteFile(to, content, 0o640)
}

func (u unit) clearSide() error {
	if err := os.RemoveAll(u.Env.SideDir(replaceDir)); err != nil {
		return fmt.Errorf("removing the side directory: %w", err)
	}
	return nil
}

// syncFilesystem makes everything in dir durable before a rename that relies on it.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
