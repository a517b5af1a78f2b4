// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"errors"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// ByUnitSet finds what carries the label unit-operator.io/unitset: Units, Services,
// ConfigMaps and ControllerRevisions. Its values are "<namespace>/<unitset>".
const ByUnitSet = "unitset"

const managed = v1alpha2.LabelManaged + "=true"

// +k8s:deepcopy-gen=false

// Informers are all that the controllers share.
type Informers struct {
	Pods        *Informer[*Pod]
	Units       *Informer[*Unit]
	Claims      *Informer[*Claim]
	Services    *Informer[*Object]
	ConfigMaps  *Informer[*Object]
	Secrets     *Informer[*Object]
	Revisions   *Informer[*Object]
	Disruptions *Informer[*Object]

	// NewUnits, NewConfigMaps and NewRevisions keep whole ones for a moment. nil keeps
	// none.
	NewUnits      *Recent[*v1alpha2.Unit]
	NewConfigMaps *Recent[*corev1.ConfigMap]
	NewRevisions  *Recent[*appsv1.ControllerRevision]
}

// NewInformers makes the informers of the namespaces given; AllNamespaces for all.
// Nothing is watched before Run.
func NewInformers(kube kubernetes.Interface, upm versioned.Interface, namespaces []string) (*Informers, error) {
	i := &Informers{
		NewUnits:      NewRecent[*v1alpha2.Unit](time.Now),
		NewConfigMaps: NewRecent[*corev1.ConfigMap](time.Now),
		NewRevisions:  NewRecent[*appsv1.ControllerRevision](time.Now),
	}
	ofSet, core := LabelIndexes[*Object](), kube.CoreV1()
	return i, errors.Join(
		informer(&i.Pods, namespaces, &corev1.Pod{}, nil, converted(FromPod), managed, kube, core.Pods),
		informer(&i.Units, namespaces, &v1alpha2.Unit{}, LabelIndexes[*Unit](), func(obj any) (*Unit, error) {
			i.NewUnits.Came(obj)
			return converted(FromUnit)(obj)
		}, "", upm, upm.UpmV1alpha2().Units),
		informer(&i.Claims, namespaces, &corev1.PersistentVolumeClaim{}, nil, converted(FromClaim), managed, kube, core.PersistentVolumeClaims),
		informer(&i.Services, namespaces, &corev1.Service{}, ofSet, i.object, managed, kube, core.Services),
		informer(&i.ConfigMaps, namespaces, &corev1.ConfigMap{}, ofSet, i.object, managed, kube, core.ConfigMaps),
		informer(&i.Secrets, namespaces, &corev1.Secret{}, nil, i.object, managed, kube, core.Secrets),
		informer(&i.Revisions, namespaces, &appsv1.ControllerRevision{}, ofSet, i.object, managed, kube, kube.AppsV1().ControllerRevisions),
		informer(&i.Disruptions, namespaces, &policyv1.PodDisruptionBudget{}, nil, i.object, managed, kube, kube.PolicyV1().PodDisruptionBudgets),
	)
}

// informer of the objects that a selector finds through a typed client.
func informer[T Type, L runtime.Object, C lister[L]](into **Informer[T], namespaces []string, example runtime.Object, index map[string]func(T) []string, convert func(obj any) (T, error), selector string, clientset any, client func(namespace string) C) (err error) {
	*into, err = newInformer(source[T]{
		namespaces: namespaces, example: example, index: index, convert: convert,
		listWatch: func(ns string) cache.ListerWatcher { return listWatch[L](selector, clientset, client(ns)) },
	})
	return err
}

func (i *Informers) object(obj any) (*Object, error) {
	m, ok := obj.(metav1.Object)
	if !ok {
		return nil, errWrongType
	}
	i.NewConfigMaps.Came(obj)
	i.NewRevisions.Came(obj)
	return FromObject(m)
}

// Run watches until ctx ends.
func (i *Informers) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, run := range []func(context.Context){
		i.Pods.Run, i.Units.Run, i.Claims.Run, i.Services.Run, i.ConfigMaps.Run, i.Secrets.Run, i.Revisions.Run, i.Disruptions.Run,
	} {
		wg.Go(func() { run(ctx) })
	}
	wg.Wait()
}

// HasSynced is true once all were listed.
func (i *Informers) HasSynced() bool {
	return i.Pods.HasSynced() && i.Units.HasSynced() && i.Claims.HasSynced() && i.Services.HasSynced() &&
		i.ConfigMaps.HasSynced() && i.Secrets.HasSynced() && i.Revisions.HasSynced() && i.Disruptions.HasSynced()
}

// LabelIndexes are the indexes of the informers here that have one.
func LabelIndexes[T Type]() map[string]func(T) []string {
	return map[string]func(T) []string{ByUnitSet: func(obj T) []string {
		set := obj.GetLabels()[v1alpha2.LabelUnitSet]
		if set == "" {
			return nil
		}
		return []string{obj.GetNamespace() + "/" + set}
	}}
}

// lister is the part of a typed client that an informer needs.
type lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// listWatch lists and watches through a typed client. The clientset is passed too,
// so that a fake one can say that it does not stream lists.
func listWatch[L runtime.Object](selector string, clientset any, c lister[L]) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.LabelSelector = selector
			return c.List(ctx, opts)
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = selector
			return c.Watch(ctx, opts)
		},
	}, clientset)
}
