// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Run("returns standard output only", func(t *testing.T) {
		got, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "echo out; echo err >&2"}})
		if err != nil || got != "out\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
	t.Run("quotes both streams of a failure without the secret", func(t *testing.T) {
		_, err := Run(t.Context(), Command{
			Path: "/bin/sh", Args: []string{"-c", "echo it was $S; echo bad >&2; exit 3"},
			Env: []string{"S=hunter2"}, Secrets: []string{"", "hunter2"},
		})
		if err == nil || !strings.Contains(err.Error(), "exit status 3") ||
			!strings.Contains(err.Error(), "it was ***") || !strings.Contains(err.Error(), "bad") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("kills grandchildren when the context ends", func(t *testing.T) {
		pidFile := filepath.Join(t.TempDir(), "pid")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for range 6000 {
				if b, err := os.ReadFile(pidFile); err == nil && len(b) > 0 {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		_, err := Run(ctx, Command{Path: "/bin/sh", Args: []string{"-c", "sleep 100 & echo $! >" + pidFile + "; wait"}, Env: []string{"PATH=/bin:/usr/bin"}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		b, err := os.ReadFile(pidFile)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("grandchild %d lives: %v", pid, err)
		}
	})
	t.Run("quotes the end of a long output from the start of a line", func(t *testing.T) {
		_, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "for i in $(seq 1000); do echo line-$i; done; exit 1"}, Env: []string{"PATH=/bin:/usr/bin"}})
		if err == nil || !strings.Contains(err.Error(), "line-1000") || len(err.Error()) > outputLimit+100 {
			t.Fatalf("got %v", err)
		}
		if first := strings.SplitN(err.Error(), ": ", 3)[2]; !strings.HasPrefix(first, "line-") {
			t.Fatalf("the quoted part starts with %.20q", first)
		}
	})
	t.Run("keeps a bounded part of what a program says", func(t *testing.T) {
		var out output
		chunk := []byte(strings.Repeat("x", 32<<10))
		for range 1024 {
			for _, stdout := range []bool{true, false} {
				if n, err := (stream{&out, stdout}).Write(chunk); n != len(chunk) || err != nil {
					t.Fatalf("took %d bytes: %v", n, err)
				}
			}
		}
		if size := out.stdout.Cap() + cap(out.both); size > 4*stdoutLimit {
			t.Errorf("%d bytes are kept of 64 MiB", size)
		}
		if got, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "head -c 1048577 /dev/zero"}, Env: []string{"PATH=/bin:/usr/bin"}}); err == nil {
			t.Errorf("%d bytes were returned", len(got))
		}
		if got, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", "head -c 1048576 /dev/zero"}, Env: []string{"PATH=/bin:/usr/bin"}}); err != nil || len(got) != stdoutLimit {
			t.Errorf("%d bytes were returned: %v", len(got), err)
		}
	})
}

func TestRedact(t *testing.T) {
	for _, tc := range []struct{ name, message, want string }{
		{"a secret is replaced", "user x password hunter2!", "user x password ***!"},
		{"MySQL's excerpt of a statement is cut", "ERROR 1064: You have an error; check the manual for the right syntax to use near 'hunt' at line 1\nmore", "ERROR 1064: You have an error; check the manual for the right syntax to use near ***"},
		{"PostgreSQL's excerpt of a statement is cut", `ERROR:  syntax error at or near "hun" at character 3`, "ERROR:  syntax error at or near ***"},
		{"nothing to hide", "InnoDB: out of space", "InnoDB: out of space"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Redact(tc.message, "hunter2"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
