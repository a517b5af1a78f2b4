// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"github.com/minio/sio"
)

// CheckKey fails unless key opens the backup and wrote its manifest: before a server is
// stopped for it.
func (m *Manifest) CheckKey(key []byte) error {
	switch {
	case m.Encryption == nil:
		return nil
	case len(key) == 0:
		return failure(ReasonKey, "", nil, "the backup %s is encrypted and wants the key with id %s; none was given", m.location, m.Encryption.KeyID)
	case len(key) != KeySize:
		return failure(ReasonKey, "", nil, "the encryption key has %d bytes; AES-256 takes %d", len(key), KeySize)
	case KeyID(key) != m.Encryption.KeyID:
		return failure(ReasonKey, "", nil, "the backup %s is encrypted with the key with id %s; the one that was given has id %s", m.location, m.Encryption.KeyID, KeyID(key))
	}
	return m.checkMAC(key)
}

// Open returns the content of a file. Its last Read returns io.EOF only if sizes and
// hashes are those of the manifest: content that was read is good when io.EOF came,
// and not before.
func (m *Manifest) Open(ctx context.Context, store Store, name string, key []byte) (io.ReadCloser, error) {
	f := m.File(name)
	if f == nil {
		return nil, failure(ReasonNotFound, store.Endpoint(), nil, "the backup %s has no file %s", m.location, name)
	}
	if err := m.CheckKey(key); err != nil {
		return nil, err
	}
	r := &fileReader{objects: &objectsReader{ctx: ctx, store: store, keys: m.objectKeys(f)}, file: f, manifest: m, endpoint: store.Endpoint()}
	r.stored.Hash, r.content.Hash = sha256.New(), sha256.New()
	r.raw = io.TeeReader(r.objects, &r.stored)
	opened := r.raw
	// The sealed form of nothing is nothing.
	if m.Encryption != nil && (f.Size > 0 || f.Stored > 0) {
		config, err := fileKey(key, f.Salt, m.ID, f.Name)
		if err == nil {
			opened, err = sio.DecryptReader(r.raw, config)
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	if r.decoded, err = codecs[m.Compression].reader(opened); err != nil {
		r.objects.Close()
		return nil, r.fail(err)
	}
	return r, nil
}

// openStored returns the bytes of a file as they are stored, checked like Open's.
func (m *Manifest) openStored(ctx context.Context, store Store, f *File) io.ReadCloser {
	r := &fileReader{objects: &objectsReader{ctx: ctx, store: store, keys: m.objectKeys(f)}, file: f, manifest: m, endpoint: store.Endpoint(), storedOnly: true}
	r.stored.Hash, r.content.Hash = sha256.New(), sha256.New()
	r.raw = io.TeeReader(r.objects, &r.stored)
	r.decoded = io.NopCloser(r.raw)
	return r
}

type fileReader struct {
	objects    *objectsReader
	raw        io.Reader
	decoded    io.ReadCloser
	stored     counter
	content    counter
	file       *File
	manifest   *Manifest
	endpoint   string
	storedOnly bool
	end        error
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.end != nil {
		return 0, r.end
	}
	n, err := r.decoded.Read(p)
	_, _ = r.content.Write(p[:n]) // a hash does not fail
	if err != nil {
		if errors.Is(err, io.EOF) && r.objects.err == nil {
			err = r.check()
		} else {
			err = r.fail(err)
		}
		r.end = err
	}
	return n, err
}

// check compares what came with the manifest; what lies behind the end of the
// compressed stream counts too.
func (r *fileReader) check() error {
	if _, err := io.Copy(io.Discard, r.raw); err != nil {
		return r.fail(err)
	}
	f := r.file
	switch {
	case r.stored.n.Load() != f.Stored:
		return r.corrupt("%d bytes are stored, the manifest counts %d", r.stored.n.Load(), f.Stored)
	case r.stored.sum() != f.StoredSHA256:
		return r.corrupt("the hash of the stored bytes is another one than the manifest's")
	case r.storedOnly:
		return io.EOF
	case r.content.n.Load() != f.Size:
		return r.corrupt("it holds %d bytes, the manifest counts %d", r.content.n.Load(), f.Size)
	case r.content.sum() != f.SHA256:
		return r.corrupt("the hash of its content is another one than the manifest's")
	}
	return io.EOF
}

func (r *fileReader) corrupt(format string, args ...any) error {
	return failure(ReasonCorrupt, r.endpoint, nil, "file %s of the backup %s is damaged: "+format,
		slices.Concat([]any{r.file.Name, r.manifest.location}, args)...)
}

// fail tells the store's failures from those of what it gave.
func (r *fileReader) fail(err error) error {
	switch {
	case r.objects.err != nil && ReasonOf(r.objects.err) == ReasonNotFound:
		return r.corrupt("%v", r.objects.err)
	case r.objects.err != nil:
		return r.objects.err
	case ReasonOf(err) != "":
		return err
	}
	return r.corrupt("%v", err)
}

func (r *fileReader) Close() error {
	r.decoded.Close()
	return r.objects.Close()
}

// objectsReader reads the objects of a file one after the other.
type objectsReader struct {
	ctx     context.Context
	store   Store
	keys    []string
	current io.ReadCloser
	err     error // of the store
}

func (r *objectsReader) Read(p []byte) (int, error) {
	for {
		if r.err != nil {
			return 0, r.err
		}
		if r.current == nil {
			if len(r.keys) == 0 {
				return 0, io.EOF
			}
			if r.current, r.err = r.store.Get(r.ctx, r.keys[0]); r.err != nil {
				r.current = nil
				return 0, r.err
			}
			r.keys = r.keys[1:]
		}
		n, err := r.current.Read(p)
		if err == nil || n > 0 && errors.Is(err, io.EOF) {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			r.err = err
			return n, err
		}
		r.current.Close()
		r.current = nil
	}
}

func (r *objectsReader) Close() error {
	if r.current == nil {
		return nil
	}
	err := r.current.Close()
	r.current = nil
	r.err = errors.Join(r.err, io.ErrClosedPipe)
	return err
}
