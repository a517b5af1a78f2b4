// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// partSize of uploads; S3 wants 5 MiB at least.
	partSize = 8 << 20
	// partsInFlight of one object.
	partsInFlight = 3
	// partBuffers of a store, for all that is put at a time. Each of MaxOpenFiles
	// fills at most one: there is always another that gets free without them.
	partBuffers = MaxOpenFiles + 2
)

// newBuffers holds places for buffers; those used once are used again.
func newBuffers() chan []byte {
	buffers := make(chan []byte, partBuffers)
	for range partBuffers {
		buffers <- nil
	}
	return buffers
}

// part is one that was read and waits for its upload.
type part struct {
	number int
	buffer []byte
	size   int
}

// fill reads the next part; more is false if r has ended.
func (s *s3Store) fill(ctx context.Context, number int, r io.Reader) (p part, more bool, err error) {
	p.number = number
	select {
	case p.buffer = <-s.buffers:
	case <-ctx.Done():
		return part{}, false, context.Cause(ctx)
	}
	if err := context.Cause(ctx); err != nil { // select has no preference
		s.free(p)
		return part{}, false, err
	}
	if p.buffer == nil {
		p.buffer = make([]byte, s.partSize)
	}
	for p.size < len(p.buffer) {
		// Not io.ReadFull: it cannot tell the end from a source that was cut.
		n, err := r.Read(p.buffer[p.size:])
		p.size += n
		if err == io.EOF {
			return p, false, nil
		}
		if err != nil {
			s.free(p)
			return part{}, false, err
		}
	}
	return p, true, nil
}

func (s *s3Store) free(p part) { s.buffers <- p.buffer }

// body is what is sent: a bytes.Reader, so that the client knows the length.
func (p part) body() io.Reader { return bytes.NewReader(p.buffer[:p.size]) }

// sum is what the server compares.
func (p part) sum() string {
	sum := sha256.Sum256(p.buffer[:p.size])
	return hex.EncodeToString(sum[:])
}

// Put uploads small objects at once and others in parts.
func (s *s3Store) Put(ctx context.Context, key string, r io.Reader) error {
	p, more, err := s.fill(ctx, 1, r)
	if err != nil {
		return err
	}
	if !more {
		defer s.free(p)
		sum := p.sum()
		return s.try(ctx, "put", key, func(ctx context.Context) error {
			_, err := s.core.PutObject(ctx, s.bucket, key, p.body(), int64(p.size), "", sum, minio.PutObjectOptions{})
			return err
		})
	}
	var id string
	err = s.try(ctx, "begin upload of", key, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.bucket, key, minio.PutObjectOptions{})
		return err
	})
	if err != nil {
		s.free(p)
		return err
	}
	if err = s.multipart(ctx, key, id, p, r); err != nil {
		s.abort(ctx, key, id)
	}
	return err
}

// abort forgets an upload, also when the reason to do so is that ctx ended.
func (s *s3Store) abort(ctx context.Context, key, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(30*time.Second, s.pace.attempt))
	defer cancel()
	_ = s.core.AbortMultipartUpload(ctx, s.bucket, key, id)
}

func (s *s3Store) multipart(ctx context.Context, key, id string, p part, r io.Reader) error {
	uploads, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		done  []minio.CompletePart
		total int64
		slots = make(chan struct{}, partsInFlight)
		more  = true
		err   error
	)
	for {
		slots <- struct{}{}
		current := p // p becomes the next one meanwhile
		total += int64(p.size)
		wg.Go(func() {
			tag, err := s.uploadPart(uploads, key, id, current)
			if err != nil {
				stop(err) // before the buffer is free: nobody reads on then
			}
			s.free(current)
			<-slots
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done = append(done, minio.CompletePart{PartNumber: current.number, ETag: tag})
		})
		if !more {
			break
		}
		var next part
		if next, more, err = s.fill(uploads, p.number+1, r); err != nil {
			stop(err)
			break
		}
		if next.size == 0 {
			s.free(next)
			break
		}
		p = next
	}
	wg.Wait()
	if err := context.Cause(uploads); err != nil {
		return err
	}
	slices.SortFunc(done, func(a, b minio.CompletePart) int { return a.PartNumber - b.PartNumber })
	tried := false
	return s.try(ctx, "complete upload of", key, func(ctx context.Context) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.bucket, key, id, done, minio.PutObjectOptions{})
		if tried && minio.ToErrorResponse(err).Code == "NoSuchUpload" {
			// The try before may have succeeded without saying so.
			if o, statErr := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{}); statErr == nil && o.Size == total {
				return nil
			}
		}
		tried = true
		return err
	})
}

func (s *s3Store) uploadPart(ctx context.Context, key, id string, p part) (tag string, err error) {
	sum := p.sum()
	err = s.try(ctx, "upload a part of", key, func(ctx context.Context) error {
		done, err := s.core.PutObjectPart(ctx, s.bucket, key, id, p.number, p.body(), int64(p.size), minio.PutObjectPartOptions{Sha256Hex: sum})
		tag = done.ETag
		return err
	})
	return tag, err
}

// Get returns an object; a download that is cut goes on where it was.
func (s *s3Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	d := &download{store: s, ctx: ctx, key: key}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

type download struct {
	store  *s3Store
	ctx    context.Context
	key    string
	body   io.ReadCloser
	cancel context.CancelFunc
	tag    string
	size   int64
	offset int64
	cuts   int // since bytes came last
}

func (d *download) open() error {
	return d.store.try(d.ctx, "get", d.key, func(context.Context) error {
		ctx, cancel := context.WithCancel(d.ctx)
		var o minio.GetObjectOptions
		if d.offset > 0 {
			_ = o.SetRange(d.offset, 0)
			_ = o.SetMatchETag(d.tag)
		}
		body, info, _, err := d.store.core.GetObject(ctx, d.store.bucket, d.key, o)
		if err != nil {
			cancel()
			return err
		}
		if d.offset == 0 {
			d.tag, d.size = info.ETag, info.Size
		}
		d.body, d.cancel = body, cancel
		return nil
	})
}

func (d *download) Read(p []byte) (int, error) {
	for {
		idle := time.AfterFunc(d.store.pace.idle, d.cancel)
		n, err := d.body.Read(p)
		stalled := !idle.Stop()
		d.offset += int64(n)
		if n > 0 {
			d.cuts = 0
			return n, nil // an error comes again
		}
		if err == nil || errors.Is(err, io.EOF) && d.offset >= d.size {
			return 0, err
		}
		if d.ctx.Err() != nil {
			return 0, context.Cause(d.ctx)
		}
		d.Close()
		if d.cuts++; d.cuts >= d.store.pace.tries {
			if stalled {
				return 0, failure(ReasonUnreachable, d.store.endpoint, nil, "get %s: nothing came for %v", d.key, d.store.pace.idle)
			}
			err, _ = d.store.fail(err, "get", d.key)
			return 0, err
		}
		if err := d.open(); err != nil {
			return 0, err
		}
	}
}

func (d *download) Close() error {
	d.cancel()
	return d.body.Close()
}
