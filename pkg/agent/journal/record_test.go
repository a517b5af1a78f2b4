// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

func newJournal(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := Ensure(state.Files{}, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func list(t *testing.T, dir string) []Record {
	t.Helper()
	records, damaged, err := List(dir)
	if err != nil || len(damaged) > 0 {
		t.Fatalf("%v, %v", damaged, err)
	}
	return records
}

func record(phase string) Record {
	return Record{
		Version: 1, ID: "op-1", Action: "restore", Parameters: json.RawMessage(`{"source":"s3://b/"}`), State: Running,
		Phase: phase, PhaseData: json.RawMessage(`{"side":"restore-1"}`), Held: true,
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestARecordIsThereAsItWasWrittenOrNotAtAll(t *testing.T) {
	fault := errors.New("fault")
	for _, first := range []bool{true, false} {
		for n := 0; ; n++ {
			dir := newJournal(t)
			old, next := record("unpack"), record("exchange")
			if !first {
				if err := Write(state.Files{}, dir, old); err != nil {
					t.Fatal(err)
				}
			}
			step := 0
			err := Write(state.Files{Fault: func(string) error {
				step++
				if step == n+1 {
					return fault
				}
				return nil
			}}, dir, next)
			failed := step > n
			if failed != errors.Is(err, fault) {
				t.Fatalf("step %d: %v", n, err)
			}
			got := list(t, dir)
			allowed := [][]Record{{next}}
			if failed {
				before := []Record(nil)
				if !first {
					before = []Record{old}
				}
				allowed = append(allowed, before)
			}
			if !slices.ContainsFunc(allowed, func(want []Record) bool { return equal(want, got) }) {
				t.Errorf("step %d: %+v", n, got)
			}
			if !failed {
				break
			}
		}
	}
}

// equal does without the white space that indentation puts into raw JSON.
func equal(a, b []Record) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

func TestARecordIsOnDiskBeforeItsNameIs(t *testing.T) {
	dir := newJournal(t)
	var steps []string
	if err := Write(state.Files{Fault: func(step string) error { steps = append(steps, step); return nil }}, dir, record("x")); err != nil {
		t.Fatal(err)
	}
	want := []string{"create", "write", "chmod", "sync", "close", "rename", "syncdir"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatACrashedWriteLeftIsNoRecordAndGoes(t *testing.T) {
	dir := newJournal(t)
	left := filepath.Join(dir, dirName, ".tmp-operation-op-1.json-123")
	if err := os.WriteFile(left, []byte(`{"ver`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if id, err := ID(dir); id == "" || err != nil {
		t.Errorf("id %q, %v", id, err)
	}
}

func TestARecordThatCannotBeReadIsToldApartFromNone(t *testing.T) {
	for name, content := range map[string]string{
		"torn by a disk":    `{"version": 1, "id": "op-1", "sta`,
		"of a newer agent":  `{"version": 2, "id": "op-1"}`,
		"of another id":     `{"version": 1, "id": "op-2"}`,
		"without a version": `{"id": "op-1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := newJournal(t)
			if err := os.WriteFile(recordPath(dir, "op-1"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			records, damaged, err := List(dir)
			if err != nil || len(records) > 0 || damaged["op-1"].Err == nil || damaged["op-1"].Changed.IsZero() {
				t.Errorf("%+v, %+v, %v", records, damaged, err)
			}
		})
	}
}

func TestARemovedRecordIsGone(t *testing.T) {
	dir := newJournal(t)
	if err := Write(state.Files{}, dir, record("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(state.Files{}, dir, "op-1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, dir); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestAnIDThatIsNoFileNameIsRefused(t *testing.T) {
	dir := newJournal(t)
	for _, id := range []string{"", "..", "a/b", "-a", ".tmp", "a_b", strings.Repeat("a", 64)} {
		r := record("x")
		r.ID = id
		if err := Write(state.Files{}, dir, r); err == nil {
			t.Errorf("%q was written", id)
		}
		if err := Remove(state.Files{}, dir, id); err == nil {
			t.Errorf("%q was removed", id)
		}
	}
	for _, id := range []string{"0d5a1d3e-4b5c-4c6d-8e7f-0123456789ab", "a", strings.Repeat("a", 63)} {
		if !ValidID(id) {
			t.Errorf("%q is refused", id)
		}
	}
}

func TestARecordFindsRoomOnAFullVolume(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		dir := newJournal(t)
		ballast := filepath.Join(dir, dirName, "ballast")
		// Full as long as the ballast lies there.
		files := state.Files{Fault: func(step string) error {
			if _, err := os.Stat(ballast); step == "write" && err == nil {
				return &os.PathError{Op: "write", Path: "x", Err: full}
			}
			return nil
		}}
		for range 2 {
			if err := Ballast(state.Files{}, dir); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := os.Stat(ballast); err != nil || info.Size() != 64<<10 {
			t.Fatalf("%v, %v", info, err)
		}
		if err := Write(files, dir, record("x")); err != nil {
			t.Fatal(err)
		}
		if got := list(t, dir); len(got) != 1 {
			t.Errorf("%+v", got)
		}
		// Without it there is no second try that could help.
		tries := 0
		err := Write(state.Files{Fault: func(step string) error {
			if step == "write" {
				tries++
				return full
			}
			return nil
		}}, dir, record("y"))
		if !errors.Is(err, full) || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
	}
}
