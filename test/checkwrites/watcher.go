// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"sync"
	"time"
)

// markerInterval is how often each member is tried.
const markerInterval = 50 * time.Millisecond

// Watcher commits markers directly on members: at the pods, past every Service.
type Watcher struct {
	Engine  Engine
	Account Account
	// Address of a member's server as of now. It is asked for again when a session breaks.
	Address func(ctx context.Context, member string) (string, error)

	mu      sync.Mutex
	markers []Marker
}

// Watch one member until the context ends.
func (w *Watcher) Watch(ctx context.Context, member string) {
	var s *session
	for tick := time.NewTicker(markerInterval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			if s != nil {
				s.close()
			}
			return
		case <-tick.C:
		}
		m := Marker{Member: member, Begun: time.Now()}
		var err error
		if s == nil {
			s, err = w.connect(ctx, member)
		}
		if err == nil {
			m.Session = s.id
			err = s.exec(context.Background(), w.Engine.mark, member)
		}
		m.Ended, m.Acknowledged = time.Now(), err == nil
		w.add(m)
		if s != nil && w.Engine.broken(err) {
			s.close()
			s = nil
		}
	}
}

func (w *Watcher) connect(ctx context.Context, member string) (*session, error) {
	address, err := w.Address(ctx, member)
	if err != nil {
		return nil, err
	}
	return w.Engine.connect(ctx, w.Account, address)
}

func (w *Watcher) add(m Marker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.markers = append(w.markers, m)
}

// Markers that were attempted until now, of all members.
func (w *Watcher) Markers() []Marker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Marker(nil), w.markers...)
}
