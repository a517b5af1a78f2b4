// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"errors"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Handlers only enqueue.

func (c *Controller) addHandlers() error {
	return errors.Join(
		c.replications.onChange(func(key cache.ObjectName, units []string) {
			c.loop.Enqueue(key)
			// Another one that lists a unit of it may own that now.
			for _, unit := range units {
				c.enqueueListers(unit)
			}
		}),
		c.unitSets.OnChange(func(set *v1alpha2.UnitSet) { c.enqueueSet(cache.MetaObjectToName(set)) }),
		c.children.Units.OnChange(func(u *slim.Unit) {
			c.enqueueListers(cache.MetaObjectToName(u).String())
			if set := slim.SetOf(u); set != "" {
				c.enqueueSet(cache.NewObjectName(u.Namespace, set))
			}
		}),
		// A pod has its unit's name.
		c.children.Pods.OnChange(func(p *slim.Pod) { c.enqueuePod(p) }),
		c.children.Services.OnChange(func(o *slim.Object) { c.enqueueChild(o) }),
		c.children.Secrets.OnChange(func(o *slim.Object) { c.enqueueChild(o) }),
		c.calls.AddHandler(interlock.Handler(func(units []string) {
			for _, unit := range units {
				c.enqueueListers(unit)
			}
		})),
	)
}

func (c *Controller) enqueueListers(unit string) {
	for _, key := range c.replications.indexed(slim.ByMember, unit) {
		c.loop.Enqueue(key)
	}
}

func (c *Controller) enqueueSet(set cache.ObjectName) {
	for _, key := range c.replications.indexed(slim.ByMemberSet, set.String()) {
		c.loop.Enqueue(key)
	}
}

func (c *Controller) enqueuePod(p *slim.Pod) {
	c.enqueueListers(cache.MetaObjectToName(p).String())
	if set := p.Labels[v1alpha2.LabelUnitSet]; set != "" {
		c.enqueueSet(cache.NewObjectName(p.Namespace, set))
	}
}

// enqueueChild wakes the Replication that made a Service or Secret.
func (c *Controller) enqueueChild(o *slim.Object) {
	if name := o.Labels[v1alpha2.LabelReplication]; name != "" {
		c.loop.Enqueue(cache.NewObjectName(o.Namespace, name))
	}
}
