// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// bindingPlan is what becomes of a Unit's binding to a node.
type bindingPlan struct {
	// bind to this node; release says why it is released. Both empty: nothing.
	bind, release string
}

// planBinding: a unit with unbindNode false stays on the node its pod was first
// scheduled on, for as long as that node exists. A name in spec.nodeName that is not
// the recorded one is the user's and stays, whether such a node exists or not. A pod
// outlives the object of its node for a while: nothing is bound to that one again.
func planBinding(unit *slim.Unit, pod *slim.Pod, node nodeState) bindingPlan {
	recorded := unit.Annotations[v1alpha2.AnnotationBoundNode]
	switch {
	case unit.UnbindNode:
		if recorded != "" {
			return bindingPlan{release: "unbindNode is true"}
		}
	case unit.NodeName != "":
		if recorded == unit.NodeName && !node.Bound {
			return bindingPlan{release: "the node does not exist any more"}
		}
	case pod != nil && pod.DeletionTimestamp == nil && pod.NodeName != "" && !node.Gone:
		return bindingPlan{bind: pod.NodeName}
	}
	return bindingPlan{}
}

// syncBinding writes the binding. A pod that is made later gets it as a required
// affinity, so that the scheduler still sees volumes and taints.
func (c *Controller) syncBinding(ctx context.Context, s *state) error {
	plan := planBinding(s.unit, s.pod, s.node)
	annotation := func(value any) map[string]any { return child.Annotation(v1alpha2.AnnotationBoundNode, value) }
	spec := func(node any) map[string]any { return map[string]any{"spec": map[string]any{"nodeName": node}} }
	switch {
	case plan.bind != "":
		if err := c.control.patchUnit(ctx, s.unit, annotation(plan.bind), spec(plan.bind)); err != nil {
			return err
		}
		c.control.Events.Normal(s.unit, v1alpha2.ReasonBound, actionBind, "Bound to node %s (unbindNode is false)", plan.bind)
		return errWritten
	case plan.release != "":
		node := s.unit.Annotations[v1alpha2.AnnotationBoundNode]
		var released map[string]any
		// A name that is not the recorded one is the user's.
		if s.unit.NodeName == node {
			released = spec(nil)
		}
		if err := c.control.patchUnit(ctx, s.unit, annotation(nil), released); err != nil {
			return err
		}
		c.control.Events.Normal(s.unit, v1alpha2.ReasonUnbound, actionBind, "Released from node %s: %s", node, plan.release)
		return errWritten
	}
	return nil
}
