// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync/atomic"

	"github.com/minio/sio"
)

const (
	// objectSize is where a file goes on in another object: 10 000 parts are the
	// most that S3 takes, and small parts are what keeps memory small.
	objectSize = partSize << 13
	maxObjects = 10000
)

var errAborted = errors.New("the backup was aborted")

// FileWriter is one file of a backup on its way to the store.
type FileWriter struct {
	name string
	salt []byte
	// The pipeline: content -> compressed -> sealed -> stored -> pipe.
	content  counter
	compress io.WriteCloser
	seal     io.WriteCloser
	stored   counter
	pipe     *io.PipeWriter

	uploaded chan struct{}
	objects  int
	err      error // of the upload, once uploaded is closed
	done     func(*FileWriter, error)
	closed   bool
}

// counter hashes and counts what passes.
type counter struct {
	hash.Hash
	n atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.Hash.Write(p)
}

func (c *counter) sum() string { return hex.EncodeToString(c.Sum(nil)) }

func newFileWriter(ctx context.Context, w *Writer, name string) (*FileWriter, error) {
	r, pipe := io.Pipe()
	f := &FileWriter{name: name, pipe: pipe, uploaded: make(chan struct{}), done: w.fileDone}
	f.content.Hash, f.stored.Hash = sha256.New(), sha256.New()
	sink := io.MultiWriter(&f.stored, pipe)
	f.seal = nopCloser{sink}
	if w.key != nil {
		f.salt = make([]byte, saltSize)
		rand.Read(f.salt)
		config, err := fileKey(w.key, f.salt, w.id, name)
		if err != nil {
			return nil, err
		}
		if f.seal, err = sio.EncryptWriter(sink, config); err != nil {
			return nil, err
		}
	}
	var err error
	if f.compress, err = codecs[w.compression].writer(f.seal, w.parallel); err != nil {
		return nil, err
	}
	go func() {
		defer close(f.uploaded)
		f.objects, f.err = upload(r, w.objectSize, func(i int, r io.Reader) error {
			return w.store.Put(ctx, objectKey(w.location, name, w.compression, w.key != nil, i), r)
		})
		// Writes fail with what made the upload fail.
		r.CloseWithError(f.err)
	}()
	return f, nil
}

// upload cuts what r gives into objects and returns how many there are.
func upload(r io.Reader, size int64, put func(i int, r io.Reader) error) (int, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	for i := range maxObjects {
		if i > 0 {
			if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
				return i, nil
			} else if err != nil {
				return i, err
			}
		}
		if err := put(i, io.LimitReader(buffered, size)); err != nil {
			return i, err
		}
	}
	return maxObjects, failure(ReasonStore, "", nil, "the file is larger than %d objects of %d bytes", maxObjects, size)
}

// Write compresses, seals and stores p. It fails with what the store failed with.
func (f *FileWriter) Write(p []byte) (int, error) {
	_, _ = f.content.Write(p) // a hash does not fail
	return f.compress.Write(p)
}

// Written returns how many bytes of content came in and how many went to the store.
// It may be called at any time.
func (f *FileWriter) Written() (content, stored int64) {
	return f.content.n.Load(), f.stored.n.Load()
}

// Close returns when the file is stored. After Fail it does nothing.
func (f *FileWriter) Close() error {
	if f.closed {
		return nil
	}
	err := errors.Join(f.compress.Close(), f.seal.Close())
	if err != nil {
		f.pipe.CloseWithError(errAborted)
	} else {
		f.pipe.Close()
	}
	return f.end(err)
}

// Fail gives the file up because what feeds it failed: the backup cannot be
// committed any more.
func (f *FileWriter) Fail(err error) {
	if f.closed {
		return
	}
	if err == nil {
		err = errAborted
	}
	f.pipe.CloseWithError(errAborted)
	// Ends the workers of the compressor; what they write now goes nowhere.
	_ = f.compress.Close()
	_ = f.end(err)
}

func (f *FileWriter) end(err error) error {
	f.closed = true
	<-f.uploaded
	if f.err != nil && !errors.Is(f.err, errAborted) {
		err = f.err // the cause of what the pipeline says
	}
	f.done(f, err)
	return err
}
