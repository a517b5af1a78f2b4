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

// The agent has 128 MiB for all it does: windows and workers are small.
const (
	zstdWindow  = 4 << 20
	zstdWorkers = 2
	gzipBlock   = 1 << 20
	gzipWorkers = 2
)

type codec struct {
	extension string
	writer    func(io.Writer) (io.WriteCloser, error)
	reader    func(io.Reader) (io.ReadCloser, error)
}

var codecs = map[operation.Compression]*codec{
	operation.NoCompression: {
		writer: func(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil },
		reader: func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil },
	},
	operation.Zstd: {
		extension: ".zst",
		writer: func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w, zstd.WithWindowSize(zstdWindow), zstd.WithEncoderConcurrency(zstdWorkers), zstd.WithLowerEncoderMem(true))
		},
		reader: func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(zstdWorkers), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		},
	},
	operation.Gzip: {
		extension: ".gz",
		writer: func(w io.Writer) (io.WriteCloser, error) {
			z := pgzip.NewWriter(w)
			return z, z.SetConcurrency(gzipBlock, gzipWorkers)
		},
		reader: func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	},
	operation.Bzip2: {
		extension: ".bz2",
		writer:    func(w io.Writer) (io.WriteCloser, error) { return dsnet.NewWriter(w, nil) },
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
