// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/operation"
)

var _ agentclient.Operations = &Agents{}

// Operation is a record in an agent's journal. Nothing happens by itself: a test lets
// an operation progress and end through Agents.With.
type Operation struct {
	agentclient.Operation
	Parameters []byte
	// Secrets as last handed over; nil once final.
	Secrets agentclient.Secrets
	// Runs counts how often it was started or taken up again.
	Runs int
	// Acknowledged by the operator.
	Acknowledged bool
}

// actions of an agent that no test has given others.
var actions = []string{
	operation.ActionClone, operation.ActionGTIDPurge, operation.ActionLogicalBackup,
	operation.ActionPhysicalBackup, operation.ActionRestore, operation.ActionSetVariable,
}

// idForm of an operation's ID, as agents want it.
var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// Current is the operation that has the unit; nil if none has.
func (ag *Agent) Current() *Operation {
	for _, op := range ag.Operations {
		if !op.State.Final() {
			return op
		}
	}
	return nil
}

// Finish ends an operation.
func (ag *Agent) Finish(id string, state agentclient.OperationState, reason, message string, result map[string]string) {
	op := ag.Operations[id]
	if op == nil || op.State.Final() {
		panic("fake: " + id + " does not run")
	}
	op.State, op.Reason, op.Message, op.Result, op.Secrets = state, reason, message, result, nil
	op.Finished = ag.agents.now()
}

// Interrupt is a restart of the agent: the operation that has the unit waits for its
// secrets.
func (ag *Agent) Interrupt() {
	if op := ag.Current(); op != nil && op.State == agentclient.OperationRunning {
		op.State, op.Secrets = agentclient.OperationInterrupted, nil
	}
}

// LoseJournal is a volume that was replaced by an empty one.
func (ag *Agent) LoseJournal() {
	ag.Status.JournalID += "-new"
	ag.Operations = nil
}

// Info implements agentclient.Operations.
func (a *Agents) Info(_ context.Context, t agentclient.Target) (*agentclient.OperationsInfo, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("Info", t, Call{})
	if err != nil {
		return nil, err
	}
	info := &agentclient.OperationsInfo{JournalID: ag.Status.JournalID, Actions: slices.Clone(ag.Actions)}
	if ag.Actions == nil {
		info.Actions = slices.Clone(actions)
	}
	if op := ag.Current(); op != nil {
		info.Current = op.copy()
	}
	return info, nil
}

// StartOperation implements agentclient.Operations.
func (a *Agents) StartOperation(_ context.Context, t agentclient.Target, r agentclient.StartOperation) (*agentclient.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("StartOperation", t, Call{Start: &r})
	if err != nil {
		return nil, err
	}
	known := ag.Actions
	if known == nil {
		known = actions
	}
	switch {
	case r.ID == "":
		return nil, final(t, "id: want 1 to 63 letters, digits and -")
	case !slices.Contains(known, r.Action):
		return nil, final(t, "action "+r.Action+" is unknown to this agent")
	}
	return ag.start(t, r)
}

// start or find an operation.
func (ag *Agent) start(t agentclient.Target, r agentclient.StartOperation) (*agentclient.Operation, error) {
	if err := ag.change(t, r.OperationRef); err != nil {
		return nil, err
	}
	if !idForm.MatchString(r.ID) {
		return nil, final(t, fmt.Sprintf("operation id %q: want 1 to 63 letters, digits and -", r.ID))
	}
	if op := ag.Operations[r.ID]; op != nil {
		if op.Action != r.Action {
			return nil, final(t, "the operation's action is "+op.Action)
		}
		if op.State == agentclient.OperationInterrupted {
			op.State, op.Secrets, op.Runs = agentclient.OperationRunning, maps.Clone(r.Secrets), op.Runs+1
		}
		return op.copy(), nil
	}
	if current := ag.Current(); current != nil {
		return nil, &agentclient.Error{Class: agentclient.Busy, Target: t, Err: fmt.Errorf("operation %s (%s) has the unit", current.ID, current.Action)}
	}
	if ag.Operations == nil {
		ag.Operations = map[string]*Operation{}
	}
	op := &Operation{
		Operation: agentclient.Operation{
			ID: r.ID, Action: r.Action, State: agentclient.OperationRunning, Started: ag.agents.now(),
		},
		Parameters: slices.Clone(r.Parameters), Secrets: maps.Clone(r.Secrets), Runs: 1,
	}
	ag.Operations[r.ID] = op
	return op.copy(), nil
}

// GetOperation implements agentclient.Operations.
func (a *Agents) GetOperation(_ context.Context, t agentclient.Target, ref agentclient.OperationRef) (*agentclient.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("GetOperation", t, Call{Ref: &ref})
	if err != nil {
		return nil, err
	}
	op, err := ag.find(t, ref)
	if err != nil {
		return nil, err
	}
	return op.copy(), nil
}

// CancelOperation implements agentclient.Operations.
func (a *Agents) CancelOperation(_ context.Context, t agentclient.Target, ref agentclient.OperationRef) (*agentclient.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("CancelOperation", t, Call{Ref: &ref})
	if err != nil {
		return nil, err
	}
	if err := ag.change(t, ref); err != nil {
		return nil, err
	}
	op, err := ag.find(t, ref)
	if err != nil {
		return nil, err
	}
	if !op.State.Final() {
		op.State = agentclient.OperationCancelling
	}
	return op.copy(), nil
}

// AcknowledgeOperation implements agentclient.Operations.
func (a *Agents) AcknowledgeOperation(_ context.Context, t agentclient.Target, ref agentclient.OperationRef) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("AcknowledgeOperation", t, Call{Ref: &ref})
	if err != nil {
		return err
	}
	if err := ag.change(t, ref); err != nil {
		return err
	}
	op, err := ag.find(t, ref)
	switch {
	case agentclient.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case !op.State.Final():
		return final(t, "the operation is not over")
	}
	op.Acknowledged = true
	return nil
}

// change is what comes before every call that changes something.
func (ag *Agent) change(t agentclient.Target, ref agentclient.OperationRef) error {
	if ref.JournalID == "" {
		return final(t, "journal_id is required")
	}
	if f := ref.Fence; f != nil {
		if err := ag.fence(t, f.Epoch, 0); err != nil {
			return err
		}
		return ag.journal(t, ref)
	}
	if ref.Generation == 0 {
		return final(t, "fence: epoch or unit_generation is required")
	}
	if err := ag.fence(t, 0, ref.Generation); err != nil {
		return err
	}
	ag.Status.UnitUID, ag.Status.Generation = t.UnitUID, max(ag.Status.Generation, ref.Generation)
	return ag.journal(t, ref)
}

func (ag *Agent) journal(t agentclient.Target, ref agentclient.OperationRef) error {
	if ref.JournalID != "" && ref.JournalID != ag.Status.JournalID {
		return &agentclient.Error{Class: agentclient.OtherJournal, Target: t, Err: fmt.Errorf("journal %s was meant, this is %s", ref.JournalID, ag.Status.JournalID)}
	}
	return nil
}

func (ag *Agent) find(t agentclient.Target, ref agentclient.OperationRef) (*Operation, error) {
	if err := ag.journal(t, ref); err != nil {
		return nil, err
	}
	op := ag.Operations[ref.ID]
	if op == nil {
		return nil, &agentclient.Error{Class: agentclient.NotFound, Target: t, Err: errors.New("there is no operation " + ref.ID)}
	}
	return op, nil
}

func (op *Operation) copy() *agentclient.Operation {
	out := op.Operation
	out.Result = maps.Clone(op.Result)
	return &out
}
