// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package space looks after the room that copies take on file systems that servers write to
// as well.
package space

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Free bytes of the file system that dir is on, for this user.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for the space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// Room is the space that a copy needs.
type Room struct {
	// Size of the copy, and what is to be free beside it when it begins, in bytes.
	Size, Margin int64
	// Dir is where, Instead what people may do if it is not there.
	Dir, Instead string
}

// Check fails if the room is not there.
func (r Room) Check() error {
	have, err := Free(r.Dir)
	if err != nil {
		return err
	}
	if need := r.Size + r.Margin; have < need {
		return operations.Failed(operation.ReasonNotEnoughSpace, "%d bytes are free on the file system of %s and %d are needed (%d of data and a tenth): %s",
			have, r.Dir, need, r.Size, r.Instead)
	}
	return nil
}

// Filled explains a failure of a copy for which there was no room in the end: others
// write to the same file system.
func (r Room) Filled(err error) error {
	if err == nil || !errors.Is(err, unix.ENOSPC) && !strings.Contains(err.Error(), "No space left on device") {
		return err
	}
	return operations.Failed(operation.ReasonNotEnoughSpace, "the file system of %s is full, %d bytes of data were to be copied to it: %s: %w", r.Dir, r.Size, r.Instead, err)
}

// Reserve is what must stay free while the copy is made: the server that others use
// writes to the same file system.
func (r Room) Reserve() int64 { return r.Margin / 2 }

// Watched does something that takes the room, and ends it when the space does.
func (r Room) Watched(ctx context.Context, do func(context.Context) error) error {
	watching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-watching.Done():
				return
			case <-ticker.C:
			}
			if have, err := Free(r.Dir); err == nil && have < r.Reserve() {
				cancel(operations.Failed(operation.ReasonNotEnoughSpace, "only %d bytes were left on the file system of %s, and it was given up: %s", have, r.Dir, r.Instead))
			}
		}
	}()
	err := do(watching)
	if err != nil && ctx.Err() == nil && watching.Err() != nil {
		return context.Cause(watching)
	}
	return err
}
