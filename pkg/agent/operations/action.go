// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Action is one kind of operation of an engine. Each engine has a package actions
// below its own that exports
//
//	func New(deps operations.Deps) map[string]operations.Action
//
// by the names of actions in package operation.
type Action interface {
	// Run does it. ctx ends when the operation is cancelled or the agent ends; Run
	// then returns soon, with ctx's error wrapped or any other. What it starts as
	// processes it makes with Command.
	//
	// The result is what was made, for status and people: no secrets. It is kept with
	// the outcome only if err is nil, but for the key message: that is the outcome's
	// sentence.
	//
	// Run cleans up after itself unless ctx has ended: then Abandon does. An error
	// made by Failed has the reason for status; any other has reason Failed.
	Run(ctx context.Context, op Op) (result map[string]string, err error)
}

// Op is one operation, as its action sees it.
type Op interface {
	// ID of the operation.
	ID() string
	// Action is its name.
	Action() string
	// Params are what it was asked for, as operation.DecodeCanonical returns them.
	Params() operation.Params
	// Secrets handed over by the operator, by what they are: s3.endpoint s3.region
	// s3.pathStyle s3.accessKey s3.secretKey s3.ca, encryption.key, source.password.
	// Empty in Abandon, and in a Run that RecoverAtOnce asked for.
	Secrets() map[string][]byte
	// Phase is what was last given to SetPhase, by this run or by one that was
	// interrupted; empty if nothing was.
	Phase() (name string, data json.RawMessage)
	// SetPhase records how far the operation is, and what it takes to go back or on
	// from there. It is on disk when SetPhase returns nil; otherwise the phase has not
	// been entered, and what belongs to it must not be done. No secrets in data.
	SetPhase(name string, data any) error
	// Progress tells people what is done now, in a sentence, and how many bytes of
	// how many; total is 0 if unknown. It costs nothing and is not recorded.
	Progress(text string, done, total int64)
}

// Abandoner is an action whose runs leave something behind when they do not come to
// their own end: side directories, a server that is down, data half exchanged.
type Abandoner interface {
	// Abandon cleans up after a run that was cancelled, or interrupted and not taken
	// up: by op.Phase it goes back to what was before the operation. It may be
	// interrupted itself and is then called again. Its operation ends Cancelled, or
	// Failed with reason Interrupted; with an error it ends Failed with that.
	Abandon(ctx context.Context, op Op) error
}

// Recovery is what becomes of a run that the end of the agent interrupted.
type Recovery string

const (
	// RecoverByAbandon cleans up at once and ends the operation Failed with reason
	// Interrupted. It is the default, and right where a server is kept down that can
	// go on with the old data.
	RecoverByAbandon Recovery = "Abandon"
	// RecoverWithSecrets waits for the operator to hand the secrets over again, then
	// calls Run, which goes on from its phase. After ResumeTimeout it is abandoned.
	RecoverWithSecrets Recovery = "WithSecrets"
	// RecoverAtOnce calls Run at once, without secrets: right where the only way is
	// forward.
	RecoverAtOnce Recovery = "AtOnce"
)

// Recoverer is an action whose interrupted runs are not always abandoned.
type Recoverer interface {
	// Recover says what becomes of a run that was interrupted in the phase; empty is
	// a run that had not entered any.
	Recover(phase string) Recovery
}

// Deps are what the agent gives the actions.
type Deps struct {
	Env    engine.Env
	Engine engine.Engine
	// Server is stopped and started through it only.
	Server Server
	// Store is the state directory: the configuration in force, for an engine.Start.
	Store *state.Store
	// Files writes files durably.
	Files state.Files
}

// Server is the database server as an operation may handle it: it sets and clears the
// hold operation:<id>, and supervise does the rest.
type Server interface {
	// StopServer returns when no server runs and none will start before StartServer.
	StopServer(ctx context.Context, op Op) error
	// StartServer clears the hold and returns when the server answers. It fails with
	// ErrHeld if others hold it down, and leaves the hold, with ErrNotStarted if the
	// server was started and failed, or may not be started on the data that is there:
	// then the caller may stop it again and put the old data back.
	StartServer(ctx context.Context, op Op) error
	// ReplaceIdentity says that the database systemID lies in the data directory by
	// this operation's will: its generation rises, and the server may be started on
	// it although another one is expected. Called between StopServer and StartServer.
	ReplaceIdentity(ctx context.Context, op Op, systemID string) error
}

var (
	// ErrHeld: another hold keeps the server down.
	ErrHeld = errors.New("the server is held down by others")
	// ErrNotStarted: the server does not start on the data that lies there.
	ErrNotStarted = errors.New("the server does not start")
)

// Reasons of failures that are not an action's own.
const (
	// ReasonFailed is that of an error that names none.
	ReasonFailed = "Failed"
	// ReasonInterrupted: the agent ended while the operation ran.
	ReasonInterrupted = "Interrupted"
	// ReasonCleanupFailed: what an operation has left could not be cleaned up.
	ReasonCleanupFailed = "CleanupFailed"
	// ReasonRoleChanged: the unit's role changed, which waits for no operation.
	ReasonRoleChanged = "RoleChanged"
	// ReasonPanicked: a bug.
	ReasonPanicked = "Panicked"
	// ReasonUnsupported: the record is of an action that this agent does not know.
	ReasonUnsupported = "Unsupported"
)

// Failed is a final failure with a reason, one word in CamelCase, and a sentence for
// people. %w wraps as in fmt.Errorf.
func Failed(reason, format string, args ...any) error {
	return &failure{reason: reason, err: fmt.Errorf(format, args...)}
}

type failure struct {
	reason string
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// ReasonOf an action's error.
func ReasonOf(err error) string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.reason
	}
	return ReasonFailed
}
