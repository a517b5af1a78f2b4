// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"sync"
	"time"
)

// Write is one attempt to commit one row. An id is attempted once: a client that does
// not know the outcome takes the next id.
type Write struct {
	ID     int64
	Client int
	// Begun is before the statement was sent, Ended after its outcome was known.
	Begun, Ended time.Time
	// Acknowledged by the server. Otherwise the outcome is unknown: the row may be there
	// or not, and neither is wrong.
	Acknowledged bool
}

// History is what the clients saw.
type History struct {
	mu     sync.Mutex
	next   int64
	writes []Write
	// last error of each client, for messages.
	last map[int]error
}

// NewHistory returns an empty one.
func NewHistory() *History { return &History{last: map[int]error{}} }

// ID returns one that was never attempted.
func (h *History) ID() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	return h.next
}

func (h *History) add(w Write, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, w)
	h.last[w.Client] = err
}

// Writes until now.
func (h *History) Writes() []Write {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Write(nil), h.writes...)
}

// Waiting names a client without an acknowledged write that began after since, and its
// last error.
func (h *History) Waiting(since time.Time, clients int) (client int, err error, waiting bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	served := map[int]bool{}
	for i := len(h.writes) - 1; i >= 0 && h.writes[i].Ended.After(since); i-- {
		if w := h.writes[i]; w.Acknowledged && w.Begun.After(since) {
			served[w.Client] = true
		}
	}
	for c := range clients {
		if !served[c] {
			return c, h.last[c], true
		}
	}
	return 0, nil, false
}
