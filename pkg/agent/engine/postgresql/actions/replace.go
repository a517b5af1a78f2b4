// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Phases of replacing a server's data directory.
const (
	// phaseMake: the side directory may be there.
	phaseMake = "make"
	// phaseSwap: the server may be down, the directories may have changed places.
	phaseSwap = "swap"
	// phaseReleased: the server is let go on the new database. Clients may have written
	// to it, so that who finds this goes forward only.
	phaseReleased = "released"
	// phaseServing: the new database serves, the old one is on its way out.
	phaseServing = "serving"
)

// swap is what it takes to know whether it has happened, and to undo it.
type swap struct {
	OldID string `json:"oldID"`
	NewID string `json:"newID"`
	// NewInode of the directory that becomes the data directory: the system id may
	// be that of the old one.
	NewInode uint64 `json:"newInode"`
}

// sideDir is where the new database is made, and where the old one waits.
func (u unit) sideDir() string { return u.Env.SideDir("replace") }

func (u unit) sideData() string { return filepath.Join(u.sideDir(), "data") }

// replacement is a database that is to take the place of the one that runs.
type replacement struct {
	// overwrite data that is there.
	overwrite bool
	// build makes it in sideData, and needs that many bytes.
	build func(ctx context.Context) error
	need  int64
	// until is where its recovery has to come to; 0 if only the database knows.
	until lsn
}

// replaceServer makes a database alongside the one that runs and exchanges them.
func (u unit) replaceServer(ctx context.Context, op operations.Op, r replacement) (map[string]string, error) {
	if err := u.mayReplace(ctx, r.overwrite); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(u.sideDir()); err != nil {
		return nil, fmt.Errorf("removing what an earlier operation left: %w", err)
	}
	if err := u.space(r.need); err != nil {
		return nil, err
	}
	if err := op.SetPhase(phaseMake, nil); err != nil {
		return nil, err
	}
	if err := u.makeAndSwap(ctx, op, r); err != nil {
		if ctx.Err() != nil {
			return nil, err // Abandon cleans up
		}
		if phase, _ := op.Phase(); phase == phaseReleased {
			return u.goOn(ctx, op)
		}
		return nil, withCleanup(filled(err, r.need), u.rollBackAndStart(ctx, op))
	}
	return u.removeOld(op)
}

// mayReplace fails unless nobody has written to the server, or it is meant.
func (u unit) mayReplace(ctx context.Context, overwrite bool) error {
	if overwrite {
		return nil
	}
	if u.Store != nil {
		desired, err := u.Store.Desired()
		if err != nil {
			return err
		}
		if desired != nil && desired.OwnerUID != "" {
			return operations.Failed(operation.ReasonWouldOverwrite, "the unit is a member of a Replication, and this replaces the whole server, for all members: overwrite \"true\" does")
		}
	}
	observed, err := u.Engine.Observe(ctx)
	switch {
	case err != nil:
		return operations.Failed(operation.ReasonServerNotRunning, "the server does not answer, so that nobody knows what it holds: overwrite \"true\" replaces it whatever it is: %w", err)
	case !observed.Virgin:
		return operations.Failed(operation.ReasonWouldOverwrite, "the server holds data: overwrite \"true\" replaces the whole server")
	}
	return nil
}

// space fails if the data volume has not enough of it.
func (u unit) space(need int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(u.Env.DataMount, &fs); err != nil {
		return fmt.Errorf("asking for the free space of %s: %w", u.Env.DataMount, err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return operations.Failed(operation.ReasonNotEnoughSpace, "the new database is made beside the old one and needs %d bytes, and the data volume has %d free: enlarge the storage", need, free)
	}
	return nil
}

// filled explains a failure to make need bytes of data for which there was room at first:
// others write to the volume too.
func filled(err error, need int64) error {
	// The kernel tells it to the agent, or to a program that tells the agent.
	if !errors.Is(err, unix.ENOSPC) && !strings.Contains(err.Error(), "No space left on device") {
		return err
	}
	return operations.Failed(operation.ReasonNotEnoughSpace, "the new database is made beside the old one and needs %d bytes, and the data volume is full: enlarge the storage: %w", need, err)
}

func (u unit) makeAndSwap(ctx context.Context, op operations.Op, r replacement) error {
	if err := os.MkdirAll(u.sideData(), 0o700); err != nil {
		return err
	}
	if err := r.build(ctx); err != nil {
		return err
	}
	if err := u.settle(ctx, op, u.sideData(), r.until); err != nil {
		return err
	}
	if err := syncFilesystem(u.sideData()); err != nil {
		return err
	}
	old, err := u.Engine.Inspect(ctx)
	if err != nil {
		return err
	}
	s := swap{OldID: old.SystemID}
	if s.NewID, err = postgresql.SystemID(u.sideData()); err != nil {
		return err
	}
	if s.NewInode, err = inode(u.sideData()); err != nil {
		return err
	}
	if err := op.SetPhase(phaseSwap, s); err != nil {
		return err
	}
	op.Progress("stopping the server", 0, 0)
	if err := u.Server.StopServer(ctx, op); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	if err := u.exchange(); err != nil {
		return fmt.Errorf("exchanging the data directories: %w", err)
	}
	if err := u.Server.ReplaceIdentity(ctx, op, s.NewID); err != nil {
		return err
	}
	op.Progress("starting the server on the new database", 0, 0)
	if err := op.SetPhase(phaseReleased, s); err != nil {
		return err
	}
	err = u.Server.StartServer(ctx, op)
	switch {
	case err == nil:
		return op.SetPhase(phaseServing, s)
	case errors.Is(err, operations.ErrNotStarted), errors.Is(err, operations.ErrHeld):
		// It has not run, so nobody has written, and nothing is proven.
		return errors.Join(operations.Failed(operation.ReasonNewDataNotServing, "the server does not run on the new database, and the old one is put back: %w", err), op.SetPhase(phaseSwap, s))
	}
	return err
}

// goOn from where clients may have written to the new database. That it does not serve
// now takes nobody back to the old one, which stays alongside until the next operation.
func (u unit) goOn(ctx context.Context, op operations.Op) (map[string]string, error) {
	_, raw := op.Phase()
	op.Progress("starting the server on the new database", 0, 0)
	if err := u.Server.StartServer(ctx, op); err != nil {
		if !errors.Is(err, operations.ErrNotStarted) && !errors.Is(err, operations.ErrHeld) {
			return nil, err
		}
		return nil, operations.Failed(operation.ReasonNewDataNotServing,
			"the server was let go on the new database, to which clients may have written, and does not run now; the old one lies in %s until the next operation: %w", u.sideData(), err)
	}
	if err := op.SetPhase(phaseServing, raw); err != nil {
		return nil, err
	}
	return u.removeOld(op)
}

// removeOld removes the old database and all else that was alongside.
func (u unit) removeOld(op operations.Op) (map[string]string, error) {
	op.Progress("removing the old database", 0, 0)
	result := map[string]string{}
	if err := os.RemoveAll(u.sideDir()); err != nil {
		result["message"] = "; the old database could not be removed: " + err.Error()
	}
	return result, nil
}

// rollBack goes back to the old database. The server may stay down.
func (u unit) rollBack(ctx context.Context, op operations.Op) error {
	if phase, raw := op.Phase(); phase == phaseSwap {
		var s swap
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if err := u.Server.StopServer(ctx, op); err != nil {
			return fmt.Errorf("stopping the server: %w", err)
		}
		swapped, err := u.swapped(s)
		if err != nil {
			return err
		}
		if swapped {
			if err := u.exchange(); err != nil {
				return fmt.Errorf("putting the old data directory back: %w", err)
			}
		}
		if s.OldID != "" {
			if err := u.Server.ReplaceIdentity(ctx, op, s.OldID); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(u.sideDir())
}

// rollBackAndStart is rollBack for a run that goes on to its end.
func (u unit) rollBackAndStart(ctx context.Context, op operations.Op) error {
	if err := u.rollBack(ctx, op); err != nil {
		return err
	}
	if phase, _ := op.Phase(); phase != phaseSwap {
		return nil
	}
	if err := u.Server.StartServer(ctx, op); err != nil && !errors.Is(err, operations.ErrHeld) {
		return fmt.Errorf("starting the server on the old database: %w", err)
	}
	return nil
}

// swapped tells whether the new database lies in the data directory.
func (u unit) swapped(s swap) (bool, error) {
	n, err := inode(u.Env.DataDir())
	if errors.Is(err, os.ErrNotExist) {
		// Between two renames, where directories cannot be exchanged: see exchange.
		return false, os.Rename(u.parked(), u.Env.DataDir())
	}
	if err == nil && n == s.NewInode {
		if _, err := os.Lstat(u.parked()); err == nil {
			return true, os.Rename(u.parked(), u.sideData())
		}
	}
	return n == s.NewInode, err
}

// parked is where a data directory is on file systems that cannot exchange two.
func (u unit) parked() string { return filepath.Join(u.sideDir(), "parked") }

// exchange the data directory and the one alongside it. The server is down.
func (u unit) exchange() error {
	data, side := u.Env.DataDir(), u.sideData()
	err := unix.Renameat2(unix.AT_FDCWD, data, unix.AT_FDCWD, side, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		for _, r := range [][2]string{{data, u.parked()}, {side, data}, {u.parked(), side}} {
			if err = os.Rename(r[0], r[1]); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(u.Files.SyncDir(u.Env.DataMount), u.Files.SyncDir(u.sideDir()))
}

func inode(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return stat.Ino, nil
}

// syncFilesystem makes all of it durable: a rename must not be before it.
func syncFilesystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// accounts of the unit's environment and Secret.
func (u unit) accounts() (engine.Accounts, error) { return engine.LoadAccounts(u.Env) }
