// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// volume is a mounted file system on a loop device.
type volume struct {
	device, file, point string
}

// CutVolumes takes away the file systems that are mounted below dir from loop devices whose files are
// below files, as a power failure does: what was not synced is lost, and the journal is replayed by the
// next mount. Then it unmounts them, with everything else below dir, and lets go of the devices. When it
// returns they can be mounted again.
func CutVolumes(ctx context.Context, dir, files string) error {
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	volumes := map[string]volume{}
	for _, m := range mounts {
		// The check of the file keeps this away from the file systems of the machine itself.
		if file := backingFile(m.device); strings.HasPrefix(file, files+"/") {
			volumes[m.device] = volume{device: m.device, file: file, point: m.point}
		}
	}
	for _, v := range volumes {
		if err := shutDown(v.point); err != nil {
			return err
		}
	}
	if err := Unmount(dir); err != nil {
		return err
	}
	var errs []error
	for _, v := range volumes {
		errs = append(errs, v.release(ctx))
	}
	return errors.Join(errs...)
}

// shutDown makes XFS drop what it has not written (XFS_IOC_GOINGDOWN without flushing the log).
func shutDown(point string) error {
	const (
		goingDown  = 0x8004587d
		noLogFlush = 2
	)
	root, err := os.Open(point)
	if errors.Is(err, syscall.EIO) {
		return nil // it is shut down already
	}
	if err != nil {
		return err
	}
	defer root.Close()
	how := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, root.Fd(), goingDown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		return fmt.Errorf("shutting down the file system at %s: %w", point, errno)
	}
	return nil
}

// release detaches the device and waits until the kernel is done with its file system: mounted earlier,
// it would be the dead one again.
func (v volume) release(ctx context.Context) error {
	deadline := time.Now().Add(30 * time.Second)
	detached := false
	// The number of a device that is free may be another volume's a moment later: look at the file.
	for backingFile(v.device) == v.file && (!detached || exists(filepath.Join("/sys/fs/xfs", filepath.Base(v.device)))) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s (%s) is still in use", v.device, v.file)
		}
		if !detached {
			// It fails if the kernel has just detached it; the next look tells.
			_, err := Run(ctx, "losetup", "--detach", v.device)
			detached = err == nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
