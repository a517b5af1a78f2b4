// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// internLimit is how many strings are remembered: the words that the objects of a few
// thousand units have in common. Longer ones than internLength are of one object only.
const (
	internLimit  = 1 << 14
	internLength = 128
)

// +k8s:deepcopy-gen=false

// interned are the strings that many objects have in common. Each object that is decoded
// brings its own copy of them: of thousands of units that would be most of the memory.
type interned struct {
	mu sync.Mutex
	// words were met since the last time that there were too many of them, old before.
	words, old map[string]string
	// sets of labels by their hash, likewise.
	sets, oldSets map[[sha256.Size]byte]map[string]string
}

// words of all objects that are kept.
var words interned

// Interned is a map of the same content that is shared with the objects that are kept, and
// that nobody changes.
func Interned(m map[string]string) map[string]string { return words.labels(m) }

// of returns the string that is kept for s.
func (i *interned) of(s string) string {
	if s == "" || len(s) > internLength {
		return s
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	kept, ok := i.words[s]
	if ok {
		return kept
	}
	if kept, ok = i.old[s]; !ok {
		kept = s
	}
	if i.words == nil || len(i.words) >= internLimit/2 {
		i.words, i.old = make(map[string]string), i.words
	}
	i.words[kept] = kept
	return kept
}

// strings is a copy of a map with strings that are kept.
func (i *interned) strings(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		out[i.of(key)] = i.of(value)
	}
	return out
}

// labels is a map of the same content that all share which have it: a unit's pod, claims,
// Secret and ConfigMaps have the same labels.
func (i *interned) labels(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	hash := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(hash, "%q=%q,", key, m[key])
	}
	key := [sha256.Size]byte(hash.Sum(nil))
	i.mu.Lock()
	kept, ok := i.sets[key]
	if !ok {
		kept, ok = i.oldSets[key]
	}
	i.mu.Unlock()
	if !ok {
		kept = i.strings(m)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sets == nil || len(i.sets) >= internLimit/2 {
		i.sets, i.oldSets = make(map[[sha256.Size]byte]map[string]string), i.sets
	}
	i.sets[key] = kept
	return kept
}

// owners is a copy of references with strings that are kept.
func (i *interned) owners(refs []metav1.OwnerReference) []metav1.OwnerReference {
	if len(refs) == 0 {
		return nil
	}
	out := make([]metav1.OwnerReference, len(refs))
	for n, ref := range refs {
		ref.APIVersion, ref.Kind, ref.Name = i.of(ref.APIVersion), i.of(ref.Kind), i.of(ref.Name)
		ref.Controller, ref.BlockOwnerDeletion = kept(ref.Controller), kept(ref.BlockOwnerDeletion)
		out[n] = ref
	}
	return out
}

var yes, no = true, false

// kept is a pointer to the same that all share.
func kept(b *bool) *bool {
	switch {
	case b == nil:
		return nil
	case *b:
		return &yes
	}
	return &no
}
