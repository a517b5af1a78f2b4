// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// Kind of a referenced object.
type Kind string

const (
	// Secret of a user's.
	Secret Kind = "Secret"
	// ConfigMap of a user's.
	ConfigMap Kind = "ConfigMap"
)

// Reference names a user's Secret or ConfigMap.
type Reference struct {
	Kind Kind
	Key  cache.ObjectName
}

// Seen is what is known of a referenced object. Its content is read live.
type Seen struct {
	// Exists is false for an object that is not there.
	Exists bool
	// UID and ResourceVersion of the object that is.
	UID             types.UID
	ResourceVersion string
}

// +k8s:deepcopy-gen=false

// References watches the users' Secrets and ConfigMaps, which carry no label of
// ours: metadata only, and it keeps only what somebody refers to, missing ones
// included. It is safe for concurrent use.
type References struct {
	reflectors []*cache.Reflector
	stores     map[Kind]*referenceStore
}

// NewReferences makes the index; changed is called with an owner whose reference
// appeared, changed or vanished, and must only enqueue.
func NewReferences(client metadata.Interface, namespaces []string, changed func(owner cache.ObjectName)) *References {
	r := &References{stores: map[Kind]*referenceStore{}}
	for kind, gvr := range map[Kind]schema.GroupVersionResource{
		Secret:    corev1.SchemeGroupVersion.WithResource("secrets"),
		ConfigMap: corev1.SchemeGroupVersion.WithResource("configmaps"),
	} {
		store := &referenceStore{
			owners:  map[cache.ObjectName]map[cache.ObjectName]bool{},
			refs:    map[cache.ObjectName][]cache.ObjectName{},
			seen:    map[cache.ObjectName]Seen{},
			changed: changed,
			synced:  map[string]bool{},
		}
		r.stores[kind] = store
		for _, ns := range namespaces {
			example := &metav1.PartialObjectMetadata{}
			example.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind)))
			store.synced[ns] = false
			r.reflectors = append(r.reflectors, cache.NewReflectorWithOptions(listWatch("", client, client.Resource(gvr).Namespace(ns)), example, &namespaceStore{referenceStore: store, namespace: ns}, cache.ReflectorOptions{
				Name: "references of " + string(kind), TypeDescription: string(kind) + " metadata",
			}))
		}
	}
	return r
}

// Run watches until ctx ends.
func (r *References) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, reflector := range r.reflectors {
		wg.Go(func() { reflector.RunWithContext(ctx) })
	}
	wg.Wait()
}

// HasSynced is true once every namespace was listed.
func (r *References) HasSynced() bool {
	for _, s := range r.stores {
		if !s.hasSynced() {
			return false
		}
	}
	return true
}

// Set makes refs the references of owner, and no others. What is known of one that
// is new is learnt by the caller's live read: see Learn.
func (r *References) Set(owner cache.ObjectName, refs []Reference) {
	byKind := map[Kind][]cache.ObjectName{}
	for _, ref := range refs {
		byKind[ref.Kind] = append(byKind[ref.Kind], ref.Key)
	}
	for kind, store := range r.stores {
		store.set(owner, byKind[kind])
	}
}

// Forget drops the references of an owner that is gone.
func (r *References) Forget(owner cache.ObjectName) { r.Set(owner, nil) }

// Get returns what is known of a referenced object; known is false until it was
// seen by the watch or learnt.
func (r *References) Get(ref Reference) (seen Seen, known bool) {
	return r.stores[ref.Kind].get(ref.Key)
}

// Learn records what a live read has shown. A reference that was there before the
// watch kept it is known in no other way.
func (r *References) Learn(ref Reference, seen Seen) { r.stores[ref.Kind].learn(ref.Key, seen) }

// +k8s:deepcopy-gen=false

// referenceStore keeps what is referred to.
type referenceStore struct {
	changed func(owner cache.ObjectName)

	mu     sync.Mutex
	owners map[cache.ObjectName]map[cache.ObjectName]bool // object -> owners
	refs   map[cache.ObjectName][]cache.ObjectName        // owner -> objects
	seen   map[cache.ObjectName]Seen
	synced map[string]bool
}

func (s *referenceStore) hasSynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ok := range s.synced {
		if !ok {
			return false
		}
	}
	return true
}

func (s *referenceStore) set(owner cache.ObjectName, objects []cache.ObjectName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.refs[owner] {
		if slices.Contains(objects, old) {
			continue
		}
		delete(s.owners[old], owner)
		if len(s.owners[old]) == 0 {
			delete(s.owners, old)
			delete(s.seen, old)
		}
	}
	if len(objects) == 0 {
		delete(s.refs, owner)
		return
	}
	s.refs[owner] = slices.Clone(objects)
	for _, o := range objects {
		if s.owners[o] == nil {
			s.owners[o] = map[cache.ObjectName]bool{}
		}
		s.owners[o][owner] = true
	}
}

func (s *referenceStore) get(key cache.ObjectName) (Seen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.seen[key]
	return seen, known
}

// learn keeps what is newer than what is known already from the watch.
func (s *referenceStore) learn(key cache.ObjectName, seen Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.seen[key]; known || s.owners[key] == nil {
		return
	}
	s.seen[key] = seen
}

// see is told of every object by the watch; what nobody refers to is dropped.
func (s *referenceStore) see(key cache.ObjectName, seen Seen) {
	s.mu.Lock()
	owners := slices.Collect(maps.Keys(s.owners[key]))
	old, known := s.seen[key]
	if len(owners) > 0 {
		s.seen[key] = seen
	}
	s.mu.Unlock()
	if known && old == seen {
		return
	}
	for _, owner := range owners {
		s.changed(owner)
	}
}

// +k8s:deepcopy-gen=false

// namespaceStore is the reflector's view of a referenceStore.
type namespaceStore struct {
	*referenceStore
	namespace string
}

var _ cache.ReflectorStore = &namespaceStore{}

// Add is called by the reflector.
func (s *namespaceStore) Add(obj any) error {
	key, seen, err := seenOf(obj)
	if err == nil {
		s.see(key, seen)
	}
	return err
}

// seenOf an object that the watch shows.
func seenOf(obj any) (cache.ObjectName, Seen, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return cache.ObjectName{}, Seen{}, errWrongType
	}
	return cache.MetaObjectToName(m), Seen{Exists: true, UID: m.GetUID(), ResourceVersion: m.GetResourceVersion()}, nil
}

// Update is called by the reflector.
func (s *namespaceStore) Update(obj any) error { return s.Add(obj) }

// Delete is called by the reflector.
func (s *namespaceStore) Delete(obj any) error {
	key, _, err := seenOf(obj)
	if err == nil {
		s.see(key, Seen{})
	}
	return err
}

// Replace is called by the reflector after a list: what is referred to and not in
// it is gone.
func (s *namespaceStore) Replace(list []any, _ string) error {
	listed := map[cache.ObjectName]bool{}
	for _, obj := range list {
		key, seen, err := seenOf(obj)
		if err != nil {
			return err
		}
		s.mu.Lock()
		wanted := s.owners[key] != nil
		s.mu.Unlock()
		if wanted {
			listed[key] = true
			s.see(key, seen)
		}
	}
	s.mu.Lock()
	var gone []cache.ObjectName
	for key, seen := range s.seen {
		if seen.Exists && !listed[key] && (s.namespace == metav1.NamespaceAll || s.namespace == key.Namespace) {
			gone = append(gone, key)
		}
	}
	s.synced[s.namespace] = true
	s.mu.Unlock()
	for _, key := range gone {
		s.see(key, Seen{})
	}
	klog.Background().V(4).Info("Listed metadata", "namespace", s.namespace, "objects", len(list), "kept", len(listed))
	return nil
}

// Resync is called by the reflector and has nothing to do.
func (s *namespaceStore) Resync() error { return nil }

// Transformer makes the reflector keep next to nothing of each object while it
// gathers a list: a cluster may hold many.
func (s *namespaceStore) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		m, ok := obj.(metav1.Object)
		if !ok {
			return obj, nil
		}
		return &glimpse{namespace: m.GetNamespace(), name: m.GetName(), uid: m.GetUID(), resourceVersion: m.GetResourceVersion()}, nil
	}
}

// +k8s:deepcopy-gen=false

// glimpse is what is kept of an object while a list is gathered: a fifth of its
// metadata. Of the interface it answers what is asked here and no more.
type glimpse struct {
	metav1.Object
	namespace, name string
	uid             types.UID
	resourceVersion string
}

// GetNamespace implements metav1.Object.
func (g *glimpse) GetNamespace() string { return g.namespace }

// GetName implements metav1.Object.
func (g *glimpse) GetName() string { return g.name }

// GetUID implements metav1.Object.
func (g *glimpse) GetUID() types.UID { return g.uid }

// GetResourceVersion implements metav1.Object.
func (g *glimpse) GetResourceVersion() string { return g.resourceVersion }
