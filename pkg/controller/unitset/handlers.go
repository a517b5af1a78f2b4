// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Handlers only enqueue.

func (c *Controller) addHandlers(packageInformers []cache.SharedInformer) error {
	errs := []error{
		c.cfg.UnitSets.OnChange(func(set *v1alpha2.UnitSet) { c.loop.Enqueue(cache.MetaObjectToName(set)) }),
		c.cfg.Children.Units.OnChange(func(u *slim.Unit) { c.enqueueOwner(u) }),
		c.replications.AddHandlers(func(names, sets []string) {
			c.enqueueMembers(names)
			for _, set := range sets {
				if key, err := cache.ParseObjectName(set); err == nil {
					c.loop.Enqueue(key)
				}
			}
		}),
		c.cfg.Calls.AddHandler(interlock.Handler(c.enqueueMembers)),
	}
	for _, informer := range []*slim.Informer[*slim.Object]{
		c.cfg.Children.Services, c.cfg.Children.ConfigMaps, c.cfg.Children.Revisions, c.cfg.Children.Disruptions,
	} {
		errs = append(errs, informer.OnChange(func(o *slim.Object) { c.enqueueOwner(o) }))
	}
	for _, informer := range packageInformers {
		_, err := informer.AddEventHandler(slim.OnAny(c.enqueueAll))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// enqueueOwner of a child.
func (c *Controller) enqueueOwner(obj metav1.Object) {
	if key, found := slim.Owner(c.cfg.UnitSets, controllerKind, v1alpha2.LabelUnitSet, obj); found {
		c.loop.Enqueue(key)
	}
}

// enqueueMembers wakes the sets of units that a Replication lists or a call is for,
// by the units' names: a Replication may list units that do not exist yet.
func (c *Controller) enqueueMembers(members []string) {
	for _, member := range members {
		namespace, unit, _ := strings.Cut(member, "/")
		i := strings.LastIndex(unit, "-")
		if i < 0 {
			continue
		}
		key := cache.NewObjectName(namespace, unit[:i])
		if _, found := c.cfg.UnitSets.Get(key); found {
			c.loop.Enqueue(key)
		}
	}
}

// enqueueAll wakes every set: any may wait for a package, or have a newer one
// available.
func (c *Controller) enqueueAll() {
	for _, set := range c.cfg.UnitSets.List() {
		c.loop.Enqueue(cache.MetaObjectToName(set))
	}
}
