// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/upmio/unit-operator/test/bed/progress"
)

// needed are the packages a bed uses, each with a word on what for.
var needed = []string{
	"runc",                           // containers; the one of Debian has seccomp
	"containernetworking-plugins",    // bridge, host-local, portmap
	"iproute2",                       // ip
	"iptables", "conntrack", "ipset", // kube-proxy, kubelet
	"kmod",       // modprobe
	"util-linux", // nsenter, losetup, blkid
	"mount",      // mount, umount
	"xfsprogs",   // volumes
	"mmdebstrap", // images
}

// InstallNeeded installs the Debian packages that the bed needs and the machine lacks.
func InstallNeeded(ctx context.Context, report *progress.Reporter) error {
	missing, err := missing(ctx, needed)
	if err != nil || len(missing) == 0 {
		return err
	}
	title := "installing Debian packages " + strings.Join(missing, " ")
	return report.Step(ctx, title, func(ctx context.Context) error {
		if err := aptGet(ctx, "update", "-qq"); err != nil {
			return err
		}
		return aptGet(ctx, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
	})
}

// missing returns those of names that are not installed.
func missing(ctx context.Context, names []string) ([]string, error) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		return nil, fmt.Errorf("this is not a Debian machine (%w); the bed needs Debian 12 or newer with: %s", err, strings.Join(names, " "))
	}
	args := append([]string{"-W", "-f", "${Package} ${db:Status-Status}\n"}, names...)
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // it fails for names it has never heard of
		return nil, err
	}
	return lacking(names, string(out)), nil
}

// lacking compares names with lines of "package status".
func lacking(names []string, status string) []string {
	installed := map[string]bool{}
	for line := range strings.Lines(status) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[1] == "installed" {
			installed[fields[0]] = true
		}
	}
	var missing []string
	for _, name := range names {
		if !installed[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, lastLines(string(out), 12))
	}
	return nil
}

func lastLines(s string, n int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
