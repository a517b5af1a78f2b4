// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agenttls"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// Port of the agent's gRPC server.
const Port = 2214

// CallTimeout of one call: short, for a worker waits for it.
const CallTimeout = 5 * time.Second

// RoleCallTimeout bounds a call that changes a role or fences: a demotion may have to
// kill a server and see it gone. Callers with less time set an earlier deadline.
const RoleCallTimeout = 15 * time.Second

// holdFence is the hold that a Replication fences with.
const holdFence = "fence"

// Options of a client.
type Options struct {
	// Operator is who calls, and who checks the agents.
	Operator *agenttls.Operator
	// Dialer reaches pods.
	Dialer Dialer
	// Clock is clock.RealClock outside tests.
	Clock clock.PassiveClock
	// Observe, if set, is told of every call.
	Observe func(method, code string, took time.Duration)
	// Overtaken, if set, is called for each call that was refused because the agent had
	// accepted a later one, by which. A leader whose term is below proves that it leads,
	// and raises its term above.
	Overtaken func(by Order)
}

// Client is the Interface over gRPC.
type Client struct {
	pool      *pool
	clock     clock.PassiveClock
	observe   func(method, code string, took time.Duration)
	overtaken func(Order)
}

var (
	_ Interface = &Client{}
	_ Roles     = &Client{}
)

// New makes a client. Close ends its connections.
func New(o Options) *Client {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	if o.Overtaken == nil {
		o.Overtaken = func(Order) {}
	}
	return &Client{pool: newPool(o.Operator, o.Dialer, o.Clock), clock: o.Clock, observe: o.Observe, overtaken: o.Overtaken}
}

// Close ends every connection.
func (c *Client) Close() { c.pool.close() }

// Forget drops the connection to a pod that is gone.
func (c *Client) Forget(podUID types.UID) { c.pool.forget(podUID) }

// Status implements Interface.
func (c *Client) Status(ctx context.Context, target Target) (*Status, error) {
	var out *Status
	err := c.call(ctx, "GetStatus", target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		r, err := agentv1.NewUnitServiceClient(conn).GetStatus(ctx, &agentv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		out = fromStatus(r)
		if out.PodUID != target.PodUID {
			// Its certificate is the unit's, but the unit has another pod at this
			// address by now.
			return status.Errorf(codes.FailedPrecondition, "pod %s was meant, pod %s answered", target.PodUID, out.PodUID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Apply implements Interface.
func (c *Client) Apply(ctx context.Context, target Target, request ApplyRequest) (*Status, error) {
	var out *Status
	err := c.call(ctx, "Apply", target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		r, err := agentv1.NewUnitServiceClient(conn).Apply(ctx, toApply(target, request))
		out = fromStatus(r.GetStatus())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SetHold implements Interface.
func (c *Client) SetHold(ctx context.Context, target Target, hold Hold) (*Status, error) {
	var out *Status
	call := c.call
	if hold.Name == holdFence {
		call = c.urgent
	}
	err := call(ctx, "SetHold", target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		f := fence(target, hold.Epoch, hold.Generation)
		f.ReplicationUid, f.Term, f.Seq = string(hold.ReplicationUID), hold.Term, hold.Seq
		r, err := agentv1.NewUnitServiceClient(conn).SetHold(ctx, &agentv1.SetHoldRequest{Fence: f, Name: hold.Name, Held: hold.Held})
		out = fromStatus(r.GetStatus())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// call runs f on a connection to target, within the deadline.
func (c *Client) call(ctx context.Context, method string, target Target, f func(context.Context, grpc.ClientConnInterface) error) error {
	return c.run(ctx, method, target, CallTimeout, c.pool.get, f)
}

// urgent is call for what fences a server or changes its role: it dials although the
// agent is backing off, and it may take as long as the caller's own deadline.
func (c *Client) urgent(ctx context.Context, method string, target Target, f func(context.Context, grpc.ClientConnInterface) error) error {
	return c.run(ctx, method, target, RoleCallTimeout, c.pool.getNow, f)
}

func (c *Client) run(ctx context.Context, method string, target Target, timeout time.Duration,
	get func(Target) (grpc.ClientConnInterface, error), f func(context.Context, grpc.ClientConnInterface) error) error {
	if target.PodIP == "" && target.Pod == "" {
		return &Error{Class: Unavailable, Target: target, Err: errors.New("it has no pod yet")}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := c.clock.Now()
	conn, err := get(target)
	if err == nil {
		err = f(ctx, conn)
		c.pool.report(target, err)
	}
	c.observe(method, status.Code(err).String(), c.clock.Since(start))
	if later := laterThan(err); later != nil {
		c.overtaken(*later)
	}
	return classify(target, err)
}
