// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"compress/bzip2"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	dsnet "github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
	"github.com/minio/sio"

	"github.com/upmio/unit-operator/pkg/operation"
)

// DefaultParallel threads compress where nothing says how many.
const DefaultParallel = 2

// maxParallel threads compress at most: each has buffers, and the agent has 128 MiB for
// all it does.
const maxParallel = 4

const (
	// zstdWindow is what a thread looks back on; it works on four of them.
	zstdWindow = 512 << 10
	// zstdWindowMany is that of more than DefaultParallel threads.
	zstdWindowMany = zstdWindow / 2
	// zstdWindowMax is the largest that a backup has been written with.
	zstdWindowMax = 4 << 20
	gzipBlock     = 1 << 20
)

// newZstd compresses sections of the content side by side, into one frame. The fastest
// level of this encoder gets within some percent of the size that zstd's own level, 3,
// does, for no more work; the next one takes twice that, and larger windows fall out of
// a core's cache.
func newZstd(w io.Writer, threads int) (io.WriteCloser, error) {
	window := zstdWindow
	if threads > DefaultParallel {
		window = zstdWindowMany
	}
	return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderConcurrency(threads), zstd.WithConcurrentBlocks(true))
}

type codec struct {
	extension string
	// writer compresses by so many threads, where the format lets it.
	writer func(w io.Writer, threads int) (io.WriteCloser, error)
	reader func(io.Reader) (io.ReadCloser, error)
}

var codecs = map[operation.Compression]*codec{
	operation.NoCompression: {
		writer: func(w io.Writer, _ int) (io.WriteCloser, error) { return nopCloser{w}, nil },
		reader: func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil },
	},
	operation.Zstd: {
		extension: ".zst",
		writer:    newZstd,
		reader: func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindowMax), zstd.WithDecoderConcurrency(DefaultParallel), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		},
	},
	operation.Gzip: {
		extension: ".gz",
		writer: func(w io.Writer, threads int) (io.WriteCloser, error) {
			z := pgzip.NewWriter(w)
			return z, z.SetConcurrency(gzipBlock, threads)
		},
		reader: func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	},
	operation.Bzip2: {
		extension: ".bz2",
		writer:    func(w io.Writer, _ int) (io.WriteCloser, error) { return dsnet.NewWriter(w, nil) },
		reader:    func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil },
	},
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// extension of the i-th object of a file.
func extension(compression operation.Compression, encrypted bool, i int) string {
	ext := codecs[compression].extension
	if encrypted {
		ext += ".enc"
	}
	if i > 0 {
		ext += fmt.Sprintf(".%04d", i)
	}
	return ext
}

const saltSize = 32

// KeyID is what a manifest names a key by.
func KeyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// fileKey derives the key of one file: DARE wants no key used for two streams, and
// a file that was put in the place of another must not decrypt.
func fileKey(key, salt []byte, backup, file string) (sio.Config, error) {
	derived, err := hkdf.Key(sha256.New, key, salt, "unit-operator backup\x00"+backup+"\x00"+file, KeySize)
	return sio.Config{
		MinVersion:   sio.Version20,
		CipherSuites: []byte{sio.AES_256_GCM},
		Key:          derived,
	}, err
}
