// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/gate"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/version"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

const (
	// observeTimeout bounds the one query of a status.
	observeTimeout = 2 * time.Second
	// fencedTimeout is the same while a fence is under way: who fences waits for the
	// proof, and not for what a server that hangs might say.
	fencedTimeout = 500 * time.Millisecond
)

// errProvenDown is said of a server that is not asked.
var errProvenDown = errors.New("it is proven down")

// statusReader puts together what the files, the locks and the server say, now. What
// lies on the data volume may be older, where the volume hangs.
type statusReader struct {
	env    engine.Env
	engine engine.Engine
	store  *state.Store
	volume *volume
}

func newStatusReader(ctx context.Context, env engine.Env, eng engine.Engine, store *state.Store) *statusReader {
	return &statusReader{env: env, engine: eng, store: store, volume: newVolume(ctx, env, eng)}
}

// facts are what a status is made from.
type facts struct {
	desired  *state.Desired
	observed *state.Observed
	// supervised is true while supervise lives; serverLocked while the server's lock is
	// held, by supervise or by a server that outlived it.
	supervised, serverLocked bool
	// answer is what the server said; nil if it was not asked or did not answer.
	answer *engine.Observation
	// answerError says why not.
	answerError error
}

func (r *statusReader) facts(ctx context.Context) (facts, error) {
	var f facts
	var err error
	// Holds before the server's state: a hold in the answer means that the state
	// in the answer was read after the hold was there.
	if f.desired, err = r.store.Desired(); err != nil {
		return f, err
	}
	if f.observed, err = r.store.Observed(); err != nil {
		return f, err
	}
	if f.observed != nil && f.observed.PodUID != r.env.PodUID {
		f.observed = nil
	}
	if f.supervised, err = state.Locked(filepath.Join(r.env.StateDir, state.SuperviseLock)); err != nil {
		return f, err
	}
	if f.serverLocked, err = state.Locked(filepath.Join(r.env.StateDir, state.ServerLock)); err != nil {
		return f, err
	}
	switch {
	case f.observed != nil && f.observed.StopProof != nil:
		// What is left of it may still take connections, and would cost a fence the time
		// of a query that nobody answers.
		f.answerError = errProvenDown
	case mayAnswer(f):
		timeout := observeTimeout
		if f.desired != nil && slices.Contains(f.desired.Holds, state.HoldFence) {
			timeout = fencedTimeout
		}
		f.answer, f.answerError = r.ask(ctx, timeout)
	}
	return f, nil
}

// ask asks the server. Whatever an engine waits for, the answer does not wait with it.
func (r *statusReader) ask(ctx context.Context, timeout time.Duration) (*engine.Observation, error) {
	queryContext, cancel := context.WithTimeout(ctx, timeout)
	type answer struct {
		observation engine.Observation
		err         error
	}
	answers := make(chan answer, 1)
	go func() {
		defer cancel()
		a := answer{err: errPanicked}
		defer func() {
			if p := recover(); p != nil {
				klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", p), "A query has panicked", "stack", string(debug.Stack()))
			}
			answers <- a
		}()
		a.observation, a.err = r.engine.Observe(queryContext)
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, a.err
		}
		return &a.observation, nil
	case <-time.After(timeout + timeout/4):
		return nil, context.DeadlineExceeded
	}
}

// mayAnswer says whether there may be a server to ask.
func mayAnswer(f facts) bool {
	if !f.supervised {
		return f.serverLocked
	}
	if f.observed == nil {
		return false
	}
	switch f.observed.State {
	case state.StateStarting, state.StateRunning, state.StateStopping:
		return true
	}
	return false
}

// read makes a status.
func (r *statusReader) read(ctx context.Context) (*agentv1.GetStatusResponse, error) {
	f, err := r.facts(ctx)
	if err != nil {
		return nil, err
	}
	response := &agentv1.GetStatusResponse{
		AgentVersion: version.Version,
		Capabilities: r.capabilities(),
		PodUid:       r.env.PodUID,
		UnitUid:      r.env.UID,
		Server:       serverStatus(f, r.env.PodUID, r.env.UID),
	}
	response.Server.Down = down(f)
	if d := f.desired; d != nil && d.PodUID == r.env.PodUID && d.UnitUID == r.env.UID {
		response.Epoch = d.Epoch
		response.UnitGeneration = d.UnitGeneration
		response.Holds = d.Holds
		response.HoldsOrder = d.HoldsOrder
		response.Role = roleNames[d.Role]
		response.Record = recordMessage(d.Record, d.ChannelID)
		response.OwnerReplicationUid = d.OwnerUID
		response.Configuration = &agentv1.ConfigurationStatus{AppliedHash: d.ConfigHash}
		if f.observed != nil && f.supervised && f.observed.RunningConfigHash != "" {
			response.Configuration.RunningHash = f.observed.RunningConfigHash
			// So far no engine takes up a difference while it runs.
			response.Configuration.RestartRequired = f.observed.RunningConfigHash != d.ConfigHash
		}
	}
	response.StopProof = stopProof(f, r.env.PodUID, r.env.UID)
	found, hangsSince := r.volume.read(ctx)
	if errors.Is(found.err, errPanicked) {
		return nil, found.err
	}
	if found.err != nil {
		// The rest of the status is worth having; the operator sees data unset only
		// together with a state that says why.
		klog.FromContext(ctx).Error(found.err, "The data volume cannot be read")
	}
	response.JournalId = found.journalID
	response.Data = dataOf(f, found)
	if !hangsSince.IsZero() {
		response.Server.Message = withVolume(response.Server.Message, found, hangsSince)
	}
	return response, nil
}

// withVolume adds to a message that the volume hangs, and how old what is told of it is.
func withVolume(message string, found contents, since time.Time) string {
	if message != "" {
		message += "; "
	}
	message += "the data volume does not answer since " + since.UTC().Format(time.RFC3339)
	if found.at.IsZero() {
		return message + ", nothing is known of the data"
	}
	return message + ", what is told of the data is of " + found.at.UTC().Format(time.RFC3339)
}

// stopProof is what proves that the server is down, for as long as a hold keeps it so.
// The holds were read first.
func stopProof(f facts, podUID, unitUID string) *agentv1.StopProof {
	switch {
	case f.desired == nil || len(f.desired.Holds) == 0 || f.desired.PodUID != podUID || f.desired.UnitUID != unitUID:
		return nil
	case !f.supervised && !f.serverLocked:
		// A supervise that comes now finds the holds.
		return &agentv1.StopProof{Order: f.desired.HoldsOrder, How: state.StopSuperviseGone, At: timestamppb.Now()}
	case f.observed == nil || f.observed.StopProof == nil:
		return nil
	}
	p := f.observed.StopProof
	return &agentv1.StopProof{Order: p.Order, How: p.How, At: timestamppb.New(p.At)}
}

// dataOf is what lies on the volume: by the running server's word, else by the files'.
func dataOf(f facts, found contents) *agentv1.DataIdentity {
	identity := found.identity
	result := &agentv1.DataIdentity{}
	switch {
	case f.answer != nil:
		result.SystemId, result.Virgin, result.Pristine = f.answer.SystemID, f.answer.Virgin, new(f.answer.Virgin)
	case found.data.State != engine.DataComplete:
		return nil
	default:
		result.SystemId = found.data.SystemID
		// Without the server nobody can vouch for data that a server was started on.
		result.Virgin = identity != nil && identity.Virgin
	}
	if identity != nil && identity.SystemID == result.SystemId {
		result.ClaimUids = identity.ClaimUIDs
		result.DataGeneration = identity.DataGeneration
		result.HighestVersion = identity.HighestVersion
	} else {
		result.Virgin = result.Virgin && f.answer != nil
	}
	return result
}

// serverStatus puts the facts into the protocol's words. It is pure.
func serverStatus(f facts, podUID, unitUID string) *agentv1.ServerStatus {
	if !f.supervised {
		return unsupervised(f, podUID, unitUID)
	}
	if f.observed == nil {
		return &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_STARTING, Message: "supervise has just started"}
	}
	result := &agentv1.ServerStatus{
		State:   states[f.observed.State],
		Message: f.observed.Message,
		Since:   timestamppb.New(f.observed.Since),
	}
	switch f.observed.State {
	case state.StateStarting, state.StateRunning:
		if f.answer != nil {
			running(result, f)
		} else if f.observed.State == state.StateRunning {
			result.State = agentv1.ServerState_SERVER_STATE_STARTING
			result.Message = "the server runs but does not answer: " + f.answerError.Error()
		}
	case state.StateStopping:
		if f.answer != nil {
			result.Version, result.Writable = f.answer.Version, f.answer.Writable
		}
	}
	return result
}

// down is true when no server serves. Of one that runs and does not answer nobody knows:
// it hangs, or the question came to nothing, as that of an agent that has just been started
// on a busy machine. It is pure.
func down(f facts) bool {
	switch {
	case f.answer != nil:
		return false
	case !f.supervised:
		return !f.serverLocked
	case f.observed == nil:
		return true
	}
	return f.observed.State != state.StateRunning && f.observed.State != state.StateStopping
}

func running(result *agentv1.ServerStatus, f facts) {
	if f.observed == nil || f.observed.State != state.StateRunning {
		result.Message = ""
	}
	result.State = agentv1.ServerState_SERVER_STATE_RUNNING
	result.Version, result.Writable = f.answer.Version, f.answer.Writable
}

// unsupervised is the status while the database container is not up: not yet,
// or between two runs.
func unsupervised(f facts, podUID, unitUID string) *agentv1.ServerStatus {
	if f.serverLocked {
		// A server that outlived its supervise; in a container there is none.
		result := &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_STARTING, Message: "supervise is gone, its server is not"}
		if f.answer != nil {
			running(result, f)
			result.Message = "supervise is gone, its server is not"
		}
		return result
	}
	may := gate.MayRun(podUID, unitUID, f.desired)
	switch {
	case may.Action == gate.Wait:
		return &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_WAITING, Message: may.Reason}
	case may.Action == gate.Hold:
		return &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_HELD, Message: may.Reason}
	case f.observed == nil:
		return &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_STARTING, Message: "the database container has not started yet"}
	}
	message := "the database container has ended and will be started again"
	if f.observed.State == state.StateFailed && f.observed.Message != "" {
		message += ": " + f.observed.Message
	}
	return &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_FAILED, Message: message, Since: timestamppb.New(f.observed.Since)}
}

var roleNames = map[engine.Role]agentv1.Role{
	engine.RoleStandalone: agentv1.Role_ROLE_STANDALONE,
	engine.RoleManaged:    agentv1.Role_ROLE_MANAGED,
	engine.RoleSource:     agentv1.Role_ROLE_SOURCE,
	engine.RoleReplica:    agentv1.Role_ROLE_REPLICA,
	engine.RoleIsolated:   agentv1.Role_ROLE_ISOLATED,
}

var states = map[state.ServerState]agentv1.ServerState{
	state.StateWaiting:      agentv1.ServerState_SERVER_STATE_WAITING,
	state.StateHeld:         agentv1.ServerState_SERVER_STATE_HELD,
	state.StateInitializing: agentv1.ServerState_SERVER_STATE_INITIALIZING,
	state.StateStarting:     agentv1.ServerState_SERVER_STATE_STARTING,
	state.StateRunning:      agentv1.ServerState_SERVER_STATE_RUNNING,
	state.StateStopping:     agentv1.ServerState_SERVER_STATE_STOPPING,
	state.StateDataMissing:  agentv1.ServerState_SERVER_STATE_DATA_MISSING,
	state.StateFailed:       agentv1.ServerState_SERVER_STATE_FAILED,
}

// capabilities name what this agent can do beyond the first protocol.
func (r *statusReader) capabilities() []string {
	all := []string{capabilityOperations}
	if _, ok := r.engine.(engine.Replicator); ok {
		all = append(all, capabilityRoles)
	}
	if _, ok := r.engine.(engine.MemberAccounts); ok {
		all = append(all, capabilityMembers)
	}
	return all
}
