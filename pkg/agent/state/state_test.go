// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

var errFault = errors.New("fault")

// failAt fails the nth step (from 0) and counts the steps it saw.
func failAt(n int, seen *int) Files {
	return Files{Fault: func(string) error {
		*seen++
		if *seen == n+1 {
			return errFault
		}
		return nil
	}}
}

func TestWriteDesiredLeavesOldOrNewWhereverItFails(t *testing.T) {
	older := Desired{PodUID: "p", UnitUID: "u", Epoch: 1, Holds: []string{"fence"}, Role: engine.RoleReplica}
	newer := Desired{PodUID: "p", UnitUID: "u", Epoch: 2, Holds: []string{}, Applied: true, ConfigHash: "h2"}
	for n := 0; ; n++ {
		dir := t.TempDir()
		if err := NewStore(dir, Files{}).WriteDesired(older); err != nil {
			t.Fatal(err)
		}
		seen := 0
		err := NewStore(dir, failAt(n, &seen)).WriteDesired(newer)
		got, readErr := NewStore(dir, Files{}).Desired()
		if readErr != nil {
			t.Fatalf("step %d: %v", n, readErr)
		}
		got.Header = Header{}
		if n >= seen {
			if err != nil {
				t.Fatalf("no fault, yet: %v", err)
			}
			if diff := cmp.Diff(newer, *got); diff != "" {
				t.Fatalf("after success (-want +got):\n%s", diff)
			}
			if n < 6 {
				t.Fatalf("only %d steps: a fault cannot have been injected everywhere", n)
			}
			return
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("step %d: error %v, want the fault", n, err)
		}
		// Only the last step, the sync of the directory, comes after the rename.
		want := older
		if n == 6 {
			want = newer
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("step %d failed (-want +got):\n%s", n, diff)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) > 0 && n != 6 {
			t.Errorf("step %d failed and left %v", n, left)
		}
	}
}

func TestWriteConfigIsWholeOrAbsentWhereverItFails(t *testing.T) {
	files := map[string][]byte{"my.cnf": []byte("[mysqld]\n"), "extra.cnf": []byte("x")}
	for n := 0; ; n++ {
		dir := t.TempDir()
		seen := 0
		err := NewStore(dir, failAt(n, &seen)).WriteConfig("h1", files)
		got, readErr := NewStore(dir, Files{}).Config("h1")
		switch {
		case n >= seen:
			if err != nil || readErr != nil {
				t.Fatalf("no fault, yet: %v, %v", err, readErr)
			}
			if n < 10 {
				t.Fatalf("only %d steps", n)
			}
			return
		case !errors.Is(err, errFault):
			t.Fatalf("step %d: error %v, want the fault", n, err)
		case errors.Is(readErr, fs.ErrNotExist):
		case readErr != nil:
			t.Fatalf("step %d: %v", n, readErr)
		default:
			if diff := cmp.Diff(files, got); diff != "" {
				t.Errorf("step %d left half a configuration (-want +got):\n%s", n, diff)
			}
		}
		// Whatever was left, trying again succeeds.
		if err := NewStore(dir, Files{}).WriteConfig("h1", files); err != nil {
			t.Errorf("step %d: trying again: %v", n, err)
		}
	}
}

func TestWriteConfigRefusesOtherContentUnderAKnownHash(t *testing.T) {
	s := NewStore(t.TempDir(), Files{})
	if err := s.WriteConfig("h", map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteConfig("h", map[string][]byte{"a": []byte("1")}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := s.WriteConfig("h", map[string][]byte{"a": []byte("2")}); !errors.Is(err, ErrConfigConflict) {
		t.Errorf("other content: %v, want ErrConfigConflict", err)
	}
}

func TestValidateConfigRefusesNamesThatAreNoBaseNames(t *testing.T) {
	ok := map[string][]byte{"my.cnf": nil}
	for _, hash := range []string{"", "..", "a/b", "-x", ".tmp-x", strings.Repeat("a", 129)} {
		if err := ValidateConfig(hash, ok); err == nil {
			t.Errorf("hash %q was accepted", hash)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "../my.cnf", "-x", "a\x00b"} {
		if err := ValidateConfig("h", map[string][]byte{name: nil}); err == nil {
			t.Errorf("file %q was accepted", name)
		}
	}
	if err := ValidateConfig("h", nil); err == nil {
		t.Error("no files were accepted")
	}
	if err := ValidateConfig("sha256:ab.c_d-1", ok); err != nil {
		t.Error(err)
	}
}

func TestDesiredIsNeverGuessed(t *testing.T) {
	whole := `{"version":1,"podUID":"p","unitUID":"u","epoch":7,"unitGeneration":0,"applied":true,"managed":true,"holds":["fence"]}`
	dir := t.TempDir()
	path := filepath.Join(dir, DesiredFile)
	for length := range len(whole) {
		if err := os.WriteFile(path, []byte(whole[:length]), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := NewStore(dir, Files{}).Desired(); err == nil {
			t.Fatalf("%d of %d bytes were read as %+v", length, len(whole), d)
		}
	}
	for _, content := range []string{`{"version":2}`, `{}`, `{"version":0}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewStore(dir, Files{}).Desired(); err == nil {
			t.Errorf("%s was accepted", content)
		}
	}
	// A field of a newer agent is no reason to refuse.
	if err := os.WriteFile(path, []byte(strings.Replace(whole, "{", `{"new":1,`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := NewStore(dir, Files{}).Desired(); err != nil || d.Epoch != 7 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestPruneConfigsKeepsWhatItIsTold(t *testing.T) {
	s := NewStore(t.TempDir(), Files{})
	for _, h := range []string{"a", "b", "c"} {
		if err := s.WriteConfig(h, map[string][]byte{"f": []byte(h)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PruneConfigs("a", "", "c"); err != nil {
		t.Fatal(err)
	}
	for h, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, err := s.Config(h); (err == nil) != want {
			t.Errorf("%s: %v", h, err)
		}
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".unit-agent")
	if got, err := ReadIdentity(dir); got != nil || err != nil {
		t.Fatalf("got %v, %v from nothing", got, err)
	}
	want := DataIdentity{SystemID: "7", ClaimUIDs: map[string]string{"data": "c1"}, DataGeneration: 3, Virgin: true}
	if err := WriteIdentity(Files{}, dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSetHoldIsIdempotentAndSorted(t *testing.T) {
	var d Desired
	for _, h := range []string{"upgrade", "fence", "upgrade"} {
		d = d.SetHold(h, true)
	}
	if diff := cmp.Diff([]string{"fence", "upgrade"}, d.Holds); diff != "" {
		t.Error(diff)
	}
	before := d
	d = d.SetHold("fence", false).SetHold("fence", false).SetHold("other", false)
	if diff := cmp.Diff([]string{"upgrade"}, d.Holds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"fence", "upgrade"}, before.Holds); diff != "" {
		t.Errorf("the original changed: %s", diff)
	}
}

func TestWatchTellsOfReplacedFilesAndOfNoOthers(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	changed := Watch(ctx, dir, DesiredFile)
	<-changed // the one at the start
	s := NewStore(dir, Files{})
	if err := s.WriteObserved(Observed{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Error("told of another file")
	case <-time.After(50 * time.Millisecond):
	}
	for range 3 {
		if err := s.WriteDesired(Desired{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatal("not told")
		}
		time.Sleep(10 * time.Millisecond)
		select {
		case <-changed:
		default:
		}
	}
	cancel()
	for range changed { //nolint:revive // until it is closed
	}
}

func TestPollTellsOfReplacedFiles(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := t.TempDir()
	changed := make(chan struct{}, 1)
	go poll(ctx, filepath.Join(dir, DesiredFile), changed, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	// What is written before the first look is not new: write until it is told.
	for end := time.Now().Add(time.Minute); ; {
		if err := NewStore(dir, Files{}).WriteDesired(Desired{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
			return
		case <-time.After(2 * pollInterval):
		}
		if time.Now().After(end) {
			t.Fatal("not told")
		}
	}
}

func TestLockIsSeenWithoutBeingTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if locked, err := Locked(path); locked || err != nil {
		t.Fatalf("no file: %v, %v", locked, err)
	}
	held, err := Lock(context.Background(), path, func() { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if locked, err := Locked(path); !locked || err != nil {
			t.Fatalf("held: %v, %v", locked, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	waited := false
	if _, err := Lock(ctx, path, func() { waited = true }); !errors.Is(err, context.DeadlineExceeded) || !waited {
		t.Errorf("second lock: %v, waited %v", err, waited)
	}
	held.Close()
	if locked, err := Locked(path); locked || err != nil {
		t.Errorf("freed: %v, %v", locked, err)
	}
}
