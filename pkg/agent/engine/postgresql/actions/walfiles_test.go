// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	testSystem = 7000000000000000001
	testFile   = 1 << 20
	testPage   = 8192
)

// walDir makes the files of a server on timeline 2 that begin at each of starts.
func walDir(t *testing.T, starts ...lsn) walFiles {
	t.Helper()
	s := walFiles{dir: t.TempDir(), system: testSystem, timeline: 2, fileSize: testFile, pageSize: testPage}
	for _, start := range starts {
		content := bytes.Repeat([]byte("wal."), testFile/4)
		for at := lsn(0); at < testFile; at += testPage {
			binary.NativeEndian.PutUint32(content[at+pageTimeline:], 2)
			binary.NativeEndian.PutUint64(content[at+pageAddress:], uint64(start+at))
		}
		binary.NativeEndian.PutUint64(content[pageSystem:], testSystem)
		if err := os.WriteFile(filepath.Join(s.dir, s.name(start)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// change a file of the server.
func (s walFiles) change(t *testing.T, start lsn, change func(content []byte) []byte) {
	t.Helper()
	path := filepath.Join(s.dir, s.name(start))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPositionsInTheLogAreReadAndWrittenAsTheServerDoes(t *testing.T) {
	for _, text := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"} {
		got, err := parseLSN(text)
		if err != nil || got.String() != text {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "16", "16/", "x/1", "1/100000000"} {
		if _, err := parseLSN(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTheFilesOfTheLogAreNamedAsTheServerDoes(t *testing.T) {
	for _, tc := range []struct {
		start, fileSize lsn
		want            string
	}{
		{0x1000000, 16 << 20, "000000020000000000000001"},
		{0x16_B3000000, 16 << 20, "0000000200000016000000B3"},
		{0x16_40000000, 1 << 30, "000000020000001600000001"},
	} {
		if got := (walFiles{timeline: 2, fileSize: tc.fileSize}).name(tc.start); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}

func TestTheLogIsTakenFromTheFileOfItsStartToItsEndAndNoFurther(t *testing.T) {
	s := walDir(t, 3*testFile, 4*testFile, 5*testFile)
	s.from, s.to = 3*testFile+100, 4*testFile+3*testPage+40
	var out bytes.Buffer
	if err := s.archive(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for archive := tar.NewReader(&out); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]byte{}
	for _, start := range []lsn{3 * testFile, 4 * testFile} {
		content, err := os.ReadFile(filepath.Join(s.dir, s.name(start)))
		if err != nil {
			t.Fatal(err)
		}
		want[s.name(start)] = content
	}
	clear(want[s.name(4*testFile)][3*testPage+40:])
	for name, content := range want {
		if !bytes.Equal(got[name], content) {
			t.Errorf("%s differs", name)
		}
		delete(got, name)
	}
	if len(got) != 0 {
		t.Errorf("%d files more", len(got))
	}
}

func TestAGapInTheLogIsNoBackup(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(content []byte) []byte
		want   string
	}{
		"zeros after a switch are none": {func(c []byte) []byte { clear(c[5*testPage:]); return c }, ""},
		"pages behind zeros":            {func(c []byte) []byte { clear(c[5*testPage : 6*testPage]); return c }, "lacks the page of 0/40C000"},
		"a file that is used again": {func(c []byte) []byte {
			binary.NativeEndian.PutUint64(c[7*testPage+pageAddress:], 9*testFile)
			return c
		}, "lacks the page of 0/40E000"},
		"a file that is empty": {func(c []byte) []byte { clear(c); return c }, "lacks the page of 0/400000"},
		"a later timeline": {func(c []byte) []byte {
			binary.NativeEndian.PutUint32(c[testPage+pageTimeline:], 3)
			return c
		}, "later timeline"},
		"another server": {func(c []byte) []byte { c[pageSystem]++; return c }, "another server"},
	} {
		t.Run(name, func(t *testing.T) {
			s := walDir(t, 3*testFile, 4*testFile)
			s.from, s.to = 3*testFile, 5*testFile
			s.change(t, 4*testFile, tc.change)
			err := s.archive(t.Context(), io.Discard)
			gap, isGap := errors.AsType[errGap](err)
			if tc.want == "" && err == nil {
				return
			}
			if tc.want == "" || !isGap || !strings.Contains(gap.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	t.Run("a file that is gone", func(t *testing.T) {
		s := walDir(t, 3*testFile, 5*testFile)
		s.from, s.to = 3*testFile, 6*testFile
		err := s.archive(t.Context(), io.Discard)
		if diff := cmp.Diff("the WAL file 000000020000000000000004 is gone", err.Error()); diff != "" {
			t.Error(diff)
		}
	})
}
