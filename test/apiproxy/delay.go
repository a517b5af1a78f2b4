// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"io"
	"sync"
	"time"
)

// delayedBody hands each chunk on only delay after it came, in order: an informer
// that lags by a fixed time.
type delayedBody struct {
	src    io.ReadCloser
	chunks chan delayedChunk
	done   chan struct{}
	once   sync.Once
	rest   []byte
	err    error
}

type delayedChunk struct {
	due  time.Time
	data []byte
	err  error
}

func newDelayedBody(src io.ReadCloser, delay time.Duration) io.ReadCloser {
	d := &delayedBody{src: src, chunks: make(chan delayedChunk, 4096), done: make(chan struct{})}
	go func() {
		for {
			buf := make([]byte, 64<<10)
			n, err := src.Read(buf)
			select {
			case d.chunks <- delayedChunk{due: time.Now().Add(delay), data: buf[:n], err: err}:
			case <-d.done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return d
}

func (d *delayedBody) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		select {
		case c := <-d.chunks:
			timer := time.NewTimer(time.Until(c.due))
			select {
			case <-timer.C:
			case <-d.done:
				timer.Stop()
				return 0, io.ErrClosedPipe
			}
			d.rest, d.err = c.data, c.err
		case <-d.done:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *delayedBody) Close() error {
	d.once.Do(func() { close(d.done) })
	return d.src.Close()
}
