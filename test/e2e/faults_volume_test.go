// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// volume is the data volume of a unit, seen from this machine. It stays readable when
// the containers are dead, and keeps a pod from going while it is open.
type volume struct {
	*os.Root
	path string
	// agent and supervise are processes of the pod; supervise only where it is killed.
	agent, supervise int
}

func (v *victim) volume(t *testing.T) volume {
	t.Helper()
	var out volume
	eventually(t, time.Minute, "the agent of "+v.name, func(context.Context) (err error) {
		if out.agent, err = hostProcess(v.name, agentProcess); err != nil {
			return err
		}
		out.path = fmt.Sprintf("/proc/%d/root/DATA_MOUNT", out.agent)
		out.Root, err = os.OpenRoot(out.path)
		return err
	})
	return out
}

// record of an operation.
func (v volume) record(id string) (journal.Record, error) {
	var r journal.Record
	content, err := v.ReadFile(".unit-agent/journal/operation-" + id + ".json")
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	return r, err
}

// await returns the record of an operation once it is as wanted, or final. While the
// agent lives each write of it is heard of at once.
func (v volume) await(t *testing.T, id string, wanted func(journal.Record) bool) journal.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range state.Watch(ctx, filepath.Join(v.path, ".unit-agent", "journal"), "operation-"+id+".json") {
		r, err := v.record(id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err == nil && (wanted(r) || r.State.Final()) {
			return r
		}
	}
	t.Fatalf("operation %s is neither over nor as far as is waited for", id)
	return journal.Record{}
}

// generation of the victim's data: how often it was replaced.
func (v *victim) generation(t *testing.T) int64 {
	t.Helper()
	volume := v.volume(t)
	defer func() { _ = volume.Close() }()
	content, err := volume.ReadFile(".unit-agent/identity.json")
	if err != nil {
		t.Fatal(err)
	}
	var identity state.DataIdentity
	if err := json.Unmarshal(content, &identity); err != nil {
		t.Fatal(err)
	}
	return identity.DataGeneration
}

const filler = "filler"

// full leaves so many bytes free on the victim's data volume. It is not written to, so
// it costs this machine nothing. The function returned makes room again.
func (v *victim) full(t *testing.T, leave int64) (empty func()) {
	t.Helper()
	volume := v.volume(t)
	f, err := volume.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	empty = func() {
		_ = volume.Remove(filler)
		_ = f.Close()
		_ = volume.Close()
	}
	var size int64
	for range 100 {
		var st unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
			empty()
			t.Fatal(err)
		}
		more := int64(st.Bavail)*st.Bsize - leave
		if more < 1<<20 {
			return empty
		}
		err := unix.Fallocate(int(f.Fd()), 0, size, more)
		if err != nil {
			more /= 2
			err = unix.Fallocate(int(f.Fd()), 0, size, more)
		}
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			empty()
			t.Fatal(err)
		}
		if err == nil {
			size += more
		}
	}
	empty()
	t.Fatal("the volume does not fill up")
	return nil
}
