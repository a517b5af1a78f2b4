// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// A mysqld that finds anybody connected when it shuts down says how many, and sleeps.
func TestAPrivateServerStopsWithNobodyConnectedOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		r := newRig(t, box)
		u := unit{operations.Deps{Env: r.env, Engine: r.engine, Server: r, Store: r.store}}
		op := r.op(operation.ActionRestore, nil)
		b := beside{data: u.sideData(), scratch: true}
		if err := u.makeScratch(t.Context(), op, b); err != nil {
			t.Fatal(err)
		}
		var text []byte
		// A thread that waits for a lock when it is looked at may be met once, not each time.
		for _, name := range []string{"first.log", "second.log", "third.log"} {
			// The server cannot write everywhere.
			log := filepath.Join(r.env.TmpDir, name)
			p, err := u.startPrivate(t.Context(), op, b, "--log-error-verbosity=3", "--log-error="+log)
			if err != nil {
				t.Fatal(err)
			}
			if err := onPrivate(t.Context(), p, func(s *session) error { return s.exec(t.Context(), "DO 1") }); err != nil {
				t.Fatal(err)
			}
			if text, err = os.ReadFile(log); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "Giving 0 client threads a chance to die gracefully") {
				return
			}
		}
		t.Errorf("somebody was connected:\n%s", text)
	})
}

func TestAProcessIsAtRestWhenNoneOfItsThreadsRuns(t *testing.T) {
	if atRest(os.Getpid()) {
		t.Error("this test is reported not to run")
	}
	waits := exec.Command("cat")
	in, err := waits.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRest(waits.Process.Pid, time.Minute)
	if !atRest(waits.Process.Pid) {
		t.Error("a process that waits for its input is reported to run")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := waits.Wait(); err != nil {
		t.Fatal(err)
	}
	if !atRest(waits.Process.Pid) {
		t.Error("a process that has ended is reported to run")
	}
}
