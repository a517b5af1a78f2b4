// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreSearchedAlsoWhenTheyAreDeletedOrRotated(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		file, err := os.OpenFile(path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f, known := &Files{Patterns: []string{path("*.log")}}, map[string]fs.FileInfo{}
	write("a.log", "nothing ")
	write("b.txt", "the-secret-value")
	f.take(known)
	// What is written later is searched too.
	write("a.log", "the-secret-value in the end")
	if err := os.Remove(path("a.log")); err != nil {
		t.Fatal(err)
	}
	write("c.log", "the-secret-value first")
	f.take(known)
	f.take(known)
	if err := os.Rename(path("c.log"), path("c.1")); err != nil {
		t.Fatal(err)
	}
	write("c.log", "harmless")
	f.take(known)
	if f.Len() != 3 {
		t.Errorf("%d files, want 3", f.Len())
	}
	s := &Secrets{}
	s.Add("the value", []byte("the-secret-value"))
	found, err := f.Search(s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{path("a.log") + ": the value is told: nothing *** in the end", path("c.log") + ": the value is told: *** first"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
