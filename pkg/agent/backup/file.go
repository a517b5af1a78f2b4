// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fileStore keeps objects as files below /. What it creates lies below root.
type fileStore struct {
	root string
}

const temporarySuffix = ".uploading"

func openFile(l Location) (Store, error) {
	s := &fileStore{root: filepath.Join("/", l.Folder)}
	// The folder may be made by the first backup, but not what it is mounted on.
	for dir := s.root; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return s, nil
		case err == nil:
			return nil, failure(ReasonInvalid, s.Endpoint(), nil, "%s is no directory", dir)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, s.fail(err)
		}
	}
}

func (s *fileStore) Endpoint() string { return "file://" + s.root }

func (s *fileStore) path(key string) (string, error) {
	if !cleanKey(key) {
		return "", failure(ReasonInvalid, s.Endpoint(), nil, "%q is no key", key)
	}
	return filepath.Join("/", filepath.FromSlash(key)), nil
}

// fail gives an error of the file system its reason.
func (s *fileStore) fail(err error) error {
	reason := ReasonStore
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = ReasonNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		reason = ReasonCredentials
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		reason = ReasonFull
	}
	return failure(reason, s.Endpoint(), err, "%v", err)
}

// Put writes a file beside, syncs it and renames it.
func (s *fileStore) Put(ctx context.Context, key string, r io.Reader) error {
	target, err := s.path(key)
	if err != nil {
		return err
	}
	if err := mkdirAll(filepath.Dir(target)); err != nil {
		return s.fail(err)
	}
	file, err := os.OpenFile(target+temporarySuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return s.fail(err)
	}
	from := &contextReader{ctx: ctx, r: r}
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, from, make([]byte, 256<<10))
	switch {
	case from.err != nil: // not the store's
		err = from.err
	case err == nil:
		err = file.Sync()
		fallthrough
	default:
		if err != nil {
			err = s.fail(err)
		}
	}
	if closed := file.Close(); err == nil && closed != nil {
		err = s.fail(closed)
	}
	if err == nil {
		if err = os.Rename(target+temporarySuffix, target); err == nil {
			err = syncDir(filepath.Dir(target))
		}
		if err != nil {
			err = s.fail(err)
		}
	}
	if err != nil {
		os.Remove(target + temporarySuffix)
		s.removeEmpty(filepath.Dir(target))
	}
	return err
}

// contextReader ends with its context and remembers its own errors.
type contextReader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		c.err = err
		return 0, err
	}
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

func (s *fileStore) Get(_ context.Context, key string) (io.ReadCloser, error) {
	path, err := s.path(key)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, s.fail(err)
	}
	return file, nil
}

func (s *fileStore) List(ctx context.Context, prefix string, recursive bool) ([]Object, error) {
	dir, begin := filepath.Split(filepath.Join("/", filepath.FromSlash(prefix)))
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		dir, begin = filepath.Join("/", filepath.FromSlash(prefix)), ""
	}
	var out []Object
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if path == dir || path == filepath.Clean(dir) {
			return nil
		}
		// Only what is directly in dir is compared: all else is below such a thing.
		if filepath.Dir(path) == filepath.Clean(dir) && !strings.HasPrefix(entry.Name(), begin) {
			return skip(entry)
		}
		if entry.IsDir() {
			if !recursive {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(path, temporarySuffix) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		out = append(out, Object{Key: strings.TrimPrefix(filepath.ToSlash(path), "/"), Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, s.fail(err)
	}
	return out, nil
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (s *fileStore) Delete(_ context.Context, key string) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	for _, p := range []string{path, path + temporarySuffix} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.fail(err)
		}
	}
	if err := syncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fail(err)
	}
	s.removeEmpty(filepath.Dir(path))
	return nil
}

// removeEmpty removes directories of a backup that hold nothing more.
func (s *fileStore) removeEmpty(dir string) {
	for strings.HasPrefix(dir, strings.TrimSuffix(s.root, "/")+"/") && dir != s.root {
		if os.Remove(dir) != nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}

func (s *fileStore) Free(context.Context) (int64, bool, error) {
	for dir := s.root; ; dir = filepath.Dir(dir) {
		var st syscall.Statfs_t
		err := syscall.Statfs(dir, &st)
		if errors.Is(err, fs.ErrNotExist) && dir != "/" {
			continue
		}
		if err != nil {
			return 0, false, s.fail(err)
		}
		return int64(st.Bavail) * st.Bsize, true, nil
	}
}

// mkdirAll is os.MkdirAll that survives a crash.
func mkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := mkdirAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
