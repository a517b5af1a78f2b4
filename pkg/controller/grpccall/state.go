// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// state is what one sync knows of a call.
type state struct {
	// call is shared with the cache; status is the one being made.
	call   *v1alpha1.GrpcCall
	status v1alpha1.GrpcCallStatus
	memory *memory
	// unit is nil if there is none. pod is its pod, nil unless an agent runs in it.
	unit *slim.Unit
	pod  *slim.Pod

	// events to write once the status is stored.
	events []func()
	// again is when to look again though nothing changed; 0 for never.
	again time.Duration
}

// retryAfter makes the sync run again after d, unless sooner is asked for.
func (s *state) retryAfter(d time.Duration) {
	if s.again == 0 || d < s.again {
		s.again = max(d, time.Millisecond)
	}
}

// observe reads from caches what there is of a call.
func (c *Controller) observe(call *v1alpha1.GrpcCall) *state {
	s := &state{call: call, status: *call.Status.DeepCopy(), memory: c.memory(call)}
	if unit, ok := c.cfg.Units.Get(targetOf(call)); ok {
		s.unit = unit
		pod, ok := c.cfg.Pods.Get(targetOf(call))
		if _, up := slim.AgentUp(pod); ok && up && ownerref.ControlledBy(pod, unit) {
			s.pod = pod
		}
	}
	return s
}

func (s *state) target() agentclient.Target { return slim.AgentOf(s.unit, s.pod) }

// ref of the operation. Its id is the call's UID for ever.
func (s *state) ref() agentclient.OperationRef {
	return agentclient.OperationRef{
		ID: string(s.call.UID), JournalID: s.status.Operation.JournalID, Generation: s.unit.Generation,
	}
}

// member is the membership of the unit, from caches.
func (c *Controller) member(s *state) membership.Membership {
	if s.unit == nil {
		return membership.Membership{}
	}
	return c.members.Of(membership.Of(s.unit))
}
