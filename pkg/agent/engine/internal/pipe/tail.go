// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"sync"
)

// Tail keeps the end of what is written to it.
type Tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2000

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

// String is what is kept, without the space around it.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := bytes.TrimSpace(t.b)
	if len(b) > tailSize {
		b = b[len(b)-tailSize:]
	}
	return string(b)
}
