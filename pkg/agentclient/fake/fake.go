// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fake has agents in memory that keep the fence rules of the protocol, for
// tests of controllers.
package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// Agents is an agentclient.Interface in memory: one agent per pod UID, made at the
// first call. It is safe for concurrent use.
type Agents struct {
	mu     sync.Mutex
	agents map[types.UID]*Agent
	// fail is asked before each call; an error is the call's.
	fail  func(method string, target agentclient.Target) error
	calls []Call
	// now is the agents' clock.
	now func() time.Time
}

var _ agentclient.Interface = &Agents{}

// Call is one call that was made.
type Call struct {
	Method string
	Target agentclient.Target
	// Apply is the request of an Apply.
	Apply *agentclient.ApplyRequest
	Hold  *agentclient.Hold
	// Fence is that of a call of a Replication.
	Fence *agentclient.RoleFence
	// Start is the request of a StartOperation, Ref of the other calls of operations.
	Start *agentclient.StartOperation
	Ref   *agentclient.OperationRef
	// Provision is the request of a Provision.
	Provision *agentclient.ProvisionRequest
}

// Agent is one agent's state. Change it through Agents.With.
type Agent struct {
	Status agentclient.Status
	// Applied is the last request it acknowledged.
	Applied *agentclient.ApplyRequest
	// Operations is its journal, by id. A pod that takes over another one's volume gets
	// the map and Status.JournalID of its agent.
	Operations map[string]*Operation
	// Actions it can do; nil for all.
	Actions []string
	// Accounts that the source has, by EnsureAccounts; Evidence that lies on the volume,
	// by epoch.
	Accounts []agentclient.Account
	Evidence map[int64]agentclient.Evidence
	// Activity of its clients.
	Activity agentclient.Activity
	// Executed answers WaitExecuted; nil has executed whatever it is asked for.
	Executed func(agentclient.WaitRequest) agentclient.Executed
	agents   *Agents
	// ownerCalls are those of the owning Replication.
	ownerCalls writer
}

// New makes agents whose servers wait for their first Apply.
func New() *Agents { return &Agents{agents: map[types.UID]*Agent{}, now: time.Now} }

// SetClock gives the agents a clock.
func (a *Agents) SetClock(c clock.PassiveClock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = c.Now
}

// Fail makes calls fail: f is asked before each; nil ends it.
func (a *Agents) Fail(f func(method string, target agentclient.Target) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = f
}

// Unavailable is an error as from an agent that does not answer.
func Unavailable(target agentclient.Target) error {
	return &agentclient.Error{Class: agentclient.Unavailable, Target: target, Err: errors.New("connection refused")}
}

// With changes the agent of a pod.
func (a *Agents) With(podUID types.UID, f func(*Agent)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a.agent(podUID))
}

// Calls made so far.
func (a *Agents) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// ResetCalls forgets the calls made so far.
func (a *Agents) ResetCalls() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = nil
}

func (a *Agents) agent(podUID types.UID) *Agent {
	ag := a.agents[podUID]
	if ag == nil {
		ag = &Agent{agents: a, Status: agentclient.Status{
			AgentVersion: "fake", PodUID: podUID, State: agentclient.StateWaiting,
			Message: "waiting for the operator's first configuration of this pod", JournalID: "journal-" + string(podUID),
		}}
		a.agents[podUID] = ag
	}
	return ag
}

func (a *Agents) begin(method string, t agentclient.Target, call Call) (*Agent, error) {
	call.Method, call.Target = method, t
	a.calls = append(a.calls, call)
	if a.fail != nil {
		if err := a.fail(method, t); err != nil {
			return nil, err
		}
	}
	return a.agent(t.PodUID), nil
}

// Status implements agentclient.Interface.
func (a *Agents) Status(_ context.Context, t agentclient.Target) (*agentclient.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("Status", t, Call{})
	if err != nil {
		return nil, err
	}
	return ag.copy(), nil
}

// Apply implements agentclient.Interface: fences first, then the gate's outcome as
// far as it can be told without a disk.
func (a *Agents) Apply(_ context.Context, t agentclient.Target, r agentclient.ApplyRequest) (*agentclient.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("Apply", t, Call{Apply: &r})
	if err != nil {
		return nil, err
	}
	if err := checkApply(t, r); err != nil {
		return nil, err
	}
	if err := ag.fence(t, 0, r.Generation); err != nil {
		return nil, err
	}
	s := &ag.Status
	s.UnitUID, s.Generation = t.UnitUID, r.Generation
	s.Owner = r.Owner
	if left := r.Released; r.Owner != "" && left != nil && left.Role == agentclient.RoleReplica &&
		s.Record != nil && s.Record.Role == agentclient.RoleSource && s.Record.ReplicationUID != r.Owner {
		// Another took the place of this source before its Replication went.
		s.Record = &agentclient.RoleRecord{Role: left.Role, Upstream: left.Upstream, Released: true, Epoch: s.Record.Epoch}
	}
	applied := r
	if r.ConfigHash == "" && ag.Applied != nil {
		// The agent keeps the configuration it has.
		applied.ConfigHash, applied.Files = ag.Applied.ConfigHash, ag.Applied.Files
	}
	s.AppliedHash = applied.ConfigHash
	ag.Applied = &applied
	ag.setHold("startup", r.StartupHold)
	ag.settle()
	return ag.copy(), nil
}

// SetHold implements agentclient.Interface.
func (a *Agents) SetHold(_ context.Context, t agentclient.Target, h agentclient.Hold) (*agentclient.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ag, err := a.begin("SetHold", t, Call{Hold: &h})
	if err != nil {
		return nil, err
	}
	if err := checkHold(t, h); err != nil {
		return nil, err
	}
	if err := ag.fence(t, h.Epoch, h.Generation); err != nil {
		return nil, err
	}
	if h.Name == "upgrade" && h.Seq == 0 {
		return nil, final(t, "hold upgrade: a seq is required")
	}
	s := &ag.Status
	if h.ReplicationUID != "" {
		f := agentclient.RoleFence{ReplicationUID: h.ReplicationUID, Epoch: h.Epoch, Term: h.Term, Seq: h.Seq}
		call := fmt.Sprintf("SetHold %+v", h)
		retry, err := ag.order(t, f, call)
		if err != nil {
			return nil, err
		}
		if retry {
			return ag.copy(), nil
		}
		ag.accept(f, call)
	}
	s.UnitUID = t.UnitUID
	s.Epoch, s.Generation = max(s.Epoch, h.Epoch), max(s.Generation, h.Generation)
	ag.setHold(h.Name, h.Held)
	ag.settle()
	return ag.copy(), nil
}

// Forget implements agentclient.Interface.
func (a *Agents) Forget(types.UID) {}

func final(t agentclient.Target, why string) error {
	return &agentclient.Error{Class: agentclient.Final, Target: t, Err: errors.New(why)}
}

// checkApply refuses what can never succeed.
func checkApply(t agentclient.Target, r agentclient.ApplyRequest) error {
	switch {
	case r.Generation == 0:
		return final(t, "fence: unit_generation is required, Apply belongs to the Unit")
	case (r.ConfigHash == "") != (len(r.Files) == 0):
		return final(t, "configuration: a hash and files come together")
	case r.Expected != nil && r.Expected.SystemID == "":
		return final(t, "expected: system_id is required")
	case r.Released != nil && r.Owner != "" && r.Released.ReplicationUID == r.Owner:
		return final(t, "released: the owner has not released the unit")
	}
	return nil
}

// checkHold keeps each hold to its writer.
func checkHold(t agentclient.Target, h agentclient.Hold) error {
	switch {
	case h.Epoch == 0 && h.Generation == 0:
		return final(t, "fence: epoch or unit_generation is required")
	case h.Name == "startup":
		return final(t, "hold startup: it is written by Apply only")
	case h.Name == "fence" && h.Epoch == 0:
		return final(t, "hold fence: an epoch is required, it belongs to the Replication")
	case h.Name == "upgrade" && h.Generation == 0:
		return final(t, "hold upgrade: a unit generation is required, it belongs to the UnitSet")
	case h.Name != "fence" && h.Name != "upgrade" && !strings.HasPrefix(h.Name, "operation:"):
		return final(t, "hold "+h.Name+": want fence, upgrade or operation:<id>")
	}
	return nil
}

// fence keeps the protocol's rules.
func (ag *Agent) fence(t agentclient.Target, epoch, generation int64) error {
	refuse := func(why string) error {
		return &agentclient.Error{Class: agentclient.StaleFence, Target: t, Err: errors.New(why)}
	}
	s := &ag.Status
	switch {
	case s.UnitUID != "" && s.UnitUID != t.UnitUID:
		return refuse("this is the agent of another unit")
	case epoch != 0 && epoch < s.Epoch:
		return refuse("a higher epoch was seen")
	case generation != 0 && generation < s.Generation:
		return refuse("a higher generation was seen")
	}
	return nil
}

// settle is what the gate would do.
func (ag *Agent) settle() {
	s := &ag.Status
	expected := ""
	if r := ag.Applied; r != nil && r.Expected != nil && r.Expected.SystemID != r.GivenUpSystemID {
		expected = r.Expected.SystemID
	}
	s.StopProof = nil
	switch {
	case ag.Applied == nil || ag.Applied.ConfigHash == "":
		s.State = agentclient.StateWaiting
	case len(s.Holds) > 0:
		s.State, s.Message, s.Version, s.Writable, s.RunningHash = agentclient.StateHeld, "held by "+strings.Join(s.Holds, ", "), "", false, ""
		s.StopProof = &agentclient.StopProof{Order: s.HoldsOrder, How: "Exited", At: ag.agents.now()}
	case expected != "" && s.Data == nil:
		s.State, s.Message = agentclient.StateDataMissing, "the data directory is empty, but database "+expected+" is expected"
	case expected != "" && s.Data.SystemID != expected:
		s.State, s.Message = agentclient.StateDataMissing, "the volume holds another database"
	default:
		if s.Data == nil {
			s.Data = &agentclient.DataIdentity{SystemID: "system-" + string(s.PodUID), ClaimUIDs: ag.Applied.ClaimUIDs, Pristine: new(true)}
		}
		s.State, s.Message, s.Version, s.Writable = agentclient.StateRunning, "", "fake", ag.writable()
		s.RunningHash = s.AppliedHash
	}
}

// writable is what the role makes of the server.
func (ag *Agent) writable() bool {
	if r := ag.Status.Record; r != nil && r.Role != agentclient.RoleUnknown {
		return r.Role == agentclient.RoleSource && r.Open
	}
	return !ag.Applied.Managed && ag.Applied.Owner == ""
}

func (ag *Agent) copy() *agentclient.Status {
	out := ag.Status
	out.Holds = slices.Clone(ag.Status.Holds)
	if ag.Status.Data != nil {
		d := *ag.Status.Data
		out.Data = &d
	}
	return &out
}
