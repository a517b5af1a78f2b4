// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/upmio/unit-operator/pkg/operation"
)

// abyss takes everything and keeps nothing: what is left is the pipeline.
type abyss struct{ Store }

func (abyss) Put(_ context.Context, _ string, r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, partSize))
	return err
}

func (abyss) List(context.Context, string, bool) ([]Object, error) { return nil, nil }
func (abyss) Delete(context.Context, string) error                 { return nil }
func (abyss) Endpoint() string                                     { return "nowhere" }

// rows compress about as well as those of a database: some words again and again, and
// numbers that are not.
func rows(size int) []byte {
	words := []string{"delivered", "customer", "left with the neighbour", "address", "refund of", "invoice", "second attempt failed", "priority"}
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, 0, size+128)
	for len(out) < size {
		out = fmt.Appendf(out, "(%d,%d,'%x','%s %d %s'),", len(out), r.IntN(1e6), r.Uint64(), words[r.IntN(len(words))], r.IntN(1e5), words[r.IntN(len(words))])
	}
	return out[:size]
}

func BenchmarkWriter(b *testing.B) {
	data := rows(64 << 20)
	for _, compression := range []operation.Compression{operation.Zstd, operation.NoCompression} {
		for _, key := range [][]byte{nil, testKey} {
			b.Run(fmt.Sprintf("%s, encrypted %t", compression, key != nil), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					w, err := Create(b.Context(), CreateOptions{Store: abyss{}, Location: Location{Bucket: "b", Folder: "f/"}, Compression: compression, Key: key, Meta: testMeta(Physical)})
					if err != nil {
						b.Fatal(err)
					}
					f, err := w.File("data")
					if err != nil {
						b.Fatal(err)
					}
					// As a process writes it.
					for p := data; len(p) > 0; p = p[min(len(p), 32<<10):] {
						if _, err := f.Write(p[:min(len(p), 32<<10)]); err != nil {
							b.Fatal(err)
						}
					}
					if err := f.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
