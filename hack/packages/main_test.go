// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// artifacts/packages is what the sources make, no more and no less.
func TestArtifactsAreUpToDate(t *testing.T) {
	made := t.TempDir()
	if err := run(".", made); err != nil {
		t.Fatal(err)
	}
	read := func(dir string) map[string]string {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[entry.Name()] = string(content)
		}
		return files
	}
	if diff := cmp.Diff(read(made), read("../../artifacts/packages")); diff != "" {
		t.Errorf("run go run ./hack/packages (-wanted +there):\n%s", diff)
	}
}

func TestWriteRemovesWhatIsNoPackageAnyMore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mysql-5.6.yaml", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir, map[string][]byte{"mysql-8.4.yaml": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "README.md"), filepath.Join(dir, "mysql-8.4.yaml")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
