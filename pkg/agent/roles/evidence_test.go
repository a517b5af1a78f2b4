// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOldEvidenceMakesRoom(t *testing.T) {
	const day = 24 * time.Hour
	type epoch struct {
		name string
		age  time.Duration
		size int
	}
	all := []epoch{{"3", 20 * day, 100}, {"5", 10 * day, 100}, {"9", day, 100}}
	for name, tc := range map[string]struct {
		epochs []epoch
		most   int64
		want   []string
	}{
		"there is room":                               {all, 300, []string{"3", "5", "9"}},
		"the oldest goes first":                       {all, 150, []string{"5", "9"}},
		"what the epoch itself has stays":             {all, 0, []string{"9"}},
		"what is older than a month goes in any case": {[]epoch{{"3", 40 * day, 1}, {"9", day, 1}}, 300, []string{"9"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, e := range tc.epochs {
				path := filepath.Join(root, e.name, "errant")
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(strings.Repeat("x", e.size)), 0o600); err != nil {
					t.Fatal(err)
				}
				at := time.Now().Add(-e.age)
				for _, p := range []string{path, filepath.Dir(path)} {
					if err := os.Chtimes(p, at, at); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := makeRoom(t.Context(), root, filepath.Join(root, "9"), tc.most); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(root)
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if diff := cmp.Diff(tc.want, left); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if err := makeRoom(t.Context(), filepath.Join(t.TempDir(), "none"), "x", 0); err != nil {
		t.Errorf("without any: %v", err)
	}
}
