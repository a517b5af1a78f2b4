// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Handlers only enqueue, and forget connections.

func (c *Controller) addHandlers(packageInformers []cache.SharedInformer) error {
	errs := []error{
		c.cfg.Children.Units.OnChange(func(u *slim.Unit) { c.loop.Enqueue(cache.MetaObjectToName(u)) }),
		c.cfg.Children.Pods.OnChange((func(p *slim.Pod) {
			c.enqueueOwner(p)
			if held(p) && p.DeletionTimestamp != nil {
				// Whether its Unit is there or not.
				c.loop.Enqueue(cache.MetaObjectToName(p))
			}
		})),
		c.cfg.Children.Pods.AddHandler(cache.TypedResourceEventHandlerFuncs[*slim.Pod]{
			DeleteFunc: func(deleted cache.DeletedObject[*slim.Pod]) {
				if deleted.OptionalObj != nil {
					c.cfg.Agents.Forget(deleted.OptionalObj.UID)
				}
			},
		}),
		c.cfg.Children.Claims.OnChange(func(p *slim.Claim) { c.enqueueOwner(p) }),
		c.cfg.Children.Secrets.OnChange(func(o *slim.Object) { c.enqueueOwner(o) }),
		c.cfg.Children.ConfigMaps.OnChange((func(o *slim.Object) {
			// Those of a set wake the Unit as references.
			if _, _, ofUnit := ownerref.Controller(o, controllerKind); ofUnit {
				c.enqueueOwner(o)
			}
		})),
		c.members.AddUnitHandlers(c.cfg.Children.Units, c.loop.Enqueue),
		c.cfg.Calls.AddHandler(interlock.Handler(c.enqueueTargets)),
		c.cfg.Nodes.AddHandler(c.nodeHandler()),
	}
	for _, informer := range packageInformers {
		_, err := informer.AddEventHandler(slim.OnAny(c.enqueueStandalone))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// nodeHandler looks only at what matters: a node that comes or goes, falls silent or
// reports again, or is taken out of service.
func (c *Controller) nodeHandler() cache.TypedResourceEventHandlerFuncs[*slim.Node] {
	return cache.TypedResourceEventHandlerFuncs[*slim.Node]{
		AddFunc: func(added *slim.Node) { c.enqueueNode(added.Name) },
		UpdateFunc: func(old, current *slim.Node) {
			if old.Ready != current.Ready || old.OutOfService != current.OutOfService {
				c.enqueueNode(current.Name)
			}
		},
		DeleteFunc: func(deleted cache.DeletedObject[*slim.Node]) { c.enqueueNode(deleted.GetName()) },
	}
}

// enqueueNode wakes the Units that are, or were last, on a node or bound to it, and
// those whose pods have lost their Unit.
func (c *Controller) enqueueNode(name string) {
	for _, u := range c.cfg.Children.Units.List() {
		if u.NodeName == name || u.Status.NodeName == name || u.Status.LastPod != nil && u.Status.LastPod.NodeName == name {
			c.loop.Enqueue(cache.MetaObjectToName(u))
		}
	}
	for _, p := range c.cfg.Children.Pods.List() {
		if p.NodeName == name && p.DeletionTimestamp != nil && held(p) {
			c.loop.Enqueue(cache.MetaObjectToName(p))
		}
	}
}

// enqueueOwner of a child.
func (c *Controller) enqueueOwner(obj metav1.Object) {
	if key, found := slim.Owner(c.cfg.Children.Units, controllerKind, v1alpha2.LabelUnit, obj); found {
		c.loop.Enqueue(key)
	}
}

// enqueueTargets wakes the Units that a call is for.
func (c *Controller) enqueueTargets(units []string) {
	for _, unit := range units {
		if key, err := cache.ParseObjectName(unit); err == nil {
			c.loop.Enqueue(key)
		}
	}
}

// enqueueStandalone wakes the Units that packages matter to: those of a set have
// theirs pinned by its revision.
func (c *Controller) enqueueStandalone() {
	for _, u := range c.cfg.Children.Units.List() {
		if !ofSet(u) {
			c.loop.Enqueue(cache.MetaObjectToName(u))
		}
	}
}
