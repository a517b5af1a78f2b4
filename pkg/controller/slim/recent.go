// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"container/list"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

const (
	// recentLimit is how many whole objects of a kind are kept, and recentAge for how
	// long: what is made of a new Unit is made within moments.
	recentLimit = 128
	recentAge   = time.Minute
)

// +k8s:deepcopy-gen=false

// Recent keeps whole objects for a moment: those that were made a moment ago, as the
// watch brings them, and those that were read. What is made of a new Unit needs more of
// it than is kept for good, and would else be read again right after it came by. Its
// methods are safe for concurrent use, and a nil Recent keeps nothing.
type Recent[T recentObject[T]] struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[cache.ObjectName]*list.Element // of recentEntry
	order   *list.List                         // the newest in front
}

// recentObject is a pointer to an object of the API.
type recentObject[T any] interface {
	comparable
	metav1.Object
	runtime.Object
	DeepCopy() T
}

type recentEntry[T any] struct {
	key cache.ObjectName
	obj T
	at  time.Time
}

// NewRecent keeps nothing yet.
func NewRecent[T recentObject[T]](now func() time.Time) *Recent[T] {
	return &Recent[T]{now: now, entries: map[cache.ObjectName]*list.Element{}, order: list.New()}
}

// Came tells of an object that a watch brought. Old ones are not kept: a list of all
// would push out what is needed.
func (r *Recent[T]) Came(obj any) {
	if x, ok := obj.(T); ok && r != nil && r.now().Sub(x.GetCreationTimestamp().Time) < recentAge {
		r.Read(x)
	}
}

// Read tells of an object that was read, or came by. The caller does not change it any
// more.
func (r *Recent[T]) Read(obj T) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := cache.MetaObjectToName(obj)
	if old := r.entries[key]; old != nil {
		r.drop(old)
	}
	now := r.now()
	r.entries[key] = r.order.PushFront(recentEntry[T]{key, obj, now})
	for last := r.order.Back(); r.order.Len() > recentLimit || now.Sub(last.Value.(recentEntry[T]).at) >= recentAge; last = r.order.Back() {
		r.drop(last)
	}
}

func (r *Recent[T]) drop(e *list.Element) {
	delete(r.entries, r.order.Remove(e).(recentEntry[T]).key)
}

// Get returns the caller's own copy of the object at exactly this version, if it is kept.
func (r *Recent[T]) Get(key cache.ObjectName, resourceVersion string) (obj T, ok bool) {
	if r == nil || resourceVersion == "" {
		return obj, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[key]
	if e == nil {
		return obj, false
	}
	if have := e.Value.(recentEntry[T]).obj; have.GetResourceVersion() == resourceVersion {
		return have.DeepCopy(), true
	}
	return obj, false
}
