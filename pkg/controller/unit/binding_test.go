// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"slices"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// The pod outlives the object of its node: PodGC lets it stand for up to a minute,
// and for ever where there is no PodGC.
func TestAUnitIsReleasedOnceFromANodeThatIsGoneThoughItsPodIsNot(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) { u.Spec.UnbindNode = new(false) }))
	w.live()
	w.said()
	w.Written()
	if err := w.nodes.Unset(w.nodes.List()[0]); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := w.sync(); err != nil {
			t.Fatal(err)
		}
	}
	if writes := w.Written(); len(writes) > 2 {
		t.Errorf("%d writes: %v", len(writes), writes)
	}
	if u := w.unit(); u.Spec.NodeName != "" || u.Annotations[v1alpha2.AnnotationBoundNode] != "" {
		t.Errorf("bound to %q, annotation %q", u.Spec.NodeName, u.Annotations[v1alpha2.AnnotationBoundNode])
	}
	released := slices.DeleteFunc(w.said(), func(e string) bool { return !strings.Contains(e, v1alpha2.ReasonUnbound) })
	if len(released) != 1 {
		t.Errorf("said %v", released)
	}
}

func TestANodeThatTheUserNamedStays(t *testing.T) {
	w := newWorld(t, newUnit(func(u *v1alpha2.Unit) {
		u.Spec.UnbindNode, u.Spec.NodeName = new(false), "to-come"
	}))
	w.settle()
	if got := w.unit().Spec.NodeName; got != "to-come" {
		t.Errorf("spec.nodeName is %q", got)
	}
	if a := w.pod().Spec.Affinity; a == nil || a.NodeAffinity == nil {
		t.Errorf("the pod may go anywhere: %+v", a)
	}
}
