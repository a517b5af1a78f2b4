// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/gate"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/version"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// observeTimeout bounds the one query of a status.
const observeTimeout = 2 * time.Second

// statusReader puts together what the files, the locks and the server say. It
// keeps nothing in memory: every answer is of now.
type statusReader struct {
	env    engine.Env
	engine engine.Engine
	store  *state.Store
}

// facts are what a status is made from.
type facts struct {
	desired  *state.Desired
	observed *state.Observed
	// supervised is true while supervise lives; serverLocked while the volume's
	// lock is held, by supervise or by a server that outlived it.
	supervised, dataLocked bool
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
	if f.dataLocked, err = state.Locked(filepath.Join(r.env.AgentDir(), state.DataLock)); err != nil {
		return f, err
	}
	if mayAnswer(f) {
		queryContext, cancel := context.WithTimeout(ctx, observeTimeout)
		defer cancel()
		observation, err := r.engine.Observe(queryContext)
		if err != nil {
			f.answerError = err
		} else {
			f.answer = &observation
		}
	}
	return f, nil
}

// mayAnswer says whether there may be a server to ask.
func mayAnswer(f facts) bool {
	if !f.supervised {
		return f.dataLocked
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
		Capabilities: []string{capabilityOperations},
		PodUid:       r.env.PodUID,
		UnitUid:      r.env.UID,
		Server:       serverStatus(f, r.env.PodUID, r.env.UID),
	}
	if d := f.desired; d != nil && d.PodUID == r.env.PodUID && d.UnitUID == r.env.UID {
		response.Epoch = d.Epoch
		response.UnitGeneration = d.UnitGeneration
		response.Holds = d.Holds
		response.Role = roles[d.Role]
		response.Configuration = &agentv1.ConfigurationStatus{AppliedHash: d.ConfigHash}
		if f.observed != nil && f.supervised && f.observed.RunningConfigHash != "" {
			response.Configuration.RunningHash = f.observed.RunningConfigHash
			// So far no engine takes up a difference while it runs.
			response.Configuration.RestartRequired = f.observed.RunningConfigHash != d.ConfigHash
		}
	}
	if response.Data, err = r.data(ctx, f); err != nil {
		// The rest of the status is worth having; the operator sees data unset only
		// together with a state that says why.
		klog.FromContext(ctx).Error(err, "The data's identity cannot be read")
	}
	if response.JournalId, err = journal.ID(r.env.AgentDir()); err != nil {
		klog.FromContext(ctx).Error(err, "The journal cannot be read")
	}
	return response, nil
}

// data is what lies on the volume: by the running server's word, else by the
// files'.
func (r *statusReader) data(ctx context.Context, f facts) (*agentv1.DataIdentity, error) {
	identity, err := state.ReadIdentity(r.env.AgentDir())
	if err != nil {
		return nil, err
	}
	var systemID string
	var virgin bool
	switch {
	case f.answer != nil:
		systemID, virgin = f.answer.SystemID, f.answer.Virgin
	default:
		data, err := r.engine.Inspect(ctx)
		if err != nil {
			return nil, err
		}
		if data.State != engine.DataComplete {
			return nil, nil
		}
		systemID = data.SystemID
		// Without the server nobody can vouch for data that a server was started on.
		virgin = identity != nil && identity.Virgin
	}
	result := &agentv1.DataIdentity{SystemId: systemID, Virgin: virgin}
	if identity != nil && identity.SystemID == systemID {
		result.ClaimUids = identity.ClaimUIDs
		result.DataGeneration = identity.DataGeneration
	} else {
		result.Virgin = result.Virgin && f.answer != nil
	}
	return result, nil
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
	if f.dataLocked {
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

var roles = map[engine.Role]agentv1.Role{
	engine.RoleStandalone: agentv1.Role_ROLE_STANDALONE,
	engine.RoleManaged:    agentv1.Role_ROLE_MANAGED,
	engine.RoleSource:     agentv1.Role_ROLE_SOURCE,
	engine.RoleReplica:    agentv1.Role_ROLE_REPLICA,
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
