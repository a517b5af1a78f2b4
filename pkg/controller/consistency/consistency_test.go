// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
)

type informer string

func (i *informer) SeenResourceVersion(string) string { return string(*i) }

func TestAControllerWaitsUntilItsInformersHaveSeenItsWrites(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	other := schema.GroupResource{Resource: "others"}
	seen := informer("10")
	s := New(map[schema.GroupResource]ResourceVersionReader{pods: &seen})
	owner := cache.NewObjectName("ns", "a")
	stale := func() bool {
		_, ok := errors.AsType[*StaleError](s.EnsureReady(owner))
		return ok
	}

	if stale() {
		t.Fatal("stale although nothing was written")
	}
	s.WroteAt(owner, "u1", other, "99")
	if stale() {
		t.Fatal("waits for a resource it has no informer of")
	}
	s.WroteAt(owner, "u1", pods, "12")
	s.WroteAt(owner, "u1", pods, "11")
	if !stale() {
		t.Fatal("not stale although the informer is at 10 and 12 was written")
	}
	seen = "11"
	if !stale() {
		t.Fatal("an older write by the same owner lowered what is waited for")
	}
	seen = "12"
	if stale() {
		t.Fatal("still stale at the version that was written")
	}
	seen = "5"
	if stale() {
		t.Fatal("what was seen once is waited for again")
	}
	s.WroteAt(owner, "u1", pods, "20")
	s.Clear(owner, "u2")
	if !stale() {
		t.Fatal("cleared by the uid of another object")
	}
	s.WroteAt(owner, "u3", pods, "7")
	seen = "7"
	if stale() {
		t.Fatal("a new object by the same name waits for the old one's writes")
	}
	s.WroteAt(owner, "u3", pods, "30")
	s.Clear(owner, "")
	if stale() {
		t.Fatal("not cleared")
	}
	seen = ""
	s.WroteAt(owner, "u3", pods, "30")
	if stale() {
		t.Fatal("an unreadable version must count as seen")
	}
}
