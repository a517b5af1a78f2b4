// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// Observe implements Roles.
func (c *Client) Observe(ctx context.Context, target Target) (*Observation, error) {
	var out *Observation
	err := c.call(ctx, "Observe", target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		r, err := agentv1.NewRoleServiceClient(conn).Observe(ctx, &agentv1.ObserveRequest{})
		if err != nil {
			return err
		}
		out = fromObservation(r)
		if out.Status.PodUID != target.PodUID {
			return status.Errorf(codes.FailedPrecondition, "pod %s was meant, pod %s answered", target.PodUID, out.Status.PodUID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Promote implements Roles.
func (c *Client) Promote(ctx context.Context, target Target, request PromoteRequest) (*Observation, error) {
	return c.role(ctx, "Promote", target, func(ctx context.Context, roles agentv1.RoleServiceClient) (*agentv1.RoleResponse, error) {
		return roles.Promote(ctx, &agentv1.PromoteRequest{
			Fence: toFence(target, request.Fence), Durability: toDurability(request.Durability), Open: request.Open,
			ServerId: request.ServerID, DataGeneration: request.DataGeneration, Channel: toChannel(request.Channel),
			Timeline: request.Timeline, Slots: request.Slots,
		})
	})
}

// Demote implements Roles.
func (c *Client) Demote(ctx context.Context, target Target, fence RoleFence) (*Observation, error) {
	return c.role(ctx, "Demote", target, func(ctx context.Context, roles agentv1.RoleServiceClient) (*agentv1.RoleResponse, error) {
		return roles.Demote(ctx, &agentv1.DemoteRequest{Fence: toFence(target, fence)})
	})
}

// Follow implements Roles.
func (c *Client) Follow(ctx context.Context, target Target, request FollowRequest) (*Observation, error) {
	return c.role(ctx, "Follow", target, func(ctx context.Context, roles agentv1.RoleServiceClient) (*agentv1.RoleResponse, error) {
		return roles.Follow(ctx, &agentv1.FollowRequest{
			Fence: toFence(target, request.Fence), Upstream: toUpstream(&request.Upstream), Channel: toChannel(request.Channel),
			UpstreamExecuted: request.UpstreamExecuted, DataGeneration: request.DataGeneration, Acknowledge: request.Acknowledge,
		})
	})
}

// Isolate implements Roles.
func (c *Client) Isolate(ctx context.Context, target Target, fence RoleFence) (*Observation, error) {
	return c.role(ctx, "Isolate", target, func(ctx context.Context, roles agentv1.RoleServiceClient) (*agentv1.RoleResponse, error) {
		return roles.Isolate(ctx, &agentv1.IsolateRequest{Fence: toFence(target, fence)})
	})
}

// Release implements Roles.
func (c *Client) Release(ctx context.Context, target Target, fence RoleFence) (*Observation, error) {
	return c.role(ctx, "Release", target, func(ctx context.Context, roles agentv1.RoleServiceClient) (*agentv1.RoleResponse, error) {
		return roles.Release(ctx, &agentv1.ReleaseRequest{Fence: toFence(target, fence)})
	})
}

// role makes one call that changes a role.
func (c *Client) role(ctx context.Context, method string, target Target,
	f func(context.Context, agentv1.RoleServiceClient) (*agentv1.RoleResponse, error)) (*Observation, error) {
	var out *Observation
	err := c.urgent(ctx, method, target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		r, err := f(ctx, agentv1.NewRoleServiceClient(conn))
		out = fromObservation(r.GetObservation())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
