// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"slices"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

// finished says whether a call has its result.
func finished(call *v1alpha1.GrpcCall) bool { return call.Status.Result != "" }

// targetOf a call.
func targetOf(call *v1alpha1.GrpcCall) cache.ObjectName {
	return cache.NewObjectName(call.Namespace, call.Spec.TargetUnit)
}

// place in the queue.
type place int

const (
	out place = iota
	waiting
	running
)

// standing of a call in the queue of its unit.
func standing(call *v1alpha1.GrpcCall) place {
	switch {
	case interlock.InProgress(call):
		return running
	case finished(call), call.DeletionTimestamp != nil, child.Paused(call):
		return out
	}
	return waiting
}

// queue of a call: what runs now, and who waits before it, in their order.
type queue struct {
	running *v1alpha1.GrpcCall
	before  []*v1alpha1.GrpcCall
}

// position of the call; 1 is the next, 0 is nobody before it.
func (q queue) position() int {
	if q.running == nil && len(q.before) == 0 {
		return 0
	}
	return len(q.before) + 1
}

// queueOf a call among all calls of its unit.
func queueOf(call *v1alpha1.GrpcCall, all []*v1alpha1.GrpcCall) queue {
	var q queue
	for _, other := range all {
		if other.UID == call.UID {
			continue
		}
		switch standing(other) {
		case running:
			if q.running == nil || interlock.Compare(other, q.running) < 0 {
				q.running = other
			}
		case waiting:
			if interlock.Compare(other, call) < 0 {
				q.before = append(q.before, other)
			}
		}
	}
	slices.SortFunc(q.before, interlock.Compare)
	return q
}
