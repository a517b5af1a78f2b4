// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// side replaces the data directory by one that is made alongside it.
func (u unit) side() sidedata.Machine {
	return sidedata.Machine{Deps: u.Deps, SystemID: postgresql.SystemID}
}

// sideDir is where a new database is made; its data directory is sideData.
func (u unit) sideDir() string { return u.side().Dir() }

func (u unit) sideData() string { return u.side().Data() }

// replacement is a database that is to take the place of the one that runs.
type replacement struct {
	// overwrite data that is there.
	overwrite bool
	// build makes it in sideData, and needs that many bytes.
	build func(ctx context.Context) error
	need  int64
	// until is where its recovery has to come to; 0 if only the database knows.
	until lsn
	// result of the operation.
	result map[string]string
}

// replaceServer makes a database alongside the one that runs and exchanges them.
func (u unit) replaceServer(ctx context.Context, op operations.Op, r replacement) (map[string]string, error) {
	if err := u.mayReplace(ctx, r.overwrite); err != nil {
		return nil, err
	}
	build := r.build
	r.build = func(ctx context.Context) error {
		if err := build(ctx); err != nil {
			return err
		}
		return u.settle(ctx, op, u.sideData(), r.until)
	}
	return u.exchangeServer(ctx, op, r)
}

// exchangeServer is replaceServer for a database that is to be as it is built.
func (u unit) exchangeServer(ctx context.Context, op operations.Op, r replacement) (map[string]string, error) {
	return u.side().Run(ctx, op, sidedata.Plan{
		Room: func() error { return u.space(r.need) },
		Build: func(ctx context.Context) (sidedata.Made, error) {
			err := os.Mkdir(u.sideData(), 0o700)
			if err == nil {
				err = r.build(ctx)
			}
			if err != nil {
				err = filled(err, r.need)
			}
			return sidedata.Made{Result: r.result}, err
		},
	})
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

// accounts of the unit's environment and Secret.
func (u unit) accounts() (engine.Accounts, error) { return engine.LoadAccounts(u.Env) }
