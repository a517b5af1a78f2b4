// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Files keeps files open, so that they can be read when others have deleted them.
type Files struct {
	// Patterns of their paths, see filepath.Match.
	Patterns []string

	mu   sync.Mutex
	open []*os.File
	err  error
}

// Run takes up new files until the context ends.
func (f *Files) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	known := map[string]fs.FileInfo{}
	for {
		f.take(known)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// take up what is new. A path may be another file than it was: logs are rotated.
func (f *Files) take(known map[string]fs.FileInfo) {
	for _, pattern := range f.Patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.fail(err)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() || known[path] != nil && os.SameFile(known[path], info) {
				continue
			}
			file, err := os.Open(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				f.fail(err)
				continue
			}
			known[path] = info
			f.mu.Lock()
			f.open = append(f.open, file)
			f.mu.Unlock()
		}
	}
}

func (f *Files) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Len is the number of files.
func (f *Files) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

// Search all of them, which must be all that there were.
func (f *Files) Search(s *Secrets) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	var all []string
	for _, file := range f.open {
		found, err := searchFile(s, file)
		if err != nil {
			return nil, err
		}
		for _, sentence := range found {
			all = append(all, file.Name()+": "+sentence)
		}
	}
	return all, nil
}

// searchFile from its beginning, wherever it is written to.
func searchFile(s *Secrets, file *os.File) ([]string, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	found, err := s.Search(io.NewSectionReader(file, 0, info.Size()))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file.Name(), err)
	}
	return found, nil
}
