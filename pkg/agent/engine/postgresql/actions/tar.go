// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// tarScan reads a tar that passes by, for what the backup's manifest says of it.
type tarScan struct {
	*io.PipeWriter
	done chan error

	startLSN, stopLSN string
	timeline          int
}

// newTarScan gives the server's manifest to keep, as it passes.
func newTarScan(keep func(io.Reader) error) *tarScan {
	r, w := io.Pipe()
	s := &tarScan{PipeWriter: w, done: make(chan error, 1)}
	go func() {
		err := s.scan(tar.NewReader(r), keep)
		// What is behind the end of the archive is padding.
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		r.CloseWithError(err)
		s.done <- err
	}()
	return s
}

func (s *tarScan) scan(archive *tar.Reader, keep func(io.Reader) error) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what pg_basebackup writes: %w", err)
		}
		switch strings.TrimPrefix(header.Name, "./") {
		case "backup_label":
			content, err := io.ReadAll(io.LimitReader(archive, 1<<20))
			if err != nil {
				return err
			}
			if err := s.readLabel(content); err != nil {
				return err
			}
		case manifestFile:
			// The range of WAL is at its end.
			var last pipe.Tail
			if err := keep(io.TeeReader(archive, &last)); err != nil {
				return err
			}
			for _, m := range rangePattern.FindAllStringSubmatch(last.String(), -1) {
				s.stopLSN = m[3]
			}
		}
	}
}

// end tells the scan how the tar has ended, and returns what it has met.
func (s *tarScan) end(err error) error {
	s.CloseWithError(err)
	return <-s.done
}

// unpack an archive of a backup into dir, over what is there.
func (from source) unpack(ctx context.Context, m *backup.Manifest, name, dir string, progress io.Writer) error {
	r, err := m.Open(ctx, from.store, name, from.key)
	if err != nil {
		return withReason(err)
	}
	defer r.Close()
	whole := io.TeeReader(r, progress)
	archive := tar.NewReader(whole)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return withReason(whyNoTar(err, whole))
		}
		if err := extract(archive, header, dir); err != nil {
			return withReason(err)
		}
	}
	// The sums are compared at the end.
	_, err = io.Copy(io.Discard, whole)
	return withReason(err)
}

// whyNoTar is why what was read is no tar: most often it is not what was stored, and the
// sums at the end say so.
func whyNoTar(err error, rest io.Reader) error {
	if !errors.Is(err, tar.ErrHeader) {
		return err
	}
	if _, restErr := io.Copy(io.Discard, rest); restErr != nil {
		return restErr
	}
	return err
}

// extract one entry. Nothing leads out of dir.
func extract(archive io.Reader, header *tar.Header, dir string) error {
	name := filepath.Clean(header.Name)
	if !filepath.IsLocal(name) {
		return operations.Failed("BackupCorrupt", "the backup has a file %q outside the data directory", header.Name)
	}
	path := filepath.Join(dir, name)
	switch header.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, 0o700)
	case tar.TypeReg:
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, archive)
		return errors.Join(err, f.Close())
	}
	return operations.Failed("Tablespaces", "the backup has %q, which is neither a file nor a directory: physical copies hold no tablespaces", header.Name)
}
