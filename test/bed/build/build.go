// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/upmio/unit-operator/test/bed/progress"
)

// Component builds one component of the bed, or finds it built, and returns the directory that holds
// its binaries. Names are those of Components.
func Component(ctx context.Context, report *progress.Reporter, name string) (string, error) {
	c, ok := find(name)
	if !ok {
		return "", fmt.Errorf("nothing called %q can be built; there are %s", name, strings.Join(Components(), ", "))
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "test", "bed", c.module)
	key, err := c.key(source)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	out := filepath.Join(cache, "bin", c.name+"-"+key)
	if isDir(out) {
		return out, nil
	}
	title := fmt.Sprintf("building %s (%s)", c.name, c.hint)
	err = report.Step(ctx, title, func(ctx context.Context) error {
		return Locked(ctx, "bin-"+c.name, func() error {
			if isDir(out) {
				return nil
			}
			return c.build(ctx, source, out)
		})
	})
	return out, err
}

func (c component) key(source string) (string, error) {
	return Key([]string{source}, runtime.Version(), runtime.GOARCH, strings.Join(c.packages, " "), c.ldflags, fmt.Sprint(c.links))
}

// build compiles into a directory beside out and renames it, so that out is whole or absent.
func (c component) build(ctx context.Context, source, out string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(out), ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w " + c.ldflags), "-o", tmp + "/"}
	if err := Go(ctx, source, append(args, c.packages...)...); err != nil {
		return err
	}
	for link, target := range c.links {
		if err := os.Symlink(target, filepath.Join(tmp, link)); err != nil {
			return err
		}
	}
	return os.Rename(tmp, out)
}

// Go runs the go command in dir for static binaries that do not depend on where they were built. The
// error holds what it printed.
func Go(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, tail(string(out), 30))
	}
	return nil
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
