// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestTheIDIsMadeWithTheJournalAndStays(t *testing.T) {
	fault := errors.New("fault")
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), ".unit-agent")
		step := 0
		err := Ensure(state.Files{Fault: func(string) error {
			step++
			if step == n+1 {
				return fault
			}
			return nil
		}}, dir)
		failed := step > n
		if failed != errors.Is(err, fault) {
			t.Fatalf("step %d: %v", n, err)
		}
		first, err := ID(dir)
		if err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		if !failed && first == "" {
			t.Fatal("no id")
		}
		if err := Ensure(state.Files{}, dir); err != nil {
			t.Fatalf("step %d: trying again: %v", n, err)
		}
		again, err := ID(dir)
		if err != nil || again == "" || (first != "" && again != first) {
			t.Fatalf("step %d: %q, then %q, %v", n, first, again, err)
		}
		if !failed {
			if n < 5 {
				t.Fatalf("only %d steps", n)
			}
			return
		}
	}
}

func TestAJournalThatLostItsIDIsNoNewJournal(t *testing.T) {
	dir := t.TempDir()
	if err := Ensure(state.Files{}, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "journal", "id")); err != nil {
		t.Fatal(err)
	}
	if id, err := ID(dir); err == nil {
		t.Errorf("id %q", id)
	}
	if err := Ensure(state.Files{}, dir); err == nil {
		t.Error("it was made anew")
	}
}
