// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// Operations is what the operator asks of agents about operations. Implementations
// are safe for concurrent use. Beside the errors of Interface there are NotFound and
// OtherJournal.
type Operations interface {
	// Info tells which journal the agent has, what runs, and what could. It changes
	// nothing.
	Info(ctx context.Context, target Target) (*OperationsInfo, error)
	// StartOperation starts an operation, or finds the one started under the id before;
	// an interrupted one gets its secrets again and goes on. Busy if another operation
	// has the unit.
	StartOperation(ctx context.Context, target Target, request StartOperation) (*Operation, error)
	// GetOperation returns the record. NotFound means that the journal named has no such
	// id: it was never started.
	GetOperation(ctx context.Context, target Target, ref OperationRef) (*Operation, error)
	// CancelOperation asks an operation to end; GetOperation tells when it has. A final
	// one stays as it is.
	CancelOperation(ctx context.Context, target Target, ref OperationRef) (*Operation, error)
	// AcknowledgeOperation says that the final record is stored: the agent need not
	// keep it much longer. Doing it again, or for an id that is gone, is no error.
	AcknowledgeOperation(ctx context.Context, target Target, ref OperationRef) error
}

// OperationsInfo is what an agent says of its operations.
type OperationsInfo struct {
	// JournalID is empty while there is no journal: nothing can be started.
	JournalID string
	// Current has the unit now; nil if none has.
	Current *Operation
	// Actions the agent can do, sorted.
	Actions []string
}

// StartOperation is a request to start or resume an operation.
type StartOperation struct {
	OperationRef
	Action string
	// Parameters as operation.Encode makes them.
	Parameters []byte
	// Secrets by what they are: s3.endpoint and so on. Never printed.
	Secrets Secrets
}

// OperationRef names an operation.
type OperationRef struct {
	ID string
	// JournalID of the journal it is in. GetOperation alone does without.
	JournalID string
	// Generation of the Unit as the caller knows it. GetOperation does without.
	Generation int64
	// Fence of the Replication that cancels or acknowledges an operation it started with
	// Provision; nil for calls of the Unit level, which have a Generation instead.
	Fence *RoleFence
}

// fence of a call about the operation.
func (r OperationRef) fence(target Target) *agentv1.Fence {
	if r.Fence != nil {
		return toFence(target, *r.Fence)
	}
	return fence(target, 0, r.Generation)
}

// Secrets are contents by what they are. They do not print.
type Secrets map[string][]byte

// String implements fmt.Stringer.
func (Secrets) String() string { return "(secrets)" }

// GoString implements fmt.GoStringer.
func (Secrets) GoString() string { return "(secrets)" }

// MarshalJSON implements json.Marshaler.
func (Secrets) MarshalJSON() ([]byte, error) { return []byte(`"(secrets)"`), nil }

// Operation is the record of one.
type Operation struct {
	ID, Action string
	State      OperationState
	// Phase is a word of the action's, Progress a sentence on what it does now.
	Phase, Progress string
	// BytesTotal is 0 while unknown.
	BytesDone, BytesTotal int64
	// Message and Reason (CamelCase, of a failure) are set when final.
	Message, Reason string
	// Result of a success, by the action's own keys.
	Result   map[string]string
	Started  time.Time
	Finished time.Time
}

// OperationState is how far an operation is.
type OperationState string

// States of an operation; operations.proto explains them.
const (
	OperationUnknown     OperationState = "Unknown"
	OperationRunning     OperationState = "Running"
	OperationInterrupted OperationState = "Interrupted"
	OperationCancelling  OperationState = "Cancelling"
	OperationSucceeded   OperationState = "Succeeded"
	OperationFailed      OperationState = "Failed"
	OperationCancelled   OperationState = "Cancelled"
)

// Final tells whether nothing will change any more.
func (s OperationState) Final() bool {
	return s == OperationSucceeded || s == OperationFailed || s == OperationCancelled
}

var operationStates = map[agentv1.OperationState]OperationState{
	agentv1.OperationState_OPERATION_STATE_RUNNING:     OperationRunning,
	agentv1.OperationState_OPERATION_STATE_INTERRUPTED: OperationInterrupted,
	agentv1.OperationState_OPERATION_STATE_CANCELLING:  OperationCancelling,
	agentv1.OperationState_OPERATION_STATE_SUCCEEDED:   OperationSucceeded,
	agentv1.OperationState_OPERATION_STATE_FAILED:      OperationFailed,
	agentv1.OperationState_OPERATION_STATE_CANCELLED:   OperationCancelled,
}

var _ Operations = &Client{}

// Info implements Operations.
func (c *Client) Info(ctx context.Context, target Target) (*OperationsInfo, error) {
	var out *OperationsInfo
	err := c.operations(ctx, "Info", target, func(ctx context.Context, service agentv1.OperationServiceClient) error {
		r, err := service.Info(ctx, &agentv1.InfoRequest{})
		out = &OperationsInfo{JournalID: r.GetJournalId(), Current: fromOperation(r.GetCurrent()), Actions: r.GetActions()}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// StartOperation implements Operations.
func (c *Client) StartOperation(ctx context.Context, target Target, request StartOperation) (*Operation, error) {
	var out *Operation
	err := c.operations(ctx, "Start", target, func(ctx context.Context, service agentv1.OperationServiceClient) error {
		r, err := service.Start(ctx, &agentv1.StartRequest{
			Fence: fence(target, 0, request.Generation), Id: request.ID, JournalId: request.JournalID,
			Action: request.Action, Parameters: request.Parameters, Secrets: request.Secrets,
		})
		out = fromOperation(r.GetOperation())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetOperation implements Operations.
func (c *Client) GetOperation(ctx context.Context, target Target, ref OperationRef) (*Operation, error) {
	var out *Operation
	err := c.operations(ctx, "Get", target, func(ctx context.Context, service agentv1.OperationServiceClient) error {
		r, err := service.Get(ctx, &agentv1.GetRequest{Id: ref.ID, JournalId: ref.JournalID})
		out = fromOperation(r.GetOperation())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CancelOperation implements Operations.
func (c *Client) CancelOperation(ctx context.Context, target Target, ref OperationRef) (*Operation, error) {
	var out *Operation
	err := c.operations(ctx, "Cancel", target, func(ctx context.Context, service agentv1.OperationServiceClient) error {
		r, err := service.Cancel(ctx, &agentv1.CancelRequest{
			Fence: ref.fence(target), Id: ref.ID, JournalId: ref.JournalID,
		})
		out = fromOperation(r.GetOperation())
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AcknowledgeOperation implements Operations.
func (c *Client) AcknowledgeOperation(ctx context.Context, target Target, ref OperationRef) error {
	return c.operations(ctx, "Acknowledge", target, func(ctx context.Context, service agentv1.OperationServiceClient) error {
		_, err := service.Acknowledge(ctx, &agentv1.AcknowledgeRequest{
			Fence: ref.fence(target), Id: ref.ID, JournalId: ref.JournalID,
		})
		return err
	})
}

func (c *Client) operations(ctx context.Context, method string, target Target, f func(context.Context, agentv1.OperationServiceClient) error) error {
	return c.call(ctx, method, target, func(ctx context.Context, conn grpc.ClientConnInterface) error {
		return f(ctx, agentv1.NewOperationServiceClient(conn))
	})
}

func fromOperation(in *agentv1.Operation) *Operation {
	if in == nil {
		return nil
	}
	out := &Operation{
		ID: in.GetId(), Action: in.GetAction(), State: OperationUnknown,
		Phase: in.GetPhase(), Progress: in.GetProgress(), BytesDone: in.GetBytesDone(), BytesTotal: in.GetBytesTotal(),
		Message: in.GetMessage(), Reason: in.GetReason(), Result: in.GetResult(),
		Started: fromTime(in.GetStarted()), Finished: fromTime(in.GetFinished()),
	}
	// A newer agent may know states that we do not.
	if s, ok := operationStates[in.GetState()]; ok {
		out.State = s
	}
	return out
}

func fromTime(in *timestamppb.Timestamp) time.Time {
	if in == nil {
		return time.Time{}
	}
	return in.AsTime()
}
