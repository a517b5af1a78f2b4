// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"errors"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Handlers only enqueue.

func (c *Controller) addHandlers() error {
	return errors.Join(
		c.cfg.Calls.AddHandler(cache.TypedResourceEventHandlerFuncs[*v1alpha1.GrpcCall]{
			AddFunc: c.enqueueCall,
			UpdateFunc: func(old, current *v1alpha1.GrpcCall) {
				if !slim.Changed(old, current) {
					return
				}
				c.enqueueCall(current)
				if standing(old) != standing(current) || targetOf(old) != targetOf(current) {
					c.enqueueOpen(targetOf(old))
					c.enqueueOpen(targetOf(current))
				}
			},
			DeleteFunc: func(deleted cache.DeletedObject[*v1alpha1.GrpcCall]) {
				c.loop.Enqueue(deleted.GetObjectName())
				if deleted.OptionalObj != nil {
					c.enqueueOpen(targetOf(deleted.OptionalObj))
				}
			},
		}),
		c.cfg.Units.OnChange(func(u *slim.Unit) { c.enqueueOpen(cache.MetaObjectToName(u)) }),
		// A pod has its unit's name.
		c.cfg.Pods.OnChange(func(p *slim.Pod) { c.enqueueOpen(cache.MetaObjectToName(p)) }),
		c.members.AddUnitHandlers(c.cfg.Units, c.enqueueOpen),
	)
}

func (c *Controller) enqueueCall(call *v1alpha1.GrpcCall) {
	c.loop.Enqueue(cache.MetaObjectToName(call))
}

// enqueueOpen wakes the calls of a unit that have no result yet.
func (c *Controller) enqueueOpen(unit cache.ObjectName) {
	for _, call := range c.cfg.Calls.ByIndex(slim.ByTarget, unit.String()) {
		if !finished(call) {
			c.enqueueCall(call)
		}
	}
}
