// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

func TestCheckFence(t *testing.T) {
	fence := func(pod, unit string, epoch, generation int64) *agentv1.Fence {
		return &agentv1.Fence{PodUid: pod, UnitUid: unit, Epoch: epoch, UnitGeneration: generation}
	}
	stored := &state.Desired{PodUID: "pod", UnitUID: "unit", Epoch: 5, UnitGeneration: 8}
	for _, tc := range []struct {
		name   string
		fence  *agentv1.Fence
		stored *state.Desired
		want   codes.Code
	}{
		{"no fence at all", nil, stored, codes.InvalidArgument},
		{"no pod uid", fence("", "unit", 5, 0), stored, codes.InvalidArgument},
		{"no unit uid", fence("pod", "", 5, 0), stored, codes.InvalidArgument},
		{"neither epoch nor generation", fence("pod", "unit", 0, 0), stored, codes.InvalidArgument},
		{"a negative epoch", fence("pod", "unit", -1, 8), stored, codes.InvalidArgument},
		{"a negative generation", fence("pod", "unit", 5, -1), stored, codes.InvalidArgument},
		{"another pod", fence("other", "unit", 9, 9), stored, codes.FailedPrecondition},
		{"another unit", fence("pod", "other", 9, 9), stored, codes.FailedPrecondition},
		{"an older epoch", fence("pod", "unit", 4, 0), stored, codes.FailedPrecondition},
		{"the same epoch", fence("pod", "unit", 5, 0), stored, codes.OK},
		{"a newer epoch", fence("pod", "unit", 6, 0), stored, codes.OK},
		{"an older generation", fence("pod", "unit", 0, 7), stored, codes.FailedPrecondition},
		{"the same generation, no epoch: the unit's level knows none", fence("pod", "unit", 0, 8), stored, codes.OK},
		{"a newer generation", fence("pod", "unit", 0, 9), stored, codes.OK},
		{"a newer generation does not make up for an older epoch", fence("pod", "unit", 4, 9), stored, codes.FailedPrecondition},
		{"a newer epoch does not make up for an older generation", fence("pod", "unit", 6, 7), stored, codes.FailedPrecondition},
		{"nothing stored yet", fence("pod", "unit", 1, 0), nil, codes.OK},
		{"nothing stored yet, another pod", fence("other", "unit", 1, 0), nil, codes.FailedPrecondition},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := status.Code(checkFence(tc.fence, "pod", "unit", tc.stored)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestCheckHold(t *testing.T) {
	for _, tc := range []struct {
		name              string
		hold              string
		epoch, generation int64
		want              codes.Code
	}{
		{"a fence by a Replication", "fence", 1, 0, codes.OK},
		{"a fence without an epoch", "fence", 0, 1, codes.InvalidArgument},
		{"an upgrade by the UnitSet", "upgrade", 0, 1, codes.OK},
		{"an upgrade without a generation", "upgrade", 1, 0, codes.InvalidArgument},
		{"startup goes through Apply", "startup", 0, 1, codes.InvalidArgument},
		{"an operation", "operation:abc", 1, 0, codes.OK},
		{"an operation without an id", "operation:", 1, 0, codes.InvalidArgument},
		{"any other name", "because", 1, 1, codes.InvalidArgument},
		{"no name", "", 1, 1, codes.InvalidArgument},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := status.Code(checkHold(tc.hold, &agentv1.Fence{Epoch: tc.epoch, UnitGeneration: tc.generation})); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
