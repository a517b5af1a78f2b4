// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestNothingOfAnArchiveLeadsOutOfTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, tc := range []struct {
		header tar.Header
		good   bool
	}{
		{tar.Header{Name: "base/1/2", Typeflag: tar.TypeReg}, true},
		{tar.Header{Name: "./pg_wal/", Typeflag: tar.TypeDir}, true},
		{tar.Header{Name: "../evil", Typeflag: tar.TypeReg}, false},
		{tar.Header{Name: "base/../../evil", Typeflag: tar.TypeReg}, false},
		{tar.Header{Name: "/evil", Typeflag: tar.TypeReg}, false},
		{tar.Header{Name: "pg_tblspc/1", Typeflag: tar.TypeSymlink, Linkname: "/"}, false},
		{tar.Header{Name: "link", Typeflag: tar.TypeLink, Linkname: "PG_VERSION"}, false},
	} {
		if err := extract(strings.NewReader("x"), &tc.header, dir); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.header.Name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "..", "evil")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAScanReadsWhatTheServerSaysOfABackup(t *testing.T) {
	manifest := `{ "Files": [], "WAL-Ranges": [ { "Timeline": 3, "Start-LSN": "0/A000028", "End-LSN": "0/A000158" } ], "Manifest-Checksum": "x"}`
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range [][2]string{
		{"backup_label", "START WAL LOCATION: 0/A000028 (file 00000003000000000000000A)\nSTART TIMELINE: 3\n"},
		{"base/1/1", strings.Repeat("x", 100000)}, {"backup_manifest", manifest},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Typeflag: tar.TypeReg, Size: int64(len(f[1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	var kept bytes.Buffer
	s := newTarScan(func(r io.Reader) error { _, err := io.Copy(&kept, r); return err })
	if _, err := s.Write(whole); err != nil {
		t.Fatal(err)
	}
	if err := s.end(nil); err != nil {
		t.Fatal(err)
	}
	if s.startLSN != "0/A000028" || s.stopLSN != "0/A000158" || s.timeline != 3 || kept.String() != manifest {
		t.Errorf("%s %s %d %s", s.startLSN, s.stopLSN, s.timeline, kept.String())
	}
	s = newTarScan(func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	if _, err := s.Write(whole[:50000]); err != nil {
		t.Fatal(err)
	}
	if err := s.end(nil); err == nil {
		t.Error("half an archive was taken for a whole one")
	}
}

func TestWhatTheOperatorOwnsDoesNotComeWithADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postgresql.auto.conf")
	content := "# x\nwork_mem = '7MB'\nprimary_conninfo = 'host=other password=x'\nsynchronous_standby_names = '*'\nsearch_path = 'a=b'\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dropOwned(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# x\nwork_mem = '7MB'\nsearch_path = 'a=b'\n", string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestTheTimelinesOfTheOldDatabaseAreNotGivenAgain(t *testing.T) {
	old, data := t.TempDir(), t.TempDir()
	for _, dir := range []string{old, data} {
		if err := os.Mkdir(filepath.Join(dir, "pg_wal"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "pg_wal", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(old, "00000002.history", "old 2")
	write(old, "00000004.history", "old 4")
	write(data, "00000002.history", "its own 2")
	if err := keepHistory(old, data); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(data, "pg_wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(data, "pg_wal", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(content)
	}
	if diff := cmp.Diff(map[string]string{"00000002.history": "its own 2", "00000003.history": "old 4", "00000004.history": "old 4"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestABrokenChainIsToldFromOtherFailures(t *testing.T) {
	for message, want := range map[string]string{
		"ERROR:  WAL summaries are required on timeline 1 from 0/2000028 to 0/5000028, but the summaries for that timeline and LSN range are incomplete": reasonChain,
		"ERROR:  timeline 2 found in manifest, but not in this server's history":                                                                         reasonChain,
		"ERROR:  manifest system identifier is 1, but database system identifier is 2":                                                                   reasonChain,
		"could not write to file: No space left on device":                                                                                               "ToolFailed",
	} {
		if got := operations.ReasonOf(brokenChain(operations.Failed("ToolFailed", "%s", message))); got != want {
			t.Errorf("%s: %s", message, got)
		}
	}
}

func TestADatabaseThatFillsTheVolumeSaysSo(t *testing.T) {
	for name, err := range map[string]error{
		"the kernel told the agent": fmt.Errorf("unpacking: %w", &fs.PathError{Op: "write", Path: "base/1/2", Err: syscall.ENOSPC}),
		"the kernel told a program": operations.Failed("ToolFailed", `pg_basebackup: could not write to file "base/1/2": No space left on device`),
	} {
		got := filled(err, 4711)
		for _, words := range []string{"4711 bytes", "enlarge the storage", "base/1/2"} {
			if operations.ReasonOf(got) != operation.ReasonNotEnoughSpace || !strings.Contains(got.Error(), words) {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
	if other := errors.New("other"); operations.ReasonOf(filled(other, 1)) != operations.ReasonFailed {
		t.Errorf("another error became %v", filled(other, 1))
	}
}
