// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package place

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func buildFile(_ context.Context, data, _ string) error {
	return os.WriteFile(filepath.Join(data, "db"), []byte("x"), 0o600)
}

func TestBuild(t *testing.T) {
	newEnv := func(t *testing.T) engine.Env { return engine.Env{DataMount: t.TempDir()} }

	t.Run("makes the directory and leaves nothing beside it", func(t *testing.T) {
		env := newEnv(t)
		if err := Build(t.Context(), env, buildFile); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(env.DataDir(), "db")); err != nil {
			t.Error(err)
		}
		if empty, err := Empty(env.AgentDir()); err != nil || !empty {
			t.Errorf("beside: empty %v, %v", empty, err)
		}
	})
	t.Run("takes the place of an empty directory", func(t *testing.T) {
		env := newEnv(t)
		if err := os.Mkdir(env.DataDir(), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Build(t.Context(), env, buildFile); err != nil {
			t.Error(err)
		}
	})
	t.Run("builds nothing over anything", func(t *testing.T) {
		env := newEnv(t)
		if err := os.MkdirAll(filepath.Join(env.DataDir(), "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		called := false
		err := Build(t.Context(), env, func(context.Context, string, string) error { called = true; return nil })
		if err == nil || called {
			t.Errorf("called %v, %v", called, err)
		}
	})
	t.Run("does not replace what appeared meanwhile", func(t *testing.T) {
		env := newEnv(t)
		err := Build(t.Context(), env, func(ctx context.Context, data, scratch string) error {
			if err := os.MkdirAll(filepath.Join(env.DataDir(), "x"), 0o755); err != nil {
				return err
			}
			return buildFile(ctx, data, scratch)
		})
		if err == nil {
			t.Error("it did")
		}
		if _, err := os.Stat(filepath.Join(env.DataDir(), "x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("begins anew after a failure", func(t *testing.T) {
		env := newEnv(t)
		want := errors.New("disk full")
		err := Build(t.Context(), env, func(ctx context.Context, data, scratch string) error {
			if err := os.WriteFile(filepath.Join(data, "half"), nil, 0o600); err != nil {
				return err
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Fatalf("got %v", err)
		}
		if empty, err := Empty(env.DataDir()); err != nil || !empty {
			t.Errorf("a failure left data: %v", err)
		}
		if err := Build(t.Context(), env, buildFile); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(env.DataDir(), "half")); !os.IsNotExist(err) {
			t.Errorf("the failed attempt's file is there: %v", err)
		}
	})
	t.Run("renames nothing once the context has ended", func(t *testing.T) {
		env := newEnv(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := Build(ctx, env, func(ctx context.Context, data, scratch string) error {
			cancel()
			return buildFile(ctx, data, scratch)
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if empty, err := Empty(env.DataDir()); err != nil || !empty {
			t.Errorf("data: %v", err)
		}
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	inode := func() os.FileInfo {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	write := func(content string, perm os.FileMode) {
		t.Helper()
		if err := File(path, []byte(content), perm); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content || inode().Mode().Perm() != perm {
			t.Fatalf("%q, %v, %v", got, inode().Mode(), err)
		}
	}
	write("a", 0o600)
	first := inode()
	write("a", 0o600)
	if !os.SameFile(first, inode()) {
		t.Error("the same content was written again")
	}
	write("b", 0o600)
	if os.SameFile(first, inode()) {
		t.Error("a file was changed in place: a reader could see half")
	}
	write("b", 0o640)
}

func TestClearSocket(t *testing.T) {
	dir := t.TempDir()
	path, lock := filepath.Join(dir, "s"), filepath.Join(dir, "s.lock")
	if err := ClearSocket(t.Context(), path, lock); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ClearSocket(t.Context(), path, lock); err == nil {
		t.Error("the socket of a living server was cleared")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ClearSocket(cancelled, path, lock); !errors.Is(err, context.Canceled) {
		t.Errorf("the agent ends: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("cleared without an answer: %v", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	if err := ClearSocket(t.Context(), path, lock); err != nil {
		t.Error(err)
	}
	for _, p := range []string{path, lock} {
		if _, err := os.Lstat(p); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", p, err)
		}
	}
}
