// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
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

// Names of the indexes. Their values are "<namespace>/<name>".
const (
	// ByUnit finds what carries the label unit-operator.io/unit.
	ByUnit = "unit"
	// ByUnitSet finds what carries the label unit-operator.io/unitset.
	ByUnitSet = "unitset"
)

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
	i := Informers{
		NewUnits:      NewRecent[*v1alpha2.Unit](time.Now),
		NewConfigMaps: NewRecent[*corev1.ConfigMap](time.Now),
		NewRevisions:  NewRecent[*appsv1.ControllerRevision](time.Now),
	}
	var err error
	make1 := func(f func() error) {
		if err == nil {
			err = f()
		}
	}
	make1(func() (err error) {
		i.Pods, err = newInformer(source[*Pod]{
			namespaces: namespaces, example: &corev1.Pod{}, convert: converted(FromPod), index: labelIndexes[*Pod](),
			listWatch: func(ns string) cache.ListerWatcher { return listWatch(managed, kube, kube.CoreV1().Pods(ns)) },
		})
		return err
	})
	make1(func() (err error) {
		i.Units, err = newInformer(source[*Unit]{
			namespaces: namespaces, example: &v1alpha2.Unit{}, index: labelIndexes[*Unit](),
			convert: func(obj any) (*Unit, error) {
				i.NewUnits.Came(obj)
				return converted(FromUnit)(obj)
			},
			listWatch: func(ns string) cache.ListerWatcher { return listWatch("", upm, upm.UpmV1alpha2().Units(ns)) },
		})
		return err
	})
	make1(func() (err error) {
		i.Claims, err = newInformer(source[*Claim]{
			namespaces: namespaces, example: &corev1.PersistentVolumeClaim{}, convert: converted(FromClaim), index: labelIndexes[*Claim](),
			listWatch: func(ns string) cache.ListerWatcher {
				return listWatch(managed, kube, kube.CoreV1().PersistentVolumeClaims(ns))
			},
		})
		return err
	})
	object := func(into **Informer[*Object], example runtime.Object, lw func(ns string) cache.ListerWatcher) {
		make1(func() (err error) {
			*into, err = newInformer(source[*Object]{
				namespaces: namespaces, example: example, index: labelIndexes[*Object](), listWatch: lw,
				convert: func(obj any) (*Object, error) {
					m, ok := obj.(metav1.Object)
					if !ok {
						return nil, errWrongType
					}
					i.NewConfigMaps.Came(obj)
					i.NewRevisions.Came(obj)
					return FromObject(m)
				},
			})
			return err
		})
	}
	object(&i.Services, &corev1.Service{}, func(ns string) cache.ListerWatcher { return listWatch(managed, kube, kube.CoreV1().Services(ns)) })
	object(&i.ConfigMaps, &corev1.ConfigMap{}, func(ns string) cache.ListerWatcher { return listWatch(managed, kube, kube.CoreV1().ConfigMaps(ns)) })
	object(&i.Secrets, &corev1.Secret{}, func(ns string) cache.ListerWatcher { return listWatch(managed, kube, kube.CoreV1().Secrets(ns)) })
	object(&i.Revisions, &appsv1.ControllerRevision{}, func(ns string) cache.ListerWatcher {
		return listWatch(managed, kube, kube.AppsV1().ControllerRevisions(ns))
	})
	object(&i.Disruptions, &policyv1.PodDisruptionBudget{}, func(ns string) cache.ListerWatcher {
		return listWatch(managed, kube, kube.PolicyV1().PodDisruptionBudgets(ns))
	})
	return &i, err
}

// Run watches until ctx ends.
func (i *Informers) Run(ctx context.Context) {
	done := make(chan struct{}, 8)
	for _, run := range []func(context.Context){
		i.Pods.Run, i.Units.Run, i.Claims.Run, i.Services.Run, i.ConfigMaps.Run, i.Secrets.Run, i.Revisions.Run, i.Disruptions.Run,
	} {
		go func() {
			run(ctx)
			done <- struct{}{}
		}()
	}
	for range cap(done) {
		<-done
	}
}

// HasSynced is true once all were listed.
func (i *Informers) HasSynced() bool {
	return i.Pods.HasSynced() && i.Units.HasSynced() && i.Claims.HasSynced() && i.Services.HasSynced() &&
		i.ConfigMaps.HasSynced() && i.Secrets.HasSynced() && i.Revisions.HasSynced() && i.Disruptions.HasSynced()
}

// LabelIndexes are the indexes of every informer here, for tests' NewStatic.
func LabelIndexes[T Type]() map[string]func(T) []string { return labelIndexes[T]() }

func labelIndexes[T Type]() map[string]func(T) []string {
	by := func(label string) func(T) []string {
		return func(obj T) []string {
			name := obj.GetLabels()[label]
			if name == "" {
				return nil
			}
			return []string{obj.GetNamespace() + "/" + name}
		}
	}
	return map[string]func(T) []string{ByUnit: by(v1alpha2.LabelUnit), ByUnitSet: by(v1alpha2.LabelUnitSet)}
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
