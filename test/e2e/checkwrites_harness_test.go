// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/test/checkwrites"
)

// What the short forms strike with is part of what make e2e proves.
func TestShortFormsStrikeTheSource(t *testing.T) {
	e := &environment{}
	for _, tc := range []struct {
		set  writtenSet
		want []string
	}{
		{e.writtenMySQL(mysqlGroup), []string{"delete-pod of source", "kill-server of source", "power of source", "kill-operator", "switchover"}},
		{e.writtenPostgreSQL(postgresqlGroup), []string{"switchover", "kill-server of source", "power of source"}},
	} {
		t.Run(tc.set.kind, func(t *testing.T) {
			short := tc.set.short
			faults, err := checkwrites.ParseFaults(short.faults)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, round := range checkwrites.Plan(short.seed, short.rounds, faults, shortestHold, 4*time.Second) {
				got = append(got, round.Name())
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("seed %d (-want +got):\n%s", short.seed, d)
			}
		})
	}
}

// A server of several processes stands still, and continues, as a whole.
func TestFreezingReachesChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & sleep 60 & wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		children, _ := childrenOf(cmd.Process.Pid)
		for _, pid := range append(children, cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = cmd.Wait()
	})
	states := func() string {
		children, err := childrenOf(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, pid := range append(children, cmd.Process.Pid) {
			list = append(list, statOf(pid).state)
		}
		slices.Sort(list)
		return strings.Join(list, "")
	}
	becomes := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(patience); states() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the states of its processes are %s, want %s", states(), want)
			}
		}
	}
	becomes("SSS")
	f := frozen{}
	if err := f.freezeAll(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	becomes("TTT")
	for pid := range f {
		if pid != cmd.Process.Pid {
			f[pid] = "another process"
			break
		}
	}
	f.thaw(t)
	becomes("SST")
}
