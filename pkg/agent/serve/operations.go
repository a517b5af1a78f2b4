// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// capabilityOperations says that the agent has OperationService.
const capabilityOperations = "operations"

// watchInterval is the shortest time between two messages of a Watch.
const watchInterval = 200 * time.Millisecond

// operationService lets the operator at the manager, fenced like unitService.
type operationService struct {
	agentv1.UnimplementedOperationServiceServer
	unit    *unitService
	manager *operations.Manager
}

func (s *operationService) Info(ctx context.Context, _ *agentv1.InfoRequest) (*agentv1.InfoResponse, error) {
	info, err := s.manager.Info(ctx)
	if err != nil {
		return nil, operationError(err)
	}
	response := &agentv1.InfoResponse{JournalId: info.JournalID, Actions: info.Actions}
	if info.Current != nil {
		response.Current = operationMessage(*info.Current)
	}
	return response, nil
}

func (s *operationService) Start(ctx context.Context, request *agentv1.StartRequest) (*agentv1.StartResponse, error) {
	if request.GetAction() == operation.ActionProvision {
		return nil, status.Error(codes.InvalidArgument, "action provision: it belongs to the Replication, which starts it by RoleService.Provision")
	}
	view, err := s.change(ctx, request.GetFence(), request.GetJournalId(), func() (operations.View, error) {
		return s.manager.Start(ctx, operations.Start{
			ID: request.GetId(), JournalID: request.GetJournalId(), Action: request.GetAction(),
			Parameters: request.GetParameters(), Secrets: request.GetSecrets(),
		})
	})
	if err != nil {
		return nil, err
	}
	return &agentv1.StartResponse{Operation: operationMessage(view)}, nil
}

func (s *operationService) Get(ctx context.Context, request *agentv1.GetRequest) (*agentv1.GetResponse, error) {
	view, err := s.manager.Get(ctx, request.GetId(), request.GetJournalId())
	if err != nil {
		return nil, operationError(err)
	}
	return &agentv1.GetResponse{Operation: operationMessage(view)}, nil
}

func (s *operationService) Watch(request *agentv1.GetRequest, stream grpc.ServerStreamingServer[agentv1.GetResponse]) error {
	ctx := stream.Context()
	for {
		view, changed, err := s.manager.Watch(ctx, request.GetId(), request.GetJournalId())
		if err != nil {
			return operationError(err)
		}
		if err := stream.Send(&agentv1.GetResponse{Operation: operationMessage(view)}); err != nil {
			return err
		}
		if view.State.Final() {
			return nil
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-s.unit.stopping:
			return status.Error(codes.Unavailable, "the agent ends")
		case <-changed:
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
}

func (s *operationService) Cancel(ctx context.Context, request *agentv1.CancelRequest) (*agentv1.CancelResponse, error) {
	view, err := s.change(ctx, request.GetFence(), request.GetJournalId(), func() (operations.View, error) {
		return s.manager.Cancel(ctx, request.GetId(), request.GetJournalId())
	})
	if err != nil {
		return nil, err
	}
	return &agentv1.CancelResponse{Operation: operationMessage(view)}, nil
}

func (s *operationService) Acknowledge(ctx context.Context, request *agentv1.AcknowledgeRequest) (*agentv1.AcknowledgeResponse, error) {
	if _, err := s.change(ctx, request.GetFence(), request.GetJournalId(), func() (operations.View, error) {
		return operations.View{}, s.manager.Acknowledge(ctx, request.GetId(), request.GetJournalId())
	}); err != nil {
		return nil, err
	}
	return &agentv1.AcknowledgeResponse{}, nil
}

// change runs a fenced change of operations.
func (s *operationService) change(ctx context.Context, fence *agentv1.Fence, journalID string, do func() (operations.View, error)) (operations.View, error) {
	if journalID == "" {
		return operations.View{}, status.Error(codes.InvalidArgument, "journal_id is required")
	}
	// What cannot be served raises no fence.
	if err := s.manager.Ready(ctx); err != nil {
		return operations.View{}, operationError(err)
	}
	var view operations.View
	err := s.unit.fenced(ctx, fence, func() (err error) {
		view, err = do()
		return err
	})
	if err != nil {
		return operations.View{}, operationError(err)
	}
	return view, nil
}

// operationError puts a manager's error into the protocol's words.
func operationError(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	// A full disk is no dead agent: Unavailable would have it given rest.
	code := codes.Internal
	switch {
	case errors.Is(err, operations.ErrNotFound):
		code = codes.NotFound
	case errors.Is(err, operations.ErrJournal):
		code = codes.DataLoss
	case errors.Is(err, operations.ErrInvalid):
		code = codes.InvalidArgument
	case errors.Is(err, operations.ErrBusy):
		code = codes.ResourceExhausted
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	}
	return status.Error(code, err.Error())
}

var operationStates = map[journal.State]agentv1.OperationState{
	journal.Running:     agentv1.OperationState_OPERATION_STATE_RUNNING,
	journal.Interrupted: agentv1.OperationState_OPERATION_STATE_INTERRUPTED,
	journal.Cancelling:  agentv1.OperationState_OPERATION_STATE_CANCELLING,
	journal.Succeeded:   agentv1.OperationState_OPERATION_STATE_SUCCEEDED,
	journal.Failed:      agentv1.OperationState_OPERATION_STATE_FAILED,
	journal.Cancelled:   agentv1.OperationState_OPERATION_STATE_CANCELLED,
}

func operationMessage(v operations.View) *agentv1.Operation {
	out := &agentv1.Operation{
		Id: v.ID, Action: v.Action, State: operationStates[v.State], Phase: v.Phase,
		Progress: v.Progress, BytesDone: v.BytesDone, BytesTotal: v.BytesTotal,
		Message: v.Message, Reason: v.Reason, Result: v.Result, Started: timestamppb.New(v.Started),
	}
	if !v.Finished.IsZero() {
		out.Finished = timestamppb.New(v.Finished)
	}
	return out
}
