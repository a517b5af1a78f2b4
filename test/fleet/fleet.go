// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Options of a fleet.
type Options struct {
	// Config reaches the API server as an administrator.
	Config *rest.Config
	// Network has the pods' addresses. This machine must have all of them: those below
	// 127.0.0.0/8 it has, others by "ip route add local NETWORK dev lo".
	Network netip.Prefix
	// Nodes are made, each for PodsPerNode pods. Default 1 node for 250 pods.
	Nodes, PodsPerNode int
	// Namespace whose pods and claims are the fleet's; all if empty.
	Namespace string
	// Schedule: pods are bound by the fleet, round robin. Leave it out where a scheduler
	// runs.
	Schedule bool
	// Leases of the nodes are renewed, for where the node lifecycle controller runs.
	Leases bool
	// SlowShare of the agents, from 0 to 1, answers each call after SlowBy.
	SlowShare float64
	SlowBy    time.Duration
}

// Fleet is what runs. Stop it by ending the context that it was started with, and Wait.
type Fleet struct {
	options Options
	kube    kubernetes.Interface
	pods    cache.SharedIndexInformer
	claims  cache.SharedIndexInformer
	queue   workqueue.TypedRateLimitingInterface[item]
	agents  *agents
	wg      sync.WaitGroup

	mu   sync.Mutex
	next netip.Addr
	turn int
}

// item of the queue: a pod or a claim.
type item struct {
	kind string
	key  cache.ObjectName
}

const (
	kindPod   = "pod"
	kindClaim = "claim"
	// workers that report pods and bind claims.
	workers = 32
)

// Start makes the nodes and runs until ctx ends. It returns once pods can be made.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.PodsPerNode == 0 {
		o.PodsPerNode = 250
	}
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst = -1, 0
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	f := &Fleet{
		options: o, kube: kube, next: o.Network.Addr().Next(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[item]()),
	}
	f.agents = newAgents(o, kube, func(pod types.NamespacedName) {
		f.queue.Add(item{kindPod, cache.NewObjectName(pod.Namespace, pod.Name)})
	})
	if err := f.makeNodes(ctx); err != nil {
		return nil, fmt.Errorf("making nodes: %w", err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(o.Namespace), informers.WithTransform(withoutManagedFields))
	f.pods, f.claims = factory.Core().V1().Pods().Informer(), factory.Core().V1().PersistentVolumeClaims().Informer()
	for kind, informer := range map[string]cache.SharedIndexInformer{kindPod: f.pods, kindClaim: f.claims} {
		enqueue := func(obj any) {
			if name, err := cache.DeletionHandlingObjectToName(obj); err == nil {
				f.queue.Add(item{kind, name})
			}
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: enqueue, UpdateFunc: func(_, obj any) { enqueue(obj) }, DeleteFunc: enqueue,
		}); err != nil {
			return nil, err
		}
	}
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), f.pods.HasSynced, f.claims.HasSynced) {
		return nil, errors.New("the pods were not listed")
	}
	if o.Leases {
		f.wg.Go(func() { f.renewLeases(ctx) })
	}
	for range workers {
		f.wg.Go(func() {
			for f.work(ctx) {
			}
		})
	}
	f.wg.Go(func() {
		<-ctx.Done()
		f.queue.ShutDown()
		f.agents.stop()
		factory.Shutdown()
	})
	return f, nil
}

// Wait until everything has ended after the context did.
func (f *Fleet) Wait() { f.wg.Wait() }

func (f *Fleet) work(ctx context.Context) bool {
	it, quit := f.queue.Get()
	if quit {
		return false
	}
	defer f.queue.Done(it)
	sync := f.syncPod
	if it.kind == kindClaim {
		sync = f.syncClaim
	}
	if err := sync(ctx, it.key); err != nil {
		// A conflict or an API server that is busy: it is tried again.
		f.queue.AddRateLimited(it)
		return true
	}
	f.queue.Forget(it)
	return true
}

// address for the next pod.
func (f *Fleet) address() (netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ip := f.next
	if !f.options.Network.Contains(ip) {
		return ip, fmt.Errorf("network %s has no address left", f.options.Network)
	}
	f.next = ip.Next()
	return ip, nil
}

// node for a pod, round robin.
func (f *Fleet) node() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn++
	return nodeName(f.turn % f.options.Nodes)
}

// withoutManagedFields are objects a third as large.
func withoutManagedFields(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return obj, nil
}

// Ready says whether a pod is.
func Ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
