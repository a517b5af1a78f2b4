// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// tracker is where a resource is kept.
func (w *world) tracker(gvr schema.GroupVersionResource) clienttesting.ObjectTracker {
	if gvr.Group == v1alpha2.GroupName {
		return w.upm.Tracker()
	}
	return w.kube.Tracker()
}

var (
	unitSetsGVR   = v1alpha2.SchemeGroupVersion.WithResource("unitsets")
	unitsGVR      = v1alpha2.SchemeGroupVersion.WithResource("units")
	servicesGVR   = corev1.SchemeGroupVersion.WithResource("services")
	configMapsGVR = corev1.SchemeGroupVersion.WithResource("configmaps")
	secretsGVR    = corev1.SchemeGroupVersion.WithResource("secrets")
	revisionsGVR  = appsv1.SchemeGroupVersion.WithResource("controllerrevisions")
	pdbsGVR       = policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
)

func gvrOf(obj runtime.Object) schema.GroupVersionResource {
	switch obj.(type) {
	case *v1alpha2.UnitSet:
		return unitSetsGVR
	case *v1alpha2.Unit:
		return unitsGVR
	case *corev1.Service:
		return servicesGVR
	case *corev1.ConfigMap:
		return configMapsGVR
	case *corev1.Secret:
		return secretsGVR
	case *appsv1.ControllerRevision:
		return revisionsGVR
	case *policyv1.PodDisruptionBudget:
		return pdbsGVR
	default:
		panic(fmt.Sprintf("no resource of %T", obj))
	}
}

// given puts an object into the API server as somebody else does.
func (w *world) given(obj runtime.Object) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	m := accessor(obj)
	w.bump(m)
	tracker, gvr := w.tracker(gvrOf(obj)), gvrOf(obj)
	err := tracker.Update(gvr, obj, m.GetNamespace(), metav1.UpdateOptions{FieldManager: "somebody"})
	if apierrors.IsNotFound(err) {
		m.SetUID(w.newUID())
		err = tracker.Create(gvr, obj, m.GetNamespace(), metav1.CreateOptions{FieldManager: "somebody"})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newUID() types.UID { w.uids++; return types.UID(fmt.Sprintf("uid-%d", w.uids)) }

func (w *world) bump(m metav1.Object) {
	w.version++
	m.SetResourceVersion(strconv.FormatInt(w.version, 10))
}

func accessor(obj runtime.Object) metav1.Object {
	m, err := meta.Accessor(obj)
	if err != nil {
		panic(err)
	}
	return m
}

// react is the API server's side of a write.
func (w *world) react(tracker clienttesting.ObjectTracker) clienttesting.ReactionFunc {
	base := clienttesting.ObjectReaction(tracker)
	return func(action clienttesting.Action) (bool, runtime.Object, error) {
		if v := action.GetVerb(); v == "get" || v == "list" || v == "watch" {
			return false, nil, nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		name, precondition := target(action)
		write := action.GetVerb() + " " + action.GetResource().Resource + "/" + name
		if sub := action.GetSubresource(); sub != "" {
			write += "/" + sub
		}
		w.attempts++
		fails := w.attempts == w.failAt
		if fails && !w.failAfter {
			return true, nil, errInjected
		}
		if w.refuse != nil {
			if err := w.refuse(write); err != nil {
				return true, nil, err
			}
		}
		obj, err := w.write(tracker, base, action, name, precondition)
		if err == nil {
			w.writes = append(w.writes, write)
		}
		if fails {
			return true, nil, errInjected
		}
		return true, obj, err
	}
}

// target of a write, and the UID that it asks for.
func target(action clienttesting.Action) (name string, uid types.UID) {
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		return accessor(a.Object).GetName(), ""
	case clienttesting.UpdateActionImpl:
		return accessor(a.Object).GetName(), accessor(a.Object).GetUID()
	case clienttesting.DeleteActionImpl:
		if p := a.DeleteOptions.Preconditions; p != nil && p.UID != nil {
			uid = *p.UID
		}
		return a.Name, uid
	case clienttesting.PatchActionImpl:
		var body struct {
			Metadata struct{ UID types.UID }
		}
		// A JSON patch is a list, and tests the UID itself.
		_ = json.Unmarshal(a.Patch, &body)
		return a.Name, body.Metadata.UID
	default:
		panic(fmt.Sprintf("no target of %T", action))
	}
}

func (w *world) write(tracker clienttesting.ObjectTracker, base clienttesting.ReactionFunc, action clienttesting.Action, name string, uid types.UID) (runtime.Object, error) {
	gvr, ns := action.GetResource(), action.GetNamespace()
	before, err := tracker.Get(gvr, ns, name)
	if err == nil && uid != "" && accessor(before).GetUID() != uid {
		return nil, apierrors.NewConflict(gvr.GroupResource(), name, errors.New("the UID differs"))
	}
	if err != nil && uid != "" {
		return nil, apierrors.NewNotFound(gvr.GroupResource(), name)
	}
	if action.GetVerb() == "delete" {
		if before == nil || err != nil {
			return nil, apierrors.NewNotFound(gvr.GroupResource(), name)
		}
		if m := accessor(before); len(m.GetFinalizers()) > 0 {
			m.SetDeletionTimestamp(new(metav1.NewTime(w.clock.Now())))
			return w.store(tracker, gvr, before)
		}
		return nil, tracker.Delete(gvr, ns, name)
	}
	if update, ok := action.(clienttesting.UpdateActionImpl); ok && err == nil {
		if v := accessor(update.Object).GetResourceVersion(); v != "" && v != accessor(before).GetResourceVersion() {
			return nil, apierrors.NewConflict(gvr.GroupResource(), name, errors.New("the object has been modified"))
		}
	}
	if create, ok := action.(clienttesting.CreateActionImpl); ok {
		create.Object = create.Object.DeepCopyObject()
		accessor(create.Object).SetUID(w.newUID())
		w.bump(accessor(create.Object))
		action = create
	}
	_, after, err := base(action)
	if err != nil || action.GetVerb() == "create" {
		return after, err
	}
	m := accessor(after)
	if before == nil || accessor(before).GetName() == "" {
		m.SetUID(w.newUID())
	} else if equality.Semantic.DeepEqual(before, after) {
		return after, nil
	}
	if m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0 {
		return after, tracker.Delete(gvr, ns, name)
	}
	return w.store(tracker, gvr, after)
}

func (w *world) store(tracker clienttesting.ObjectTracker, gvr schema.GroupVersionResource, obj runtime.Object) (runtime.Object, error) {
	w.bump(accessor(obj))
	return obj, tracker.Update(gvr, obj, accessor(obj).GetNamespace(), metav1.UpdateOptions{FieldManager: "apiserver"})
}
