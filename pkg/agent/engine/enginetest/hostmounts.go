// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// detachVolumes lets go of the volumes of nodes that run on this machine, but for those
// on which a path lies that is needed. This mount namespace has copies of their mounts,
// which would keep the devices in use though the node unmounts them. The host's own
// mounts are private from it by now.
func detachVolumes(needed ...string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	points, err := volumes(string(table), needed...)
	if err != nil {
		return err
	}
	// From the last mounted to the first: one may lie over another.
	for _, point := range slices.Backward(points) {
		// One that went with another it lay on, or whose node has just ended, is gone.
		err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("letting go of %s: %w", point, err)
		}
	}
	return nil
}

// volumes are the mount points in a mountinfo (proc(5)) of what a kubelet has mounted,
// and of files (loop devices), which the volumes of the test bed are.
func volumes(table string, needed ...string) ([]string, error) {
	var points []string
	for line := range strings.Lines(table) {
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 5 || len(right) < 2 {
			return nil, fmt.Errorf("unexpected line in mountinfo: %q", line)
		}
		point, device := unescape.Replace(left[4]), right[1]
		if !strings.HasPrefix(device, "/dev/loop") && !strings.Contains(point, "/kubelet/") {
			continue
		}
		isNeeded := func(path string) bool {
			return path == point || strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/")
		}
		if !slices.ContainsFunc(needed, isNeeded) {
			points = append(points, point)
		}
	}
	return points, nil
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
