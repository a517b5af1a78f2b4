// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"io"
)

// Verified is what Verify has read.
type Verified struct {
	Files int
	// Bytes of content, or as stored if the content was not read.
	Bytes int64
	// Content is false if the backup is encrypted and no key was given: then only the
	// stored bytes were compared.
	Content bool
}

// Verify reads a whole backup and compares sizes and hashes. progress may be nil.
func Verify(ctx context.Context, store Store, m *Manifest, key []byte, progress func(file string, bytes int64)) (Verified, error) {
	v := Verified{Content: m.Encryption == nil || len(key) > 0}
	for i := range m.Files {
		f := &m.Files[i]
		n, err := m.verifyFile(ctx, store, f, key, v.Content)
		if err != nil {
			return v, err
		}
		v.Files++
		v.Bytes += n
		if progress != nil {
			progress(f.Name, v.Bytes)
		}
	}
	return v, nil
}

func (m *Manifest) verifyFile(ctx context.Context, store Store, f *File, key []byte, content bool) (int64, error) {
	var r io.ReadCloser
	if content {
		var err error
		if r, err = m.Open(ctx, store, f.Name, key); err != nil {
			return 0, err
		}
	} else {
		r = m.openStored(ctx, store, f)
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}
