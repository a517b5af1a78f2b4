// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serversEnv = "UNIT_OPERATOR_SERVERS"
	requireEnv = "UNIT_OPERATOR_REQUIRE_SERVERS"
	cacheEnv   = "UNIT_OPERATOR_CACHE"
	// proxysqlEnv names a real ProxySQL, on which tests run then and not on the stand-in.
	proxysqlEnv = "UNIT_OPERATOR_PROXYSQL"
	// none for serversEnv leaves real servers to another run.
	none = "none"
)

// serversDir is where the root filesystems are.
func serversDir() (string, error) {
	if dir := os.Getenv(serversEnv); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv(cacheEnv); dir != "" {
		return filepath.Join(dir, "servers"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "unit-operator", "servers"), nil
}

// Each runs test once for every server of the type that is there, each time in a
// new box.
func Each(t *testing.T, typ string, test func(t *testing.T, box *Box)) {
	t.Helper()
	if name := os.Getenv(insideEnv); name != "" {
		t.Run(name, func(t *testing.T) { test(t, newBox(t, typ)) })
		return
	}
	roots, _ := find(t, typ)
	for _, root := range roots {
		t.Run(filepath.Base(root), func(t *testing.T) { enter(t, root) })
	}
}

// Roots are the root filesystems of the type's servers that are there, and the
// directory in which they are looked for.
func Roots(typ string) (roots []string, dir string, err error) {
	if dir, err = serversDir(); err != nil {
		return nil, "", err
	}
	roots, err = filepath.Glob(filepath.Join(dir, typ+"-*"))
	if typ == "proxysql" {
		roots = slices.DeleteFunc(roots, func(root string) bool {
			return strings.HasSuffix(root, "-stand-in") != (os.Getenv(proxysqlEnv) == "")
		})
	}
	return roots, dir, err
}

// find the type's servers; absent is what a test does when something it needs is not there.
func find(t *testing.T, typ string) (roots []string, absent func(format string, args ...any)) {
	t.Helper()
	if os.Getenv(serversEnv) == none {
		t.Skip("real servers are the business of hack/test-servers.sh")
	}
	absent = t.Skipf
	if slices.Contains(strings.Split(os.Getenv(requireEnv), ","), typ) {
		absent = t.Fatalf
	}
	if os.Geteuid() != 0 {
		absent("a real %s needs root for its box of namespaces", typ)
	}
	roots, dir, err := Roots(typ)
	if err != nil {
		t.Fatal(err)
	}
	if len(roots) == 0 {
		absent("no root filesystem %s-* in %s: pkg/agent/engine/enginetest/make-servers.sh makes them", typ, dir)
	}
	return roots, absent
}

// enter runs this same test again, as PID 1 of a box on root, with more in its environment.
func enter(t *testing.T, root string, more ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp("", "enginetest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(work); err != nil {
			t.Error(err)
		}
	})
	args := []string{"-test.run=" + pattern(t.Name()), "-test.v", "-test.count=1"}
	if deadline, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+(time.Until(deadline)-5*time.Second).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{
		stageEnv + "=" + work,
		rootEnv + "=" + root,
		insideEnv + "=" + filepath.Base(root),
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}, more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	t.Log(strings.TrimSpace(output.String()))
	if err != nil {
		t.Fatalf("in the box: %v", err)
	}
	if !regexp.MustCompile(`(?m)^\s*--- (PASS|SKIP): ` + regexp.QuoteMeta(t.Name()) + ` `).Match(output.Bytes()) {
		t.Fatal("the test did not run in the box")
	}
}

// pattern selects exactly the test of that name.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = fmt.Sprintf("^%s$", regexp.QuoteMeta(p))
	}
	return strings.Join(parts, "/")
}
