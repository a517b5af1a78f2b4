// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Rootfs describes a root filesystem.
type Rootfs struct {
	// Suite is a release (trixie, sid), Packages what is installed beyond the minimum.
	Suite    string
	Packages []string
	// Before runs when only the essential packages are there, After when all are. Both are shell
	// scripts that see the root filesystem as "$1".
	Before, After string
	// Env is added to the environment of the scripts.
	Env []string
}

// Write makes the root filesystem and writes it to path, a tar archive, without documentation, manuals,
// translations, package lists and devices.
func (r Rootfs) Write(ctx context.Context, path string) error {
	mirror, err := Mirror()
	if err != nil {
		return err
	}
	args := []string{
		"--quiet", "--mode=root", "--variant=minbase", "--format=tar", "--skip=output/dev",
		// The release files of snapshots, and of sid on a mirror that stood still, are expired.
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		`--aptopt=APT::Install-Recommends "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--include=" + strings.Join(r.Packages, ","),
	}
	if r.Before != "" {
		args = append(args, "--essential-hook="+r.Before)
	}
	if r.After != "" {
		args = append(args, "--customize-hook="+r.After)
	}
	args = append(args, r.Suite, path, mirror)
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), r.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a root filesystem of Debian %s from %s: %w\n%s", r.Suite, mirror, err, lastLines(string(out), 15))
	}
	return nil
}
