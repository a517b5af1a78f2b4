// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sidedata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/operation"
)

// errDied is what nobody hears: the agent has ended.
var errDied = errors.New("the agent has ended")

// behaviour of the server that is let go on the new data.
type behaviour string

const (
	serves     behaviour = "serves"
	refuses    behaviour = "does not start"
	heldDown   behaviour = "is held down by others"
	answersNot behaviour = "starts, and the agent does not hear of it"
)

// world is a unit whose agent ends before a step that is told, and again before another
// one of the next agent.
type world struct {
	t        *testing.T
	dir      string
	op       *optest.Op
	inSteps  bool
	server   behaviour
	dieAt    []int
	steps    int
	died     bool
	agentEnd context.CancelFunc

	held, running bool
	// written by clients to the new data.
	written  int
	recorded int
}

func newWorld(t *testing.T, root string, server behaviour, inSteps bool, dieAt ...int) *world {
	t.Helper()
	dir := filepath.Join(root, "unit")
	w := &world{t: t, dir: dir, server: server, inSteps: inSteps, dieAt: dieAt, running: true, op: &optest.Op{IDValue: "o"}}
	w.op.Fault = w.step
	w.make(filepath.Join(dir, "data"), "old")
	return w
}

func (w *world) make(path, id string) {
	w.t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "id"), []byte(id), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// step is asked before each effect.
func (w *world) step(string) error {
	if w.died {
		return errDied
	}
	w.steps++
	if w.written == 0 && w.whereIs("old") == "" {
		w.t.Errorf("%v: at step %d the old data is nowhere, and nobody has seen the new serve", w, w.steps)
	}
	if len(w.dieAt) > 0 && w.steps == w.dieAt[0] {
		w.dieAt, w.died = w.dieAt[1:], true
		w.agentEnd()
		return errDied
	}
	return nil
}

func (w *world) String() string {
	return fmt.Sprintf("the server %s, in steps %t, phases %v", w.server, w.inSteps, w.op.Phases())
}

// whereIs the data with the id, below the unit's directory.
func (w *world) whereIs(id string) string {
	for _, path := range []string{"data", "side/data", "side/parked"} {
		if content, err := os.ReadFile(filepath.Join(w.dir, path, "id")); err == nil && string(content) == id {
			return path
		}
	}
	return ""
}

// StopServer implements operations.Server.
func (w *world) StopServer(context.Context, operations.Op) error {
	if err := w.step("stop"); err != nil {
		return err
	}
	w.held, w.running = true, false
	return nil
}

// StartServer implements operations.Server.
func (w *world) StartServer(ctx context.Context, _ operations.Op) error {
	if err := w.step("start"); err != nil {
		return err
	}
	isNew := w.whereIs("new") == "data"
	if isNew && w.server == heldDown {
		return fmt.Errorf("%w: by startup", operations.ErrHeld)
	}
	w.held = false
	if isNew && w.server == refuses {
		return fmt.Errorf("%w: it says so", operations.ErrNotStarted)
	}
	w.running = true
	if isNew {
		w.written++
		if err := os.WriteFile(filepath.Join(w.dir, "data", "written"), fmt.Append(nil, w.written), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	if isNew && w.server == answersNot && w.written == 1 {
		return errors.New("its record cannot be written")
	}
	return ctx.Err()
}

// ReplaceIdentity implements operations.Server.
func (w *world) ReplaceIdentity(context.Context, operations.Op, string) error {
	return w.step("identity")
}

// inspector is an engine that is only looked at.
type inspector struct {
	engine.Engine
	data string
}

func systemID(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "id"))
	return string(content), err
}

func (i inspector) Inspect(context.Context) (engine.Data, error) {
	id, err := systemID(i.data)
	return engine.Data{SystemID: id}, err
}

func (w *world) machine() Machine {
	data := filepath.Join(w.dir, "data")
	p := places{
		data: data, side: filepath.Join(w.dir, "side"),
		sync: func(string) error { return nil }, syncAll: func(string) error { return nil },
		rename: func(from, to string) error {
			if err := w.step("rename"); err != nil {
				return err
			}
			return os.Rename(from, to)
		},
		exchange: func(one, other string) error {
			if err := w.step("exchange"); err != nil {
				return err
			}
			if w.inSteps {
				return unix.EINVAL
			}
			return unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
		},
	}
	return Machine{
		Deps: operations.Deps{Engine: inspector{data: data}, Server: w}, SystemID: systemID, places: &p,
		Record: func(note json.RawMessage) error {
			if err := w.step("record"); err != nil {
				return err
			}
			if string(note) != `"note"` {
				w.t.Errorf("%v: the note is %s", w, note)
			}
			w.recorded++
			return nil
		},
	}
}

// agent lets an agent work on the operation, and returns what it says. Cancelled, or
// interrupted in a phase that is not taken up, the operation is abandoned.
func (w *world) agent(cancelled, first bool) (map[string]string, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.agentEnd, w.died, w.steps = cancel, false, 0
	m := w.machine()
	phase, _ := w.op.Phase()
	if !first && (cancelled || Recovery(phase) != operations.RecoverAtOnce) {
		if err := m.Abandon(ctx, w.op); err != nil {
			return nil, err
		}
		return nil, operations.Failed(operations.ReasonInterrupted, "abandoned")
	}
	return m.Run(ctx, w.op, Plan{Room: func() error { return nil }, Build: func(context.Context) (Made, error) {
		if err := w.step("build"); err != nil {
			return Made{}, err
		}
		w.make(m.Data(), "new")
		return Made{Result: map[string]string{"message": "made"}, Note: "note"}, nil
	}})
}

// check what the operation has left. Who runs it clears its hold in the end.
func (w *world) check(result map[string]string, err error) {
	w.t.Helper()
	left := err != nil && strings.Contains(err.Error(), "the old is in")
	want := "new"
	if err != nil && operations.ReasonOf(err) != operation.ReasonTooLate && !left {
		want = "old"
	}
	if w.written > 0 {
		content, readErr := os.ReadFile(filepath.Join(w.dir, "data", "written"))
		if readErr != nil || string(content) != fmt.Sprint(w.written) {
			w.t.Errorf("%v: clients have written to the new data, and that is not what is left: %q, %v", w, content, err)
		}
	}
	if got := w.whereIs(want); got != "data" {
		w.t.Errorf("%v: the %s data is in %q, after %v", w, want, got, err)
	}
	if _, statErr := os.Lstat(filepath.Join(w.dir, "side")); (statErr == nil) != left {
		w.t.Errorf("%v: what is alongside: %v, after %v", w, statErr, err)
	}
	if want == "new" && !left && w.recorded == 0 {
		w.t.Errorf("%v: that the data was replaced is not recorded", w)
	}
	if err == nil && result["message"] != "made" {
		w.t.Errorf("%v: the result is %v", w, result)
	}
	if !w.running && !w.held && w.server == serves {
		w.t.Errorf("%v: nothing keeps the server down, and it does not run, after %v", w, err)
	}
}

// most steps that an agent takes, and more.
const most = 14

func TestHoweverOftenTheAgentEndsTheDataIsWhollyOldOrNew(t *testing.T) {
	ended, root := map[string]int{}, t.TempDir()
	for _, server := range []behaviour{serves, refuses, heldDown, answersNot} {
		for _, inSteps := range []bool{false, true} {
			for _, cancelled := range []bool{false, true} {
				for first := range most {
					for second := range most {
						// At step 0 nobody dies.
						w := newWorld(t, root, server, inSteps, first, second)
						result, err := w.agent(cancelled, true)
						for range 3 {
							if !w.died {
								break
							}
							ended[fmt.Sprint(w.op.Phases())]++
							result, err = w.agent(cancelled, false)
						}
						w.check(result, err)
						if err := os.RemoveAll(w.dir); err != nil {
							t.Fatal(err)
						}
						if t.Failed() {
							t.Fatalf("first %d, second %d, cancelled %t", first, second, cancelled)
						}
						if len(w.dieAt) == 2 {
							// The first agent came to its end.
							break
						}
					}
				}
			}
		}
	}
	// The agent must have ended in each phase.
	for _, phase := range []string{PhaseBuild, PhaseExchange, PhaseReleased, PhaseServing, PhaseBack} {
		seen := false
		for phases := range ended {
			seen = seen || strings.HasSuffix(phases, phase+"]")
		}
		if !seen {
			t.Errorf("no agent has ended in phase %s", phase)
		}
	}
}

func TestServerThatDoesNotStartOnTheNewDataGetsTheOldBack(t *testing.T) {
	for server, wants := range map[behaviour]struct {
		phases []string
		words  string
	}{
		serves:     {[]string{PhaseBuild, PhaseExchange, PhaseReleased, PhaseServing}, ""},
		refuses:    {[]string{PhaseBuild, PhaseExchange, PhaseReleased, PhaseBack}, "the old is back: the server does not start: it says so"},
		heldDown:   {[]string{PhaseBuild, PhaseExchange, PhaseReleased, PhaseBack}, "the old is back: the server is held down by others: by startup"},
		answersNot: {[]string{PhaseBuild, PhaseExchange, PhaseReleased, PhaseServing}, ""},
	} {
		w := newWorld(t, t.TempDir(), server, false)
		result, err := w.agent(false, true)
		w.check(result, err)
		if diff := cmp.Diff(wants.phases, w.op.Phases()); diff != "" {
			t.Errorf("%s: %s", server, diff)
		}
		if wants.words != "" && (operations.ReasonOf(err) != operation.ReasonNewDataNotServing || !strings.Contains(err.Error(), wants.words)) {
			t.Errorf("%s: %v", server, err)
		}
	}
}

func TestNewDataThatCannotBeMadeLeavesNothing(t *testing.T) {
	failed := errors.New("failed")
	fine := func(context.Context) (Made, error) { return Made{}, nil }
	for name, p := range map[string]Plan{
		"no room":       {Room: func() error { return failed }, Build: fine},
		"a failure":     {Room: func() error { return nil }, Build: func(context.Context) (Made, error) { return Made{}, failed }},
		"nothing there": {Room: func() error { return nil }, Build: fine},
	} {
		w := newWorld(t, t.TempDir(), serves, false)
		w.agentEnd = func() {}
		if err := os.MkdirAll(filepath.Join(w.dir, "side", "left by an earlier one"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := w.machine().Run(t.Context(), w.op, p)
		if err == nil || name != "nothing there" && !errors.Is(err, failed) {
			t.Errorf("%s: %v", name, err)
		}
		w.check(nil, err)
	}
}
