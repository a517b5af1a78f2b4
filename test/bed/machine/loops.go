// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LoopDevices returns the loop devices whose files are below dir.
func LoopDevices(dir string) ([]string, error) {
	paths, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var devices []string
	for _, path := range paths {
		device := "/dev/" + strings.Split(path, "/")[3]
		if strings.HasPrefix(backingFile(device), dir+"/") {
			devices = append(devices, device)
		}
	}
	return devices, nil
}

// backingFile returns the file of a loop device, or "" if the device has none or is of another kind.
func backingFile(device string) string {
	data, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "loop", "backing_file"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// DetachLoops detaches the loop devices whose files are below dir and returns when they are free. Their
// mounts must be gone, and nobody may make new ones.
func DetachLoops(ctx context.Context, dir string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		devices, err := LoopDevices(dir)
		if err != nil || len(devices) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("loop devices %v are still in use", devices)
		}
		for _, device := range devices {
			// It fails for one that the kernel has just detached; the next look tells.
			_, _ = Run(ctx, "losetup", "--detach", device)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
