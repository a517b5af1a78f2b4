// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/roles"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// capabilityRoles says that the agent has RoleService.
const capabilityRoles = "roles"

const (
	// observeRoleTimeout bounds what Observe asks the server, silentTimeout the same of one
	// that has not answered the question of the status. Both questions of a server that hangs
	// are over well before the caller gives up, to whom the agent itself would seem to be gone.
	observeRoleTimeout = 2 * time.Second
	silentTimeout      = time.Second
	// maxAsking is how many observations may hang.
	maxAsking = 8
	// maxChannelPassword is what MySQL takes for a channel; PostgreSQL is kept to it too.
	maxChannelPassword = 32
)

// roleService lets the owning Replication at the manager of roles.
type roleService struct {
	agentv1.UnimplementedRoleServiceServer
	unit    *unitService
	manager *roles.Manager
	// operations has what takes long.
	operations *operations.Manager
	// asking counts the observations that have not come back.
	asking atomic.Int32
}

func (s *roleService) Observe(ctx context.Context, _ *agentv1.ObserveRequest) (*agentv1.ObserveResponse, error) {
	status, err := s.unit.read(ctx)
	if err != nil {
		return nil, err
	}
	response := &agentv1.ObserveResponse{Status: status, ObservedAt: timestamppb.Now()}
	var observation engine.Replication
	switch fenced := slices.Contains(status.GetHolds(), state.HoldFence); {
	case status.GetStopProof() != nil && s.unit.status.volume.hangs():
		err = errors.New("the server is proven down, and the data volume does not answer")
	case status.GetStopProof() == nil && fenced:
		observation, err = s.ask(ctx, fencedTimeout)
	case status.GetServer().GetState() == agentv1.ServerState_SERVER_STATE_STARTING:
		observation, err = s.ask(ctx, silentTimeout)
	default:
		observation, err = s.ask(ctx, observeRoleTimeout)
	}
	if err != nil {
		response.Error = err.Error()
	}
	replicationMessage(observation, response)
	response.FreeBytes, response.TotalBytes = s.unit.status.volume.space()
	response.Busy = s.operations.Replacing()
	return response, nil
}

// ask asks the server, or looks at the files of one that is stopped. Those may hang with
// the volume, and must not keep back the proof that it is down.
func (s *roleService) ask(ctx context.Context, timeout time.Duration) (engine.Replication, error) {
	type answer struct {
		observation engine.Replication
		err         error
	}
	if s.asking.Add(1) > maxAsking {
		s.asking.Add(-1)
		return engine.Replication{}, errors.New("earlier questions to the server, or looks at its files, have not come back")
	}
	askContext, cancel := context.WithTimeout(ctx, timeout)
	answers := make(chan answer, 1)
	go func() {
		defer cancel()
		defer s.asking.Add(-1)
		a := answer{err: errPanicked}
		defer func() {
			if p := recover(); p != nil {
				klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "An observation has panicked", "stack", string(debug.Stack()))
			}
			answers <- a
		}()
		a.observation, a.err = s.manager.Observe(askContext)
	}()
	select {
	case a := <-answers:
		return a.observation, a.err
	case <-time.After(timeout + timeout/4):
		return engine.Replication{}, context.DeadlineExceeded
	}
}

func (s *roleService) Promote(ctx context.Context, r *agentv1.PromoteRequest) (*agentv1.RoleResponse, error) {
	if err := validDurability(r.GetDurability()); err != nil {
		return nil, err
	}
	if err := validChannel(r.GetChannel()); err != nil {
		return nil, err
	}
	return s.answer(ctx, s.manager.Promote(ctx, s.unit.commit(r.GetFence(), r), roles.Promotion{
		Durability: durabilityFrom(r.GetDurability()), Open: r.GetOpen(), ServerID: r.GetServerId(),
		DataGeneration: r.GetDataGeneration(), Channel: channelFrom(r.GetChannel()),
		Timeline: r.GetTimeline(), Slots: r.GetSlots(),
	}))
}

func (s *roleService) Demote(ctx context.Context, r *agentv1.DemoteRequest) (*agentv1.RoleResponse, error) {
	return s.vote(ctx, s.manager.Demote(ctx, s.unit.commit(r.GetFence(), r)))
}

func (s *roleService) Follow(ctx context.Context, r *agentv1.FollowRequest) (*agentv1.RoleResponse, error) {
	upstream := r.GetUpstream()
	if upstream.GetHost() == "" || upstream.GetPort() < 1 || upstream.GetPort() > 65535 || upstream.GetUser() == "" {
		return nil, status.Error(codes.InvalidArgument, "upstream: host, port (1 to 65535) and user are required")
	}
	if r.GetChannel() != nil && r.GetChannel().GetUser() != upstream.GetUser() {
		return nil, status.Error(codes.InvalidArgument, "channel: its user is the upstream's user")
	}
	if err := validChannel(r.GetChannel()); err != nil {
		return nil, err
	}
	return s.answer(ctx, s.manager.Follow(ctx, s.unit.commit(r.GetFence(), r), roles.Following{
		Upstream: *upstreamFrom(upstream), Channel: channelFrom(r.GetChannel()), UpstreamExecuted: r.GetUpstreamExecuted(),
		DataGeneration: r.GetDataGeneration(), Acknowledge: r.GetAcknowledge(),
	}))
}

func (s *roleService) Isolate(ctx context.Context, r *agentv1.IsolateRequest) (*agentv1.RoleResponse, error) {
	return s.vote(ctx, s.manager.Isolate(ctx, s.unit.commit(r.GetFence(), r)))
}

func (s *roleService) Release(ctx context.Context, r *agentv1.ReleaseRequest) (*agentv1.RoleResponse, error) {
	return s.answer(ctx, s.manager.Release(ctx, s.unit.commit(r.GetFence(), r)))
}

// commit records what a call of the owner wants, in the order of its calls.
func (s *unitService) commit(fence *agentv1.Fence, request proto.Message) roles.Commit {
	return func(ctx context.Context, change func(*state.Desired) error) (state.Desired, error) {
		if fence.GetReplicationUid() == "" {
			return state.Desired{}, status.Error(codes.InvalidArgument, "fence: replication_uid is required, roles belong to the Replication")
		}
		var refused error
		after, _, err := s.fencedChange(ctx, fence, request, func(d *state.Desired) error {
			d.Record.ReplicationUID, d.Record.Epoch = fence.GetReplicationUid(), fence.GetEpoch()
			d.Record.Term, d.Record.Seq = fence.GetTerm(), fence.GetSeq()
			refused = change(d)
			return refused
		})
		if refused != nil {
			return after, refused
		}
		return after, err
	}
}

// answer is what was observed after the call had its effect.
func (s *roleService) answer(ctx context.Context, err error) (*agentv1.RoleResponse, error) {
	if err != nil {
		return nil, roleError(err)
	}
	observation, err := s.Observe(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &agentv1.RoleResponse{Observation: observation}, nil
}

// vote is answer for calls by which others decide: where the server has come to stands in
// it, read after it was closed or stopped receiving, unless it is proven down.
func (s *roleService) vote(ctx context.Context, err error) (*agentv1.RoleResponse, error) {
	response, err := s.answer(ctx, err)
	if o := response.GetObservation(); err == nil && !o.GetAnswered() && o.GetStatus().GetStopProof() == nil {
		return nil, roleError(fmt.Errorf("%w: the server has not said where it has come to: %s", engine.ErrNotYet, o.GetError()))
	}
	return response, err
}

func validDurability(d *agentv1.Durability) error {
	switch {
	case d.GetW() < 0:
		return status.Error(codes.InvalidArgument, "durability: w must not be negative")
	case d.GetMode() == agentv1.DurabilityMode_DURABILITY_MODE_SYNC && (d.GetW() < 1 || int(d.GetW()) > len(d.GetMembers())):
		return status.Errorf(codes.InvalidArgument, "durability: w is %d, it must be 1 to %d, the number of members", d.GetW(), len(d.GetMembers()))
	}
	return nil
}

func validChannel(c *agentv1.ChannelAccount) error {
	switch {
	case c == nil:
		return nil
	case c.GetUser() == "" || len(c.GetPassword()) == 0:
		return status.Error(codes.InvalidArgument, "channel: user and password are required")
	case len(c.GetPassword()) > maxChannelPassword:
		return status.Errorf(codes.InvalidArgument, "channel: the password has %d characters, MySQL takes %d at most for a channel", len(c.GetPassword()), maxChannelPassword)
	}
	return nil
}

// roleError has the protocol's code for an error.
func roleError(err error) error {
	switch {
	case errors.Is(err, engine.ErrWouldLose):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, roles.ErrRefused), errors.Is(err, engine.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, roles.ErrUnsupported):
		return status.Error(codes.Unimplemented, err.Error())
	case errors.Is(err, roles.ErrOtherServer):
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, operations.ErrBusy):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, engine.ErrNotYet), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// Not Unavailable: the agent has answered, and clients must not back off.
		return status.Error(codes.Unknown, err.Error())
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, err.Error())
}
