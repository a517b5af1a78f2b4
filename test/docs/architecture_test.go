// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// named are packages in the first column of a table.
var named = regexp.MustCompile("`((?:pkg|cmd)/[a-z0-9_/-]+)`")

// rowsOf lists what the tables of a page name in their first column.
func rowsOf(text string) []string {
	var rows []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		first, _, _ := strings.Cut(line[2:], " | ")
		for _, match := range named.FindAllStringSubmatch(first, -1) {
			rows = append(rows, match[1])
		}
	}
	return rows
}

// packagesBelow lists the directories below dir that hold Go files other than tests.
// Generated packages have one row together.
func packagesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || path == filepath.Join(root, "pkg", "generated")) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || entry.Name() == "doc.go" {
			return nil
		}
		name, err := filepath.Rel(root, filepath.Dir(path))
		if err == nil && !slices.Contains(found, filepath.ToSlash(name)) {
			found = append(found, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheMapOfPackages(t *testing.T) {
	const page = "docs/architecture.md"
	rows := rowsOf(read(t, filepath.Join(root, page)))
	t.Run("every package has a row", func(t *testing.T) {
		packages := packagesBelow(t, "pkg")
		if len(packages) < 30 {
			t.Fatalf("only %d packages found", len(packages))
		}
		for _, name := range packages {
			if !slices.Contains(rows, name) {
				t.Errorf("%s has no row for %s: say what it owns, and what it never does", page, name)
			}
		}
	})
	t.Run("every row is a package, once", func(t *testing.T) {
		for i, name := range rows {
			if info, err := os.Stat(filepath.Join(root, name)); err != nil || !info.IsDir() {
				t.Errorf("%s has a row for %s, which is not there", page, name)
			}
			if slices.Contains(rows[:i], name) {
				t.Errorf("%s has two rows for %s", page, name)
			}
		}
	})
	t.Run("rows are read from the first column only", func(t *testing.T) {
		got := rowsOf("| `pkg/a`, `pkg/b-c` | in `pkg/d` |\nsee `pkg/e`\n| `x` | |\n")
		if want := []string{"pkg/a", "pkg/b-c"}; !slices.Equal(got, want) {
			t.Errorf("rows %q, want %q", got, want)
		}
	})
}
