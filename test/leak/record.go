// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"hash/maphash"
	"os"
	"sync"
)

// most texts are remembered; what is recorded again later costs room on disk only.
const most = 1 << 18

// Record keeps texts in a file, each once.
type Record struct {
	mu   sync.Mutex
	file *os.File
	seed maphash.Seed
	seen map[uint64]struct{}
	n    int
	err  error
}

// NewRecord makes the file.
func NewRecord(path string) (*Record, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &Record{file: file, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}, nil
}

// Add a text.
func (r *Record) Add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := maphash.String(r.seed, text)
	if _, known := r.seen[sum]; known {
		return
	}
	if len(r.seen) == most {
		clear(r.seen)
	}
	r.seen[sum] = struct{}{}
	r.n++
	if _, err := r.file.WriteString(text + "\n"); err != nil && r.err == nil {
		r.err = err
	}
}

// Len is the number of texts.
func (r *Record) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// Search the record, which must be whole.
func (r *Record) Search(s *Secrets) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	return searchFile(s, r.file)
}
