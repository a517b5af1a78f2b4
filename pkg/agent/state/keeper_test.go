// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

var keeperEnv = engine.Env{PodUID: "pod", UID: "unit"}

func newKeeper(t *testing.T) (*Keeper, *Store) {
	t.Helper()
	s := NewStore(t.TempDir(), Files{})
	return NewKeeper(keeperEnv, s), s
}

func hold(name string, held bool) func(*Desired) error {
	return func(d *Desired) error { *d = d.SetHold(name, held); return nil }
}

func TestKeeperCountsChangesOfHoldsOnly(t *testing.T) {
	k, _ := newKeeper(t)
	for i, step := range []struct {
		do   func(*Desired) error
		want int64
	}{
		{func(d *Desired) error { d.Applied = true; return nil }, 0},
		{hold(HoldFence, true), 1},
		{hold(HoldFence, true), 1},
		{hold(HoldStartup, true), 2},
		{func(d *Desired) error { d.HoldsOrder = 99; d.Epoch = 3; return nil }, 2},
		{hold(HoldFence, false), 3},
	} {
		got, err := k.Change(t.Context(), step.do)
		if err != nil {
			t.Fatal(err)
		}
		if got.HoldsOrder != step.want {
			t.Errorf("step %d: order %d, want %d", i, got.HoldsOrder, step.want)
		}
		if stored, err := k.Desired(); err != nil || stored.HoldsOrder != step.want {
			t.Errorf("step %d: stored %d, %v", i, stored.HoldsOrder, err)
		}
	}
}

func TestKeeperTakesNothingFromAnotherPod(t *testing.T) {
	k, s := newKeeper(t)
	if err := s.WriteDesired(Desired{PodUID: "other", UnitUID: "unit", Epoch: 9, Holds: []string{HoldFence}, Record: engine.RoleRecord{Role: engine.RoleSource}}); err != nil {
		t.Fatal(err)
	}
	got, err := k.Change(t.Context(), hold(HoldStartup, true))
	if err != nil {
		t.Fatal(err)
	}
	want := Desired{PodUID: "pod", UnitUID: "unit", Holds: []string{HoldStartup}, HoldsOrder: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeeperChangesNothingWhenTheChangeOrItsWriteFails(t *testing.T) {
	dir := t.TempDir()
	fail := ""
	s := NewStore(dir, Files{Fault: func(step string) error {
		if step == fail {
			return errFault
		}
		return nil
	}})
	k := NewKeeper(keeperEnv, s)
	if _, err := k.Change(t.Context(), hold(HoldFence, true)); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if _, err := k.Change(t.Context(), func(d *Desired) error { d.Epoch = 8; return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	fail = "sync"
	if _, err := k.Change(t.Context(), hold(HoldFence, false)); !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
	if d, err := k.Desired(); err != nil || len(d.Holds) != 1 || d.Epoch != 0 {
		t.Errorf("desired %+v, %v", d, err)
	}
	fail = ""
	if err := os.WriteFile(filepath.Join(dir, DesiredFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Change(t.Context(), hold(HoldFence, true)); err == nil {
		t.Error("an unreadable file was a basis")
	}
}

func TestKeeperOrdersConcurrentChanges(t *testing.T) {
	k, _ := newKeeper(t)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := k.Change(context.Background(), func(d *Desired) error { d.RestartOrder++; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d, err := k.Desired(); err != nil || d.RestartOrder != 30 {
		t.Errorf("%d of 30 changes, %v", d.RestartOrder, err)
	}
}

func TestTheChannelsPasswordIsInAFileOfItsOwn(t *testing.T) {
	k, s := newKeeper(t)
	account := engine.ChannelAccount{User: "unit_replication", Password: "not-for-eyes"}
	if err := k.SetChannel(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	d, err := k.Desired()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Channel(d); err != nil || got != account {
		t.Errorf("got %v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(s.Dir(), channelFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A call without an account takes none away.
	if err := k.SetChannel(t.Context(), engine.ChannelAccount{}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Channel(d); err != nil || got != account {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.Channel(Desired{}); err != nil || got.User != "" || got.Password != "" {
		t.Errorf("without a channel: %v, %v", got, err)
	}
}

func TestRolesAreDerived(t *testing.T) {
	upstream := &engine.Upstream{Name: "u-0", Host: "h", Port: 1}
	for _, tc := range []struct {
		name     string
		d        Desired
		role     engine.Role
		readOnly bool
		record   engine.RoleRecord
	}{
		{name: "nothing was applied"},
		{name: "a standalone unit", d: Desired{Applied: true}, role: engine.RoleStandalone},
		{name: "a managed unit without an owner", d: Desired{Applied: true, Managed: true}, role: engine.RoleManaged, readOnly: true},
		{name: "an owner that has not spoken", d: Desired{Applied: true, OwnerUID: "r"}, role: engine.RoleManaged, readOnly: true},
		{
			name: "the owner's record", d: Desired{Applied: true, Managed: true, OwnerUID: "r", Record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleSource, Open: true}},
			role: engine.RoleSource, readOnly: true, record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleSource, Open: true},
		},
		{
			name: "a new owner has not spoken: the server is what it was", d: Desired{Applied: true, Managed: true, OwnerUID: "r2", Record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleReplica, Upstream: upstream}},
			role: engine.RoleReplica, readOnly: true, record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleReplica, Upstream: upstream},
		},
		{
			name: "a released source in a new pod opens by itself", d: Desired{Applied: true, Managed: true, Released: &Released{Role: engine.RoleSource}},
			role: engine.RoleSource, record: engine.RoleRecord{Role: engine.RoleSource, Open: true, Released: true},
		},
		{
			name: "a released replica in a new pod follows, read-only", d: Desired{Applied: true, Released: &Released{Role: engine.RoleReplica, Upstream: upstream}},
			role: engine.RoleReplica, readOnly: true, record: engine.RoleRecord{Role: engine.RoleReplica, Upstream: upstream, Released: true},
		},
		{
			name: "a released source in the same pod", d: Desired{Applied: true, Record: engine.RoleRecord{Role: engine.RoleSource, Released: true, Epoch: 4, Open: true}},
			role: engine.RoleSource, record: engine.RoleRecord{Role: engine.RoleSource, Released: true, Epoch: 4, Open: true},
		},
		{
			name: "a source that could not be reached when another had taken its place is no source",
			d:    Desired{Applied: true, Record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleSource, Epoch: 4, Open: true}, Released: &Released{Role: engine.RoleReplica, Upstream: upstream}},
			role: engine.RoleReplica, readOnly: true, record: engine.RoleRecord{Role: engine.RoleReplica, Upstream: upstream, Released: true, Epoch: 4},
		},
		{
			name: "an isolated member whose owner vanished stays closed", d: Desired{Applied: true, Record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleIsolated}},
			role: engine.RoleIsolated, readOnly: true, record: engine.RoleRecord{ReplicationUID: "r", Role: engine.RoleIsolated},
		},
		{
			name: "an owner ends what was released", d: Desired{Applied: true, OwnerUID: "r2", Released: &Released{Role: engine.RoleSource}},
			role: engine.RoleManaged, readOnly: true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.d.deriveRole(); got != tc.role {
				t.Errorf("role %q, want %q", got, tc.role)
			}
			if got := tc.d.ReadOnlyStart(); got != tc.readOnly {
				t.Errorf("read-only start %v, want %v", got, tc.readOnly)
			}
			if diff := cmp.Diff(tc.record, tc.d.EffectiveRecord()); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}
