// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

// Reasons and actions of events about children.
const (
	ActionCreate = "Create"
	actionDelete = "Delete"
)

// Paused says whether an owner's annotation asks that nothing be written to its
// children. Its status is kept up to date.
func Paused(owner metav1.Object) bool {
	return owner.GetAnnotations()[v1alpha2.AnnotationPaused] == "true"
}

// PausedWhile is what the condition of that name says: what does not happen meanwhile.
func PausedWhile(what string) findings.Finding {
	return findings.New(v1alpha2.ConditionPaused, "%s while the annotation %s is \"true\"", what, v1alpha2.AnnotationPaused)
}

// Writer writes for one controller, whose owners are of type O.
type Writer[O metav1.Object] struct {
	// Events of the controller.
	Events findings.Recorder

	kind    schema.GroupVersionKind
	manager string
	wrote   *consistency.Store
	// taken are names that were found to belong to somebody else: what has them is
	// looked at before the next try to create.
	taken sync.Map
}

// NewWriter that writes under the name of a field manager for owners of a kind, and
// remembers what it wrote.
func NewWriter[O metav1.Object](manager string, kind schema.GroupVersionKind, wrote *consistency.Store, events findings.Recorder) *Writer[O] {
	return &Writer[O]{Events: events, kind: kind, manager: manager, wrote: wrote}
}

// Record that an object was seen that is newer than the caches may be. The owner is
// not synced before they have it, too.
func (w *Writer[O]) Record(owner O, resource schema.GroupResource, obj metav1.Object) {
	w.wrote.WroteAt(cache.MetaObjectToName(owner), owner.GetUID(), resource, obj.GetResourceVersion())
}

func (w *Writer[O]) patchOptions() metav1.PatchOptions {
	return metav1.PatchOptions{FieldManager: w.manager}
}

// Client is what is used of a typed client.
type Client[T metav1.Object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error)
	Update(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// Kind of objects that are written: its name in messages, and the resource by which the
// consistency store knows it.
type Kind struct {
	Name     string
	Resource schema.GroupResource
}

// Children of one type.
type Children[O, T metav1.Object] struct {
	Kind
	// Ours says whether an object that the owner does not control may be the owner's
	// all the same; nil for never.
	Ours func(owner O, obj metav1.Object) bool
	// Hint for people about an object of somebody else that has a child's name; nil for
	// none.
	Hint func(owner O, obj metav1.Object) string

	w      *Writer[O]
	client func(namespace string) Client[T]
}

// Of makes the Children that a typed client writes.
func Of[O, T metav1.Object, C Client[T]](w *Writer[O], kind Kind, client func(namespace string) C) Children[O, T] {
	return Children[O, T]{Kind: kind, w: w, client: func(namespace string) Client[T] { return client(namespace) }}
}

func (c Children[O, T]) of(owner O) Client[T] { return c.client(owner.GetNamespace()) }

// log one line per write.
func (c Children[O, T]) log(ctx context.Context, did, name string, keysAndValues ...any) {
	klog.FromContext(ctx).V(2).Info(did, append([]any{"kind", c.Name, "name", name}, keysAndValues...)...) //nolint:logcheck // What was done is a constant of each caller.
}
