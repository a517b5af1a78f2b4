// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// storeTries is how often a store is sent a request until a backup is given up.
const storeTries = 5

// storeFails puts faults on the way to the store.
func storeFails(t *testing.T, v *victim) {
	for _, tc := range []struct {
		name string
		put  func() fault
		// reason of the failure; a Success if empty.
		reason string
	}{
		{"is slow for a while", func() fault { return slow(512<<10, time.Now().Add(4*time.Second)) }, ""},
		{"cuts connections", func() fault { return times(3, isPart(0), cuts(1<<20)) }, ""},
		{"answers 500 to a part", func() fault { return times(2, isPart(3), answers(http.StatusInternalServerError, "InternalError")) }, ""},
		{"is overloaded for a while", func() fault { return times(2, anyRequest, answers(http.StatusServiceUnavailable, "SlowDown")) }, ""},
		{"answers 500 to a part for good", func() fault { return times(0, isPart(2), answers(http.StatusInternalServerError, "InternalError")) }, backup.ReasonStore},
		{"cuts every connection", func() fault { return times(0, isPart(0), cuts(1<<20)) }, backup.ReasonUnreachable},
		{"does not take the manifest", func() fault {
			return times(0, puts(backup.ManifestSuffix), answers(http.StatusInternalServerError, "InternalError"))
		}, backup.ReasonStore},
	} {
		t.Run("a store that "+tc.name, func(t *testing.T) {
			folder := v.folder(strings.ReplaceAll(tc.name, " ", "-"))
			struck := newTally(tc.put())
			v.way.put(struck.fault)
			defer v.way.clear()
			call := v.backup(t, folder)
			status, reason := v.ends(t, call)
			v.way.clear()
			if tc.reason != "" {
				if status.Result != v1alpha1.ResultFailed || reason != tc.reason {
					t.Errorf("%s with reason %q, want Failed with %s", status.Result, reason, tc.reason)
				}
				// Not how long it took: that is the machine's, and the operator may be away
				// meanwhile.
				if most := struck.most(); most > storeTries {
					t.Errorf("a request was sent %d times until the backup was given up, want at most %d", most, storeTries)
				}
				v.honest(t, call, folder)
				return
			}
			if n := v.tidy(t, folder); status.Result != v1alpha1.ResultSuccess || n != 1 {
				t.Fatalf("%s with %d backups", status.Result, n)
			}
			v.comesBack(t, folder)
		})
	}

	t.Run("a store that cuts what is downloaded", func(t *testing.T) {
		folder := v.folder("downloaded")
		v.succeeds(t, v.backup(t, folder))
		want := v.total(t)
		old := v.mark(t)
		v.way.put(times(0, gets("base.tar"), v.way.cutsAnswer(1<<20)))
		status, reason := v.ends(t, v.start(t, v1alpha1.ActionRestore, v.from(folder)))
		v.way.clear()
		// Each try brings the download a piece further, so it may come to its end.
		if status.Result == v1alpha1.ResultSuccess {
			old = want
		} else if reason != backup.ReasonUnreachable {
			t.Errorf("reason %s, want %s", reason, backup.ReasonUnreachable)
		}
		v.unchanged(t, old)
		v.nothingBeside(t)
	})
}

// comesBack: the newest backup in the folder brings the rows back.
func (v *victim) comesBack(t *testing.T, folder string) {
	t.Helper()
	want := v.total(t)
	v.sql(t, "shop", v.damage)
	v.succeeds(t, v.start(t, v1alpha1.ActionRestore, v.from(folder)))
	v.unchanged(t, want)
}

// wayWrong uses a way with wrong credentials, and one where nobody listens.
func wayWrong(t *testing.T, v *victim) {
	wrong, nobody := v.store, v.store
	wrong.secretKey, nobody.endpoint = "not-the-key-at-all", "http://"+v.e.host(t)+":1"
	for reason, s := range map[string]store{backup.ReasonCredentials: wrong, backup.ReasonUnreachable: nobody} {
		v.e.storeSecret(t, v.name+"-wrong", s)
		parameters := v.to(v.folder("wrong"))
		parameters["destinationSecret"] = v.name + "-wrong"
		status, got := v.ends(t, v.start(t, v1alpha1.ActionPhysicalBackup, parameters))
		if status.Result != v1alpha1.ResultFailed || got != reason {
			t.Errorf("%s with reason %q, want Failed with %s", status.Result, got, reason)
		}
		for _, value := range []string{s.secretKey, s.accessKey} {
			if strings.Contains(status.Message, value) {
				t.Errorf("the message tells a secret: %s", status.Message)
			}
		}
	}
	v.afterwards(t, v.folder("wrong"), 0)
}

// storeFull lets a store run out of space, and gets a larger one.
func storeFull(t *testing.T, v *victim) {
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	runCommand(t, "mount", "-t", "tmpfs", "-o", "size=20m", "unit-operator-e2e-store", disk)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", disk).CombinedOutput(); err != nil { //nolint:noctx // The test's context has ended.
			t.Errorf("umount: %v\n%s", err, out)
		}
	})
	full := *v
	full.store = v.e.startStoreIn(t, disk, "--sidecar", t.TempDir())
	full.way = v.e.way(t, full.store, v.name+"-full")
	folder := v.folder("full")
	status, reason := full.ends(t, full.backup(t, folder))
	if status.Result != v1alpha1.ResultFailed || reason != backup.ReasonFull {
		t.Errorf("%s with reason %q", status.Result, reason)
	}
	if names := full.listed(t, folder); len(names) > 0 {
		t.Errorf("listed are %v", names)
	}
	runCommand(t, "mount", "-o", "remount,size=1g", disk)
	full.afterwards(t, folder, 0)
	full.comesBack(t, folder)
}
