// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// asStandby makes a copy of another member a standby of this unit's, without an upstream,
// with the unit's own settings. A private server recovers it by the WAL that came with it
// until it is consistent, and stops there: going further would begin another timeline.
func (u unit) asStandby(ctx context.Context, op operations.Op, data string) error {
	// Nobody's settings are for the private server.
	if err := os.Remove(filepath.Join(data, autoConf)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := toRecover(op, data); err != nil {
		return err
	}
	cmd, _, err := u.private(ctx, op, data, []string{"-c", "recovery_target=immediate", "-c", "recovery_target_action=shutdown"})
	if err != nil {
		return err
	}
	if err := pipe.Run(ctx, cmd, nil, nil); err != nil {
		return operations.Failed(operation.ReasonDataUnusable, "the copy does not become consistent: %w", err)
	}
	// However it is started next, it must not begin to write the timeline of the donor.
	if err := os.WriteFile(filepath.Join(data, standbySignal), nil, 0o600); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(data, recoverySignal)); err != nil {
		return err
	}
	return u.keepSettings(data)
}

// keepSettings gives a copy what ALTER SYSTEM has set on this unit: it is the unit's, not
// the data's.
func (u unit) keepSettings(data string) error {
	content, err := os.ReadFile(filepath.Join(u.Env.DataDir(), autoConf))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	path := filepath.Join(data, autoConf)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return dropOwned(path)
}
