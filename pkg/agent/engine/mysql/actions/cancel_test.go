// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

// cancelling is an operation that is cancelled when it says what it does.
type cancelling struct {
	*optest.Op
	at     string
	cancel context.CancelFunc
}

func (c cancelling) Progress(text string, done, total int64) {
	c.Op.Progress(text, done, total)
	if strings.HasPrefix(text, c.at) {
		c.cancel()
	}
}

func TestCancelledOperationsLeaveNothingOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		r.fill("d", 200000)
		want := r.sum("d")
		taken := r.run(operation.ActionPhysicalBackup, fullBackup(r.backups()+"taken"))
		logical := r.run(operation.ActionLogicalBackup, backupParams(r.backups()+"logical"))
		for _, tc := range []struct {
			name, action, at string
			params           operation.Params
		}{
			{"the copy", operation.ActionPhysicalBackup, "copying", fullBackup(r.backups() + "new")},
			{"the storing of the copy", operation.ActionPhysicalBackup, "storing", fullBackup(r.backups() + "new")},
			{"the dump", operation.ActionLogicalBackup, "dumping", backupParams(r.backups() + "new")},
			{"the unpacking", operation.ActionRestore, "unpacking", &operation.Restore{Source: taken["location"], Overwrite: true}},
			{"the proof", operation.ActionRestore, "starting a private", &operation.Restore{Source: taken["location"], Overwrite: true}},
			{"the loading beside", operation.ActionRestore, "loading", &operation.Restore{Source: logical["location"], Overwrite: true}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				op := cancelling{r.op(tc.action, tc.params), tc.at, cancel}
				action := r.actions()[tc.action]
				if _, err := action.Run(ctx, op); !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
				if a, ok := action.(operations.Abandoner); ok {
					if err := a.Abandon(t.Context(), op); err != nil {
						t.Fatal(err)
					}
				}
				r.beside()
				if got := r.sum("d"); got != want || r.Stops > 0 {
					t.Errorf("the data changed: %s, want %s, stops %d", got, want, r.Stops)
				}
				if left, err := filepath.Glob(strings.TrimPrefix(r.backups(), "file://") + "new.manifest*"); err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
				if got := r.scalar("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'unit_agent' AND (info LIKE 'CLONE%' OR info LIKE 'SELECT /*%')"); got != "0" {
					t.Errorf("%s statements run on", got)
				}
			})
		}
		parallel := fullBackup(r.backups() + "new")
		parallel.Parallel = 2
		before := r.scalar("SELECT @@clone_max_concurrency")
		r.run(operation.ActionPhysicalBackup, parallel)
		if got := r.scalar("SELECT @@clone_max_concurrency"); got != before {
			t.Errorf("clone_max_concurrency is %s, was %s", got, before)
		}
	})
}
