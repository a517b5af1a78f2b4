// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// Class of an error.
type Class string

const (
	// Unavailable: nobody answered in time, or the agent could not do it now (a full
	// disk); nothing is known of the effect.
	Unavailable Class = "unavailable"
	// Busy: another operation has the unit; the message names it.
	Busy Class = "busy"
	// StaleFence: the agent has seen a newer pod, unit, epoch or generation.
	StaleFence Class = "stale fence"
	// Final: the same request will never succeed.
	Final Class = "final"
	// NotFound: the journal has no operation of that id: it was never started.
	NotFound Class = "not found"
	// OtherJournal: the agent's journal is not the one that was meant, or cannot tell
	// any more: what became of the operation is unknown for good.
	OtherJournal Class = "other journal"
	// Aborted: the call would lose transactions that only this server may hold; the
	// message names them. Nothing was changed.
	Aborted Class = "aborted"
)

// Error of a call to an agent.
type Error struct {
	Class  Class
	Target Target
	Err    error
	// Answered: the agent said it, be it that it could not do it now.
	Answered bool
	// Later is the call that came after the refused one, of a StaleFence that was refused
	// because of its order; nil otherwise.
	Later *Order
}

// Order of a call among those of its writer.
type Order struct{ Term, Seq int64 }

func (e *Error) Error() string {
	if e.Class == Unavailable {
		return fmt.Sprintf("the call to the agent of %s/%s failed: %v", e.Target.Namespace, e.Target.Pod, e.Err)
	}
	return fmt.Sprintf("the agent of %s/%s refused: %v", e.Target.Namespace, e.Target.Pod, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf an error; what is none of this package's is Unavailable, for nothing is
// known of its effect.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Unavailable
}

// IsUnavailable tells whether to try again later.
func IsUnavailable(err error) bool { return err != nil && ClassOf(err) == Unavailable }

// Failed tells whether an agent answered that it could not do it now, such as for want of
// space. Others that are Unavailable have not answered.
func Failed(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Class == Unavailable && e.Answered
}

// IsBusy tells whether another operation is in the way.
func IsBusy(err error) bool { return err != nil && ClassOf(err) == Busy }

// IsStaleFence tells whether the caller's view is old.
func IsStaleFence(err error) bool { return err != nil && ClassOf(err) == StaleFence }

// IsFinal tells whether trying again is pointless.
func IsFinal(err error) bool { return err != nil && ClassOf(err) == Final }

// IsNotFound tells whether the operation was never started.
func IsNotFound(err error) bool { return err != nil && ClassOf(err) == NotFound }

// IsOtherJournal tells whether the record of the operation is lost.
func IsOtherJournal(err error) bool { return err != nil && ClassOf(err) == OtherJournal }

// IsAborted tells whether the call would have lost transactions.
func IsAborted(err error) bool { return err != nil && ClassOf(err) == Aborted }

// classify turns a gRPC error into one of ours. What the code does not say for sure
// is Unavailable: the operation may have had its effect or have it yet.
func classify(target Target, err error) error {
	if err == nil {
		return nil
	}
	class := Unavailable
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unimplemented, codes.OutOfRange:
		class = Final
	case codes.FailedPrecondition:
		class = StaleFence
	case codes.ResourceExhausted, codes.AlreadyExists:
		class = Busy
	case codes.NotFound:
		class = NotFound
	case codes.DataLoss:
		class = OtherJournal
	case codes.Aborted:
		class = Aborted
	}
	answered := class != Unavailable || status.Code(err) == codes.Internal
	later := laterThan(err)
	if s, ok := status.FromError(err); ok && !errors.Is(err, context.DeadlineExceeded) {
		err = errors.New(s.Message())
	}
	return &Error{Class: class, Target: target, Err: err, Answered: answered, Later: later}
}

// laterThan is the call by which a call was refused as too old; nil if it was not.
func laterThan(err error) *Order {
	s, ok := status.FromError(err)
	if !ok || s.Code() != codes.FailedPrecondition {
		return nil
	}
	for _, d := range s.Details() {
		if stale, ok := d.(*agentv1.StaleOrder); ok {
			return &Order{Term: stale.GetTerm(), Seq: stale.GetSeq()}
		}
	}
	return nil
}
