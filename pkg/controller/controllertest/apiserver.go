// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubefake "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"

	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
)

// Namespace of the objects of tests.
const Namespace = "ns"

// ErrInjected is what the write numbered FailAt ends with.
var ErrInjected = errors.New("the API server went away")

// APIServer keeps objects as an API server does: with UIDs, resourceVersions,
// generations, preconditions, finalizers and graceful deletion of pods.
type APIServer struct {
	Kube *kubefake.Clientset
	Upm  *upmfake.Clientset

	// Attempts at writes so far. The one numbered FailAt fails with ErrInjected, after
	// it took effect if FailAfter is set.
	Attempts, FailAt int
	FailAfter        bool
	// Refuse makes a write, such as "patch units/orders-0/status", fail if it returns
	// an error.
	Refuse func(write string) error
	// Writes that took effect, in the same words.
	Writes []string
	// Guarded demands that every patch says which UID and resourceVersion it means, and
	// every deletion which UID.
	Guarded bool

	t       testing.TB
	clock   clock.PassiveClock
	mu      sync.Mutex
	version int64
	uids    int
}

// NewAPIServer with nothing in it.
func NewAPIServer(t testing.TB, c clock.PassiveClock) *APIServer {
	s := &APIServer{Kube: kubefake.NewClientset(), Upm: upmfake.NewSimpleClientset(), t: t, clock: c}
	s.Kube.PrependReactor("*", "*", s.react(s.Kube.Tracker()))
	s.Upm.PrependReactor("*", "*", s.react(s.Upm.Tracker()))
	return s
}

// Given puts an object into the server as somebody else does.
func (s *APIServer) Given(obj runtime.Object) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := accessor(obj)
	s.bump(m)
	tracker, gvr := s.of(obj)
	err := tracker.Update(gvr, obj, m.GetNamespace(), metav1.UpdateOptions{FieldManager: "somebody"})
	if apierrors.IsNotFound(err) {
		s.born(m)
		err = tracker.Create(gvr, obj, m.GetNamespace(), metav1.CreateOptions{FieldManager: "somebody"})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Delete an object as a user does: it stays, marked, as long as it has finalizers.
func (s *APIServer) Delete(obj runtime.Object) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	tracker, gvr := s.of(obj)
	if err := s.remove(tracker, gvr, obj, nil); err != nil {
		s.t.Fatal(err)
	}
}

// ForceDelete a pod as a user does with --force: without a grace period.
func (s *APIServer) ForceDelete(pod *corev1.Pod) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	tracker, gvr := s.of(pod)
	if err := s.remove(tracker, gvr, pod, new(int64(0))); err != nil {
		s.t.Fatal(err)
	}
}

// Erase an object at once, whatever it has.
func (s *APIServer) Erase(obj runtime.Object) {
	s.t.Helper()
	tracker, gvr := s.of(obj)
	if err := tracker.Delete(gvr, accessor(obj).GetNamespace(), accessor(obj).GetName()); err != nil {
		s.t.Fatal(err)
	}
}

// Bump gives an object a resourceVersion that nothing has had.
func (s *APIServer) Bump(m metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bump(m)
}

// Written are the writes since the last call.
func (s *APIServer) Written() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.Writes
	s.Writes = nil
	return out
}

func (s *APIServer) bump(m metav1.Object) {
	s.version++
	m.SetResourceVersion(strconv.FormatInt(s.version, 10))
}

// born is what an object has from its creation.
func (s *APIServer) born(m metav1.Object) {
	s.uids++
	m.SetUID(types.UID(fmt.Sprintf("uid-%d", s.uids)))
	if created := m.GetCreationTimestamp(); created.IsZero() {
		m.SetCreationTimestamp(metav1.NewTime(s.clock.Now()))
	}
}

// react is the server's side of a write.
func (s *APIServer) react(tracker clienttesting.ObjectTracker) clienttesting.ReactionFunc {
	base := clienttesting.ObjectReaction(tracker)
	return func(action clienttesting.Action) (bool, runtime.Object, error) {
		if v := action.GetVerb(); v == "get" || v == "list" || v == "watch" {
			return false, nil, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		to := targetOf(action)
		write := action.GetVerb() + " " + action.GetResource().Resource + "/" + to.name
		if sub := action.GetSubresource(); sub != "" {
			write += "/" + sub
		}
		s.Attempts++
		fails := s.Attempts == s.FailAt
		if fails && !s.FailAfter {
			return true, nil, ErrInjected
		}
		if s.Refuse != nil {
			if err := s.Refuse(write); err != nil {
				return true, nil, err
			}
		}
		obj, err := s.write(tracker, base, action, to)
		if err == nil {
			s.Writes = append(s.Writes, write)
		}
		if fails {
			return true, nil, ErrInjected
		}
		return true, obj, err
	}
}

// target of a write: the object that it means, and the state of it.
type target struct {
	name    string
	uid     types.UID
	version string
}

func targetOf(action clienttesting.Action) target {
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		return target{name: accessor(a.Object).GetName()}
	case clienttesting.UpdateActionImpl:
		m := accessor(a.Object)
		return target{m.GetName(), m.GetUID(), m.GetResourceVersion()}
	case clienttesting.DeleteActionImpl:
		to := target{name: a.Name}
		if p := a.DeleteOptions.Preconditions; p != nil && p.UID != nil {
			to.uid = *p.UID
		}
		return to
	case clienttesting.PatchActionImpl:
		var body struct {
			Metadata struct {
				UID             types.UID
				ResourceVersion string
			}
		}
		// A JSON patch is a list, and tests the UID itself.
		_ = json.Unmarshal(a.Patch, &body)
		return target{a.Name, body.Metadata.UID, body.Metadata.ResourceVersion}
	default:
		panic(fmt.Sprintf("no target of %T", action))
	}
}

// check is what the server has against a write, before it looks at what it says.
func (s *APIServer) check(verb string, resource schema.GroupResource, to target, before metav1.Object) error {
	conflict := func(why string) error { return apierrors.NewConflict(resource, to.name, errors.New(why)) }
	unguarded := to.uid == "" || verb == "patch" && to.version == ""
	switch {
	case verb == "create":
		return nil
	case before == nil && (to.uid != "" || verb == "delete"):
		return apierrors.NewNotFound(resource, to.name)
	case before == nil:
		return nil
	case s.Guarded && unguarded:
		return conflict("the write does not say what it means: UID, and for a patch resourceVersion")
	case to.uid != "" && before.GetUID() != to.uid && verb == "patch":
		return apierrors.NewInvalid(schema.GroupKind{Group: resource.Group, Kind: resource.Resource}, to.name,
			field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), to.uid, "field is immutable")})
	case to.uid != "" && before.GetUID() != to.uid:
		return conflict("the UID differs")
	case to.version != "" && before.GetResourceVersion() != to.version:
		return conflict("the object has been modified")
	}
	return nil
}

func (s *APIServer) write(tracker clienttesting.ObjectTracker, base clienttesting.ReactionFunc, action clienttesting.Action, to target) (runtime.Object, error) {
	gvr, ns := action.GetResource(), action.GetNamespace()
	before, err := tracker.Get(gvr, ns, to.name)
	if err != nil {
		before = nil
	}
	if err := s.check(action.GetVerb(), gvr.GroupResource(), to, accessorOrNil(before)); err != nil {
		return nil, err
	}
	switch a := action.(type) {
	case clienttesting.DeleteActionImpl:
		return nil, s.remove(tracker, gvr, before, a.DeleteOptions.GracePeriodSeconds)
	case clienttesting.CreateActionImpl:
		a.Object = a.Object.DeepCopyObject()
		s.born(accessor(a.Object))
		s.bump(accessor(a.Object))
		_, after, err := base(a)
		return after, err
	}
	_, after, err := base(action)
	if err != nil {
		return after, err
	}
	m := accessor(after)
	switch {
	case before == nil:
		// Apply creates.
		s.born(m)
	case equality.Semantic.DeepEqual(before, after):
		return after, nil
	case !equality.Semantic.DeepEqual(specOf(before), specOf(after)):
		m.SetGeneration(m.GetGeneration() + 1)
	}
	if m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0 {
		return after, tracker.Delete(gvr, ns, to.name)
	}
	return after, s.store(tracker, gvr, after)
}

// remove an object, or mark it: a pod that runs goes by its kubelet, what has
// finalizers with the last of them. A pod's deletion is marked with the time at which
// its grace period ends; another one can only shorten that.
func (s *APIServer) remove(tracker clienttesting.ObjectTracker, gvr schema.GroupVersionResource, obj runtime.Object, grace *int64) error {
	m := accessor(obj)
	pod, isPod := obj.(*corev1.Pod)
	runs := isPod && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded && pod.Spec.NodeName != ""
	switch {
	case !runs:
		grace = new(int64(0))
	case grace == nil && pod.Spec.TerminationGracePeriodSeconds != nil:
		grace = pod.Spec.TerminationGracePeriodSeconds
	case grace == nil:
		grace = new(int64(corev1.DefaultTerminationGracePeriodSeconds))
	}
	if before := m.GetDeletionGracePeriodSeconds(); m.GetDeletionTimestamp() != nil && (before == nil || *before <= *grace) {
		return nil
	}
	if *grace == 0 && len(m.GetFinalizers()) == 0 {
		return tracker.Delete(gvr, m.GetNamespace(), m.GetName())
	}
	m.SetDeletionTimestamp(new(metav1.NewTime(s.clock.Now().Add(time.Duration(*grace) * time.Second))))
	m.SetDeletionGracePeriodSeconds(grace)
	return s.store(tracker, gvr, obj)
}

func (s *APIServer) store(tracker clienttesting.ObjectTracker, gvr schema.GroupVersionResource, obj runtime.Object) error {
	s.bump(accessor(obj))
	return tracker.Update(gvr, obj, accessor(obj).GetNamespace(), metav1.UpdateOptions{FieldManager: "apiserver"})
}

func accessor(obj runtime.Object) metav1.Object {
	m, err := meta.Accessor(obj)
	if err != nil {
		panic(err)
	}
	return m
}

func accessorOrNil(obj runtime.Object) metav1.Object {
	if obj == nil {
		return nil
	}
	return accessor(obj)
}
