// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// Mounts returns the mount points at or below dir, in the order they were made.
func Mounts(dir string) ([]string, error) {
	mounts, err := mountsBelow(dir)
	var points []string
	for _, m := range mounts {
		points = append(points, m.point)
	}
	return points, err
}

// Unmount unmounts everything at or below dir, lazily: what still uses a mount keeps it until it ends.
func Unmount(dir string) error {
	points, err := Mounts(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, point := range slices.Backward(points) {
		// EINVAL: a mount below it that was shared took it along.
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}

// mount is a line of the mount table.
type mount struct {
	point, device string
}

func parseMounts(mountinfo string) []mount {
	var all []mount
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if found && len(left) >= 5 && len(right) >= 2 {
			all = append(all, mount{point: unescape.Replace(left[4]), device: right[1]})
		}
	}
	return all
}

func (m mount) below(dir string) bool { return m.point == dir || strings.HasPrefix(m.point, dir+"/") }

func mountsBelow(dir string) ([]mount, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(parseMounts(string(data)), func(m mount) bool { return !m.below(dir) }), nil
}
