// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// unitService answers the operator.
type unitService struct {
	agentv1.UnimplementedUnitServiceServer
	env    engine.Env
	store  *state.Store
	keeper *state.Keeper
	status *statusReader

	// opened is closed when the journal was read, or cannot be.
	opened chan struct{}
	// stopping is closed when the agent ends: no stream goes on after it.
	stopping <-chan struct{}
}

func newUnitService(ctx context.Context, env engine.Env, store *state.Store, reader *statusReader) *unitService {
	return &unitService{env: env, store: store, keeper: state.NewKeeper(env, store), status: reader, opened: make(chan struct{}), stopping: ctx.Done()}
}

func (s *unitService) GetStatus(ctx context.Context, _ *agentv1.GetStatusRequest) (*agentv1.GetStatusResponse, error) {
	return s.read(ctx)
}

func (s *unitService) Apply(ctx context.Context, request *agentv1.ApplyRequest) (*agentv1.ApplyResponse, error) {
	if err := validateApply(request); err != nil {
		return nil, err
	}
	if _, _, err := s.fencedChange(ctx, request.GetFence(), request, func(d *state.Desired) error {
		if c := request.GetConfiguration(); c != nil {
			if err := s.store.WriteConfig(c.GetHash(), configFiles(c)); err != nil {
				if errors.Is(err, state.ErrConfigConflict) {
					return status.Error(codes.InvalidArgument, err.Error())
				}
				return status.Errorf(codes.Internal, "storing the configuration: %v", err)
			}
		}
		first := !d.Applied
		*d = applied(*d, request)
		if first && !s.isOpen() {
			*d = d.SetHold(holdUnread, true)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	response, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return &agentv1.ApplyResponse{Status: response}, nil
}

func (s *unitService) SetHold(ctx context.Context, request *agentv1.SetHoldRequest) (*agentv1.SetHoldResponse, error) {
	if err := checkHold(request.GetName(), request.GetFence()); err != nil {
		return nil, err
	}
	if _, _, err := s.fencedChange(ctx, request.GetFence(), request, func(d *state.Desired) error {
		if request.GetName() == state.HoldUpgrade && request.GetFence().GetSeq() == 0 {
			return status.Error(codes.InvalidArgument, "hold upgrade: a seq is required, so that a delayed call takes no later one back")
		}
		*d = d.SetHold(request.GetName(), request.GetHeld())
		return nil
	}); err != nil {
		return nil, err
	}
	response, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return &agentv1.SetHoldResponse{Status: response}, nil
}

// holdUnread keeps the server of a new pod down while the journal on its data volume has
// not been read: an operation that an earlier pod has not ended may need it so.
const holdUnread = state.HoldOperationPrefix + "unread-journal"

// liftInterval is how often it is tried to lift that hold: a full state directory tells
// nobody that it has room again.
const liftInterval = 5 * time.Second

func (s *unitService) isOpen() bool {
	select {
	case <-s.opened:
		return true
	default:
		return false
	}
}

// open reads the journal, and lifts what was to wait for that.
func (s *unitService) open(ctx context.Context, read func()) {
	read()
	close(s.opened)
	lift := func() error {
		return s.keeper.ChangeDesired(ctx, func(d *state.Desired) { *d = d.SetHold(holdUnread, false) })
	}
	if err := lift(); err != nil {
		klog.FromContext(ctx).Error(err, "The hold of an unread journal is not lifted yet, trying again", "hold", holdUnread)
		go func() {
			for err != nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(liftInterval):
					err = lift()
				}
			}
		}()
	}
}

func (s *unitService) read(ctx context.Context) (*agentv1.GetStatusResponse, error) {
	response, err := s.status.read(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return response, nil
}

// fenced runs a change of something else, after its fence was checked and stored. It
// holds no lock meanwhile: a data volume that hangs must not keep a hold off. Calls of
// operations have ids, and need no order.
func (s *unitService) fenced(ctx context.Context, fence *agentv1.Fence, do func() error) error {
	if _, _, err := s.fencedChange(ctx, fence, nil, func(*state.Desired) error { return nil }); err != nil {
		return err
	}
	return do()
}

// fencedChange checks the fence of a call and runs its change of desired.json, at once
// and durably; after is what is desired then. A call that is the last one again is a
// retry: what it wanted is on disk, and do is not called.
//
// Nothing in it touches the data volume: a fence is for the volume that hangs, too.
func (s *unitService) fencedChange(ctx context.Context, fence *agentv1.Fence, request proto.Message, do func(*state.Desired) error) (after state.Desired, retry bool, err error) {
	digest := ""
	if request != nil {
		if digest, err = digestOf(request); err != nil {
			return after, false, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	var before state.Desired
	after, err = s.keeper.Change(ctx, func(d *state.Desired) error {
		before = *d
		if err := checkFence(fence, s.env.PodUID, s.env.UID, d); err != nil {
			return err
		}
		if request != nil {
			if retry, err = checkOrder(fence, digest, d); err != nil || retry {
				return err
			}
		}
		raise(d, fence, digest)
		return do(d)
	})
	if err != nil {
		return after, false, callError(err)
	}
	s.prune(ctx, before.ConfigHash, after.ConfigHash)
	return after, retry, nil
}

// callError puts an error into the protocol's words unless it is.
func callError(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

// prune removes configurations that nobody needs any more: not the next start,
// nor a supervise that has just read the state before, nor the running server.
func (s *unitService) prune(ctx context.Context, before, next string) {
	keep := []string{before, next}
	observed, err := s.store.Observed()
	if err == nil {
		if observed != nil {
			keep = append(keep, observed.RunningConfigHash)
		}
		err = s.store.PruneConfigs(keep...)
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "Old configurations cannot be removed")
	}
}
