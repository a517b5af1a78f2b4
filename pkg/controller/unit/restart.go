// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// announced says whether the stored status tells calls that the pod is being
// replaced, so that none starts any more.
func (s *state) announced() bool { return interlock.Restarting(s.unit.Status.Conditions) }

// mayOperate says whether an operation may be running in the pod: its agent has run
// and runs on, or is being restarted. One that never came up, or fails again and
// again, does nothing that a restart could disturb. Whether the server answers does
// not matter: a restore stops it.
func mayOperate(pod *slim.Pod, node nodeState) bool {
	if pod == nil || node.Gone {
		return false
	}
	agent := pod.Container(podspec.AgentContainer)
	if agent == nil || failure(agent) != "" {
		return false
	}
	return agent.State.Running != nil || agent.State.Terminated != nil || agent.LastTerminationState.Terminated != nil
}

// operation that may be running in the pod, in words for people; empty for none.
func (c *Controller) operation(s *state) string {
	if !mayOperate(s.pod, s.node) {
		return ""
	}
	return interlock.Describe(interlock.Holder(c.cfg.Calls.ByIndex(slim.ByTarget, cache.MetaObjectToName(s.unit).String())))
}

// readOperation is operation as the API server knows it now.
func (c *Controller) readOperation(ctx context.Context, s *state) (string, error) {
	if !mayOperate(s.pod, s.node) {
		return "", nil
	}
	call, err := interlock.ReadHolder(ctx, c.control.upm.UpmV1alpha1().GrpcCalls(s.unit.Namespace), s.unit.Name)
	if err != nil {
		return "", err
	}
	if call != nil {
		// The next sync is when the cache has it too.
		c.control.Record(s.unit, callsResource, call)
	}
	return interlock.Describe(call), nil
}

// announce that the pod is being replaced. It is deleted by the next sync, when the
// status that says so is stored.
func (c *Controller) announce(ctx context.Context, s *state) error {
	// The cache may lag behind what the pod was made from.
	if _, err := c.readUnit(ctx, s); err != nil {
		return err
	}
	s.statusFirst = true
	return nil
}
