// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestAVolumeHangsForWhoeverTouchesIt(t *testing.T) {
	enginetest.EachOnVolume(t, "mysql", func(t *testing.T, _ *enginetest.Box, volume *enginetest.Volume) {
		file := filepath.Join(volume.Dir, "file")
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		volume.Hang(t)
		done := make(chan string, 4)
		for name, touch := range map[string]func() error{
			"stat":  func() error { _, err := os.Stat(file); return err },
			"read":  func() error { _, err := os.ReadFile(file); return err },
			"write": func() error { return os.WriteFile(file, []byte("after"), 0o600) },
			"list":  func() error { _, err := os.ReadDir(volume.Dir); return err },
		} {
			go func() {
				if err := touch(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				done <- name
			}()
		}
		select {
		case name := <-done:
			t.Errorf("%s does not wait", name)
		case <-time.After(500 * time.Millisecond):
		}
		volume.Resume(t)
		for range cap(done) {
			<-done
		}
		if content, err := os.ReadFile(file); err != nil || string(content) != "after" {
			t.Errorf("the file is %q, %v", content, err)
		}
	})
}
