// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestALockThatKeepsADumpWaitingIsNamedOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		p.sql("postgres", "CREATE DATABASE locked")
		p.sql("locked", "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)")
		holder := p.conn("locked")
		defer holder.Close(context.Background())
		hold := func() (who string) {
			t.Helper()
			if _, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE t"); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("the dump of locked waits for a lock that is held by unit_agent@locked (pid %d, in a transaction for ", holder.PgConn().PID())
		}
		params := func(t *testing.T) *operation.LogicalBackup {
			params := logical(t.TempDir())
			params.Databases = []string{"locked"}
			return params
		}
		t.Run("in the progress", func(t *testing.T) {
			want, o, done := hold(), op("waits", params(t), nil), make(chan error, 1)
			go func() { _, err := p.run(o); done <- err }()
			agenttest.Eventually(t, "the holder is named", func() bool {
				texts, _, _ := o.Texts()
				return strings.Contains(strings.Join(texts, "\n"), want)
			})
			if _, err := holder.Exec(t.Context(), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		t.Run("in the failure", func(t *testing.T) {
			hold()
			a := logicalBackup{unit{p.deps()}, 3 * time.Second}
			_, err := a.Run(t.Context(), op("fails", params(t), nil))
			want := fmt.Sprintf("the dump of locked has waited 3s for a lock that is held by unit_agent@locked (pid %d", holder.PgConn().PID())
			if operations.ReasonOf(err) != operation.ReasonLocked || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	})
}

// killing ends the server once there are bytes of a dump.
type killing struct {
	*optest.Op
	kill func()
}

func (k *killing) Progress(text string, done, total int64) {
	k.Op.Progress(text, done, total)
	if done > 0 && k.kill != nil {
		k.kill()
		k.kill = nil
	}
}

func TestADumpSaysThatItsServerHasEndedOnARealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		p := newPod(t, box, "a", 5432, "")
		p.sql("postgres", "CREATE TABLE t AS SELECT i, repeat('x', 200) AS v FROM generate_series(1, 200000) i")
		o := op("b", logical(t.TempDir()), nil)
		_, err := New(p.deps())[o.Action()].Run(t.Context(), &killing{o, func() { p.Server.KillAlone() }})
		if operations.ReasonOf(err) != operation.ReasonServerNotRunning {
			t.Errorf("reason %s: %v", operations.ReasonOf(err), err)
		}
	})
}
