// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// volumes are the volume files in one directory and their loop devices.
type volumes struct {
	dir string
}

// path of a volume's file. The id comes from a PersistentVolume: it must stay a name in dir.
func (v volumes) path(id string) (string, error) {
	if id == "" || id == "." || id == ".." || strings.ContainsRune(id, '/') {
		return "", status.Errorf(codes.InvalidArgument, "%q is no volume id", id)
	}
	return filepath.Join(v.dir, id+".img"), nil
}

// existing returns the path of a volume's file, which must be there.
func (v volumes) existing(id string) (string, error) {
	path, err := v.path(id)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", status.Errorf(codes.NotFound, "volume %s has no file %s", id, path)
	} else if err != nil {
		return "", status.Error(codes.Internal, err.Error())
	}
	return path, nil
}

// grow makes the volume's file at least size bytes long. It takes no space until it is written to.
func (v volumes) grow(id string, size int64) error {
	path, err := v.path(id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return file.Truncate(size)
}

// remove deletes the volume's file, unless a loop device still serves it.
func (v volumes) remove(ctx context.Context, id string) error {
	path, err := v.path(id)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	device, err := device(ctx, path)
	if err != nil {
		return err
	}
	if device != "" {
		return fmt.Errorf("volume %s is still in use through %s", id, device)
	}
	return os.Remove(path)
}

// device returns the loop device of a file, or "" if it has none.
func device(ctx context.Context, path string) (string, error) {
	out, err := run(ctx, "losetup", "--noheadings", "--output", "NAME", "--associated", path)
	first, _, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(first), err
}

// attach returns the loop device of a file, made if it has none.
func attach(ctx context.Context, path string) (string, error) {
	return run(ctx, "losetup", "--find", "--show", "--nooverlap", path)
}

// format makes an XFS file system on a device that has none. A device that holds anything else is
// refused: what is on it may be wanted.
func format(ctx context.Context, device string) error {
	kind, err := run(ctx, "blkid", "--probe", "--output", "value", "--match-tag", "TYPE", device)
	var exit *exec.ExitError
	switch {
	case err == nil && kind == "xfs":
		return nil
	case err == nil && kind != "":
		return fmt.Errorf("%s holds a file system of type %s, not xfs", device, kind)
	case err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 2): // 2: nothing was found
		return err
	}
	_, err = run(ctx, "mkfs.xfs", "-q", device)
	return err
}

// run returns what a program printed; the error holds what it complained about.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
