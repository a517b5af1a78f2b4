// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"maps"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
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
	files  state.Files

	// stopping is closed when the agent ends: no stream goes on after it.
	stopping <-chan struct{}
}

func newUnitService(ctx context.Context, env engine.Env, store *state.Store, reader *statusReader, files state.Files) *unitService {
	return &unitService{env: env, store: store, keeper: state.NewKeeper(env, store), status: reader, files: files, stopping: ctx.Done()}
}

func (s *unitService) GetStatus(ctx context.Context, _ *agentv1.GetStatusRequest) (*agentv1.GetStatusResponse, error) {
	return s.read(ctx)
}

func (s *unitService) Apply(ctx context.Context, request *agentv1.ApplyRequest) (*agentv1.ApplyResponse, error) {
	if err := validateApply(request); err != nil {
		return nil, err
	}
	if err := s.change(ctx, request.GetFence(), func(d *state.Desired) error {
		hash := request.GetConfiguration().GetHash()
		if err := s.store.WriteConfig(hash, configFiles(request)); err != nil {
			if errors.Is(err, state.ErrConfigConflict) {
				return status.Error(codes.InvalidArgument, err.Error())
			}
			return status.Errorf(codes.Internal, "storing the configuration: %v", err)
		}
		*d = applied(*d, request)
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
	if err := s.change(ctx, request.GetFence(), func(d *state.Desired) error {
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

func (s *unitService) read(ctx context.Context) (*agentv1.GetStatusResponse, error) {
	response, err := s.status.read(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return response, nil
}

// fenced runs a change of something else, after its fence was checked and stored. It
// holds no lock meanwhile: a data volume that hangs must not keep a hold off.
func (s *unitService) fenced(ctx context.Context, fence *agentv1.Fence, do func() error) error {
	if err := s.change(ctx, fence, func(*state.Desired) error { return nil }); err != nil {
		return err
	}
	return do()
}

// change runs one fenced, serialised, durable change of desired.json.
func (s *unitService) change(ctx context.Context, fence *agentv1.Fence, do func(*state.Desired) error) error {
	if err := journal.Ensure(s.files, s.env.AgentDir()); err != nil {
		// Operations need it and say so. A hold does not: it matters most where the
		// volume fails.
		klog.FromContext(ctx).Error(err, "There is no journal")
	}
	var before state.Desired
	after, err := s.keeper.Change(ctx, func(d *state.Desired) error {
		before = *d
		if err := checkFence(fence, s.env.PodUID, s.env.UID, d); err != nil {
			return err
		}
		raise(d, fence)
		return do(d)
	})
	if err != nil {
		if _, ok := status.FromError(err); ok {
			return err
		}
		return status.Error(codes.Internal, err.Error())
	}
	s.prune(ctx, before.ConfigHash, after.ConfigHash)
	return nil
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

func validateApply(request *agentv1.ApplyRequest) error {
	if request.GetFence().GetUnitGeneration() == 0 {
		return status.Error(codes.InvalidArgument, "fence: unit_generation is required, Apply belongs to the Unit")
	}
	if request.GetConfiguration() == nil {
		return status.Error(codes.InvalidArgument, "configuration is required")
	}
	files := configFiles(request)
	if len(files) != len(request.GetConfiguration().GetFiles()) {
		return status.Error(codes.InvalidArgument, "configuration: a file name comes twice")
	}
	if err := state.ValidateConfig(request.GetConfiguration().GetHash(), files); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if request.GetExpected() != nil && request.GetExpected().GetSystemId() == "" {
		return status.Error(codes.InvalidArgument, "expected: system_id is required; leave expected unset for a unit that never had data")
	}
	return nil
}

func configFiles(request *agentv1.ApplyRequest) map[string][]byte {
	files := make(map[string][]byte, len(request.GetConfiguration().GetFiles()))
	for _, f := range request.GetConfiguration().GetFiles() {
		files[f.GetName()] = f.GetContent()
	}
	return files
}

// applied is what the request makes of d. The role is the Replication's to
// change; Apply only says whether the unit has one.
func applied(d state.Desired, request *agentv1.ApplyRequest) state.Desired {
	d = d.SetHold(state.HoldStartup, request.GetStartupHold())
	d.Applied = true
	d.ConfigHash = request.GetConfiguration().GetHash()
	d.Expected = nil
	if e := request.GetExpected(); e != nil {
		d.Expected = &state.DataIdentity{
			SystemID:       e.GetSystemId(),
			ClaimUIDs:      maps.Clone(e.GetClaimUids()),
			DataGeneration: e.GetDataGeneration(),
			Virgin:         e.GetVirgin(),
		}
	}
	d.GivenUpSystemID = request.GetGivenUpSystemId()
	d.ClaimUIDs = maps.Clone(request.GetClaimUids())
	d.Managed = request.GetManaged()
	return d
}
