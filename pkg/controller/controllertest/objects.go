// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	upmscheme "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/scheme"
)

var allKinds = runtime.NewScheme()

func init() {
	utilruntime.Must(scheme.AddToScheme(allKinds))
	utilruntime.Must(upmscheme.AddToScheme(allKinds))
}

func kindOf(obj runtime.Object) schema.GroupVersionKind {
	kinds, _, err := allKinds.ObjectKinds(obj)
	if err != nil {
		panic(err)
	}
	return kinds[0]
}

// Resource of an object, such as units.
func Resource(obj runtime.Object) string {
	gvr, _ := meta.UnsafeGuessKindToResource(kindOf(obj))
	return gvr.Resource
}

// of says where objects of the kind are kept.
func (s *APIServer) of(obj runtime.Object) (clienttesting.ObjectTracker, schema.GroupVersionResource) {
	gvr, _ := meta.UnsafeGuessKindToResource(kindOf(obj))
	if gvr.Group == v1alpha2.GroupName {
		return s.Upm.Tracker(), gvr
	}
	return s.Kube.Tracker(), gvr
}

// specOf is what raises an object's generation; nil for kinds that have none.
func specOf(obj runtime.Object) any {
	switch o := obj.(type) {
	case *v1alpha2.UnitSet:
		return o.Spec
	case *v1alpha2.Unit:
		return o.Spec
	case *v1alpha1.GrpcCall:
		return o.Spec
	case *v1alpha1.MysqlReplication:
		return o.Spec
	default:
		return nil
	}
}

// none is an object of the kind with nothing in it.
func none[T runtime.Object]() T { return reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T) }

// All that the server has of a kind.
func All[T runtime.Object](s *APIServer) []T {
	s.t.Helper()
	tracker, gvr := s.of(none[T]())
	l, err := tracker.List(gvr, kindOf(none[T]()), metav1.NamespaceAll)
	if err != nil {
		s.t.Fatal(err)
	}
	items, err := meta.ExtractList(l)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []T
	for _, item := range items {
		out = append(out, item.(T))
	}
	return out
}

// Get an object by its name.
func Get[T runtime.Object](s *APIServer, name string) (T, bool) {
	tracker, gvr := s.of(none[T]())
	obj, err := tracker.Get(gvr, Namespace, name)
	if err != nil {
		return none[T](), false
	}
	return obj.(T), true
}

// Must is Get for an object without which the test cannot go on.
func Must[T runtime.Object](s *APIServer, name string) T {
	s.t.Helper()
	obj, ok := Get[T](s, name)
	if !ok {
		s.t.Fatalf("%s %s does not exist", Resource(obj), name)
	}
	return obj
}

// Current state of an object of the same kind and name; nil if there is none.
func (s *APIServer) Current(obj runtime.Object) metav1.Object {
	m := accessor(obj)
	tracker, gvr := s.of(obj)
	now, err := tracker.Get(gvr, m.GetNamespace(), m.GetName())
	if err != nil {
		return nil
	}
	return accessor(now)
}

// Edit an object as a user does.
func Edit[T runtime.Object](s *APIServer, name string, edit func(T)) {
	s.t.Helper()
	obj := Must[T](s, name)
	spec := specOf(obj.DeepCopyObject())
	edit(obj)
	if !equality.Semantic.DeepEqual(spec, specOf(obj)) {
		m := accessor(obj)
		m.SetGeneration(m.GetGeneration() + 1)
	}
	s.Given(obj)
}

// Show an informer what is there, oldest change first, as a watch does.
func Show[T slim.Type](s *APIServer, informer *slim.Informer[T], objs []T) {
	s.t.Helper()
	there := map[cache.ObjectName]bool{}
	for _, obj := range objs {
		there[cache.MetaObjectToName(obj)] = true
	}
	for _, obj := range informer.List() {
		if !there[cache.MetaObjectToName(obj)] {
			Hide(s, informer, obj)
		}
	}
	versionOf := func(obj T) int64 { n, _ := strconv.ParseInt(obj.GetResourceVersion(), 10, 64); return n }
	slices.SortFunc(objs, func(a, b T) int { return cmp.Compare(versionOf(a), versionOf(b)) })
	for _, obj := range objs {
		if err := informer.Set(obj); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Hide from an informer an object that is gone: the event of a deletion has a
// resourceVersion of its own.
func Hide[T slim.Type](s *APIServer, informer *slim.Informer[T], obj T) {
	s.t.Helper()
	last := obj.DeepCopyObject().(T)
	s.Bump(last)
	if err := informer.Unset(last); err != nil {
		s.t.Fatal(err)
	}
}

// Managed are the objects that the informers' label selector lets through.
func Managed[T metav1.Object](objs []T) []T {
	var out []T
	for _, obj := range objs {
		if obj.GetLabels()[v1alpha2.LabelManaged] == "true" {
			out = append(out, obj)
		}
	}
	return out
}

// SlimObjects are the managed ones as informers keep them.
func SlimObjects[T metav1.Object](t testing.TB, objs []T) []*slim.Object {
	t.Helper()
	var out []*slim.Object
	for _, obj := range Managed(objs) {
		o, err := slim.FromObject(obj)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// Anonymous takes from an object what differs from run to run.
func Anonymous(obj runtime.Object) {
	m := accessor(obj)
	m.SetManagedFields(nil)
	m.SetUID("")
	m.SetResourceVersion("")
	m.SetGeneration(0)
	m.SetCreationTimestamp(metav1.Time{})
	var refs []metav1.OwnerReference
	for _, ref := range m.GetOwnerReferences() {
		ref.UID = ""
		refs = append(refs, ref)
	}
	m.SetOwnerReferences(refs)
}
