// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// Type is a slim type, or any other that an Informer can hold.
type Type interface {
	comparable
	metav1.Object
	runtime.Object
}

// AllNamespaces as the only element of a list of namespaces means all of them.
var AllNamespaces = []string{metav1.NamespaceAll}

// +k8s:deepcopy-gen=false

// Informer keeps slim objects of one kind, of all namespaces or of some. It is a
// set of client-go's shared informers, one per namespace, behind one door.
type Informer[T Type] struct {
	parts map[string]cache.SharedIndexInformer
}

// +k8s:deepcopy-gen=false

// source is what an Informer is made from.
type source[T Type] struct {
	namespaces []string
	example    runtime.Object
	listWatch  func(namespace string) cache.ListerWatcher
	// convert makes a T of what the API sends; it may keep parts of it.
	convert func(obj any) (T, error)
	// index names functions that give the index values of an object.
	index map[string]func(T) []string
}

func newInformer[T Type](s source[T]) (*Informer[T], error) {
	inf := &Informer[T]{parts: map[string]cache.SharedIndexInformer{}}
	for _, ns := range s.namespaces {
		part := cache.NewSharedIndexInformerWithOptions(s.listWatch(ns), s.example, cache.SharedIndexInformerOptions{Indexers: indexers(s.index)})
		if err := part.SetTransform(func(obj any) (any, error) {
			switch x := obj.(type) {
			case T:
				// Converted before, or an API type that is kept whole: what was
				// converted is shared and never changed.
				if x.GetManagedFields() == nil {
					return x, nil
				}
				return s.convert(x)
			case cache.DeletedFinalStateUnknown:
				if _, ok := x.Obj.(T); ok || x.Obj == nil {
					return x, nil
				}
				converted, err := s.convert(x.Obj)
				return cache.DeletedFinalStateUnknown{Key: x.Key, Obj: converted}, err
			}
			return s.convert(obj)
		}); err != nil {
			return nil, err
		}
		inf.parts[ns] = part
	}
	return inf, nil
}

// NewStatic is an Informer that nothing feeds but Add, Update and Delete: for tests.
func NewStatic[T Type](index map[string]func(T) []string) *Informer[T] {
	part := cache.NewSharedIndexInformerWithOptions(&cache.ListWatch{}, nil, cache.SharedIndexInformerOptions{Indexers: indexers(index)})
	return &Informer[T]{parts: map[string]cache.SharedIndexInformer{metav1.NamespaceAll: part}}
}

func indexers[T Type](index map[string]func(T) []string) cache.Indexers {
	out := cache.Indexers{}
	for name, f := range index {
		out[name] = func(obj any) ([]string, error) {
			x, ok := obj.(T)
			if !ok {
				return nil, fmt.Errorf("index %s: a %T was stored", name, obj)
			}
			return f(x), nil
		}
	}
	return out
}

func (i *Informer[T]) part(namespace string) cache.SharedIndexInformer {
	if p, ok := i.parts[metav1.NamespaceAll]; ok {
		return p
	}
	return i.parts[namespace]
}

// Get returns the object by that key. It is shared: never change it.
func (i *Informer[T]) Get(key cache.ObjectName) (obj T, ok bool) {
	p := i.part(key.Namespace)
	if p == nil {
		return obj, false
	}
	item, exists, err := p.GetIndexer().GetByKey(key.String())
	if err != nil || !exists {
		return obj, false
	}
	obj, ok = item.(T)
	return obj, ok
}

// ByIndex returns the objects with that index value.
func (i *Informer[T]) ByIndex(index, value string) []T {
	var out []T
	for _, p := range i.parts {
		items, err := p.GetIndexer().ByIndex(index, value)
		if err != nil {
			// Only an index that does not exist: a programming error.
			panic(err)
		}
		for _, item := range items {
			out = append(out, item.(T))
		}
	}
	return out
}

// List returns all objects, in no order.
func (i *Informer[T]) List() []T {
	var out []T
	for _, p := range i.parts {
		for _, item := range p.GetIndexer().List() {
			out = append(out, item.(T))
		}
	}
	return out
}

// AddHandler calls h for every change. Call it before Run.
func (i *Informer[T]) AddHandler(h cache.TypedResourceEventHandlerFuncs[T]) error {
	for _, p := range i.parts {
		if _, err := cache.NewTypedSharedIndexInformer[T](p).AddTypedEventHandler(h); err != nil {
			return err
		}
	}
	return nil
}

// HasSynced is true once every namespace was listed.
func (i *Informer[T]) HasSynced() bool {
	for _, p := range i.parts {
		if !p.HasSynced() {
			return false
		}
	}
	return true
}

// SeenResourceVersion is how far the informer has seen of a namespace.
func (i *Informer[T]) SeenResourceVersion(namespace string) string {
	p := i.part(namespace)
	if p == nil {
		return ""
	}
	return p.GetIndexer().LastStoreSyncResourceVersion()
}

// Run watches until ctx ends and returns when its goroutines have ended.
func (i *Informer[T]) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range i.parts {
		wg.Go(func() { p.RunWithContext(ctx) })
	}
	wg.Wait()
}

// Set puts an object into a static Informer.
func (i *Informer[T]) Set(obj T) error { return i.parts[metav1.NamespaceAll].GetIndexer().Update(obj) }

// Unset takes it out again.
func (i *Informer[T]) Unset(obj T) error {
	return i.parts[metav1.NamespaceAll].GetIndexer().Delete(obj)
}

var errWrongType = errors.New("an object of another type than was asked for")

// converted adapts a typed conversion to an untyped source.
func converted[F any, T Type](f func(F) T) func(any) (T, error) {
	return func(obj any) (out T, err error) {
		x, ok := obj.(F)
		if !ok {
			return out, fmt.Errorf("%w: %T", errWrongType, obj)
		}
		return f(x), nil
	}
}
