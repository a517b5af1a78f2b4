// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// standbySignal makes the server start as a standby. The agent only ever adds it:
// a standby that is started without it becomes a primary that writes the timeline
// of another. pg_promote alone removes it.
const standbySignal = "standby.signal"

// prepareRole readies the data directory and the role's settings for a start. No
// server runs on it.
func (e *Engine) prepareRole(ctx context.Context, start engine.Start) error {
	role := roleOf(start)
	if err := e.writePassword(start.Channel); err != nil {
		return fmt.Errorf("writing the channel's password: %w", err)
	}
	if err := place.File(e.configPath(roleFile), roleConfig(e.roleSettings(role, start.Record)), 0o640); err != nil {
		return fmt.Errorf("writing the role's configuration: %w", err)
	}
	_, err := os.Stat(filepath.Join(e.env.DataDir(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || role == engine.RoleStandalone {
		return err
	}
	if err := e.stripAutoConf(); err != nil {
		return fmt.Errorf("removing the agent's settings from %s: %w", autoConf, err)
	}
	// Also for a source: one whose promotion has not come about is started as a standby.
	if err := e.freeTimelines(ctx); err != nil {
		return err
	}
	if !standby(role) {
		return nil
	}
	return place.File(filepath.Join(e.env.DataDir(), standbySignal), nil, 0o600)
}

// standbyArgs are what a standby's command line has beyond a primary's. They are
// there until the next start, also after a promotion.
func (e *Engine) standbyArgs(ctx context.Context, postgres string) ([]string, error) {
	_, err := os.Stat(filepath.Join(e.env.DataDir(), standbySignal))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	control, err := e.controlData(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		// The image has the server only, which checks for itself.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	wanted := map[string]int{}
	for _, s := range hotStandby {
		output, err := child.Run(ctx, child.Command{Path: postgres, Args: append(e.args(), "-C", s.setting), Env: e.env.Environ})
		if err != nil {
			return nil, fmt.Errorf("asking the configuration for %s: %w", s.setting, err)
		}
		if wanted[s.setting], err = strconv.Atoi(strings.TrimSpace(output)); err != nil {
			return nil, fmt.Errorf("asking the configuration for %s: %w", s.setting, err)
		}
	}
	var args []string
	for _, s := range raise(control, wanted) {
		args = append(args, "-c", s.name+"="+s.value)
	}
	return args, nil
}
