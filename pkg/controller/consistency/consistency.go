// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package consistency lets a controller read its own writes: it remembers, per
// owner, the newest resourceVersion the controller wrote of each resource, and
// tells whether the informers have seen as much. The idea is KEP-5647's; it
// replaces expectations.
//
// Invariants: it never blocks; what cannot be compared counts as seen (it fails
// open), for a guard must not stop a controller.
package consistency

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
)

// ResourceVersionReader tells how far an informer has seen of a namespace. The
// informers of package slim do.
type ResourceVersionReader interface {
	SeenResourceVersion(namespace string) string
}

// StaleError says that an informer is behind what the controller wrote.
type StaleError struct {
	Resource schema.GroupResource
	// Written is newer than Seen.
	Written, Seen string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("the informer of %s has seen resourceVersion %s, not yet %s that this controller wrote", e.Resource, e.Seen, e.Written)
}

// Store remembers writes per owner. It is safe for concurrent use.
type Store struct {
	readers map[schema.GroupResource]ResourceVersionReader

	mu     sync.Mutex
	owners map[cache.ObjectName]*record
}

type record struct {
	uid    types.UID
	writes map[schema.GroupResource]string
}

// New makes a store over the informers of a controller. Writes of resources that
// have no reader are not remembered.
func New(readers map[schema.GroupResource]ResourceVersionReader) *Store {
	return &Store{readers: readers, owners: map[cache.ObjectName]*record{}}
}

// WroteAt remembers that the controller wrote an object of a resource for owner
// and the API server answered with a resourceVersion.
func (s *Store) WroteAt(owner cache.ObjectName, uid types.UID, resource schema.GroupResource, version string) {
	if _, ok := s.readers[resource]; !ok || version == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.owners[owner]
	if r == nil || r.uid != uid {
		r = &record{uid: uid, writes: map[schema.GroupResource]string{}}
		s.owners[owner] = r
	}
	if old, ok := r.writes[resource]; ok {
		if c, err := resourceversion.CompareResourceVersion(old, version); err == nil && c >= 0 {
			return
		}
	}
	r.writes[resource] = version
}

// EnsureReady returns a *StaleError while an informer is behind what was written
// for owner, and forgets what every informer has seen.
func (s *Store) EnsureReady(owner cache.ObjectName) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.owners[owner]
	if r == nil {
		return nil
	}
	for resource, written := range r.writes {
		seen := s.readers[resource].SeenResourceVersion(owner.Namespace)
		c, err := resourceversion.CompareResourceVersion(seen, written)
		if err == nil && c < 0 {
			return &StaleError{Resource: resource, Written: written, Seen: seen}
		}
		delete(r.writes, resource)
	}
	delete(s.owners, owner)
	return nil
}

// Clear forgets an owner that is gone. Another object by the same name, told by
// its uid, keeps its record; an empty uid clears whatever is there.
func (s *Store) Clear(owner cache.ObjectName, uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.owners[owner]; r != nil && (uid == "" || r.uid == uid) {
		delete(s.owners, owner)
	}
}
