// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// ServerState is what supervise sees of the server.
type ServerState string

// The states are those of the protocol.
const (
	// StateWaiting: the pod is new and its first Apply has not come, or the data
	// volume is still locked by another supervise.
	StateWaiting ServerState = "Waiting"
	// StateHeld: a hold keeps the server down.
	StateHeld ServerState = "Held"
	// StateInitializing: the data directory is being made.
	StateInitializing ServerState = "Initializing"
	// StateStarting: started, does not answer yet.
	StateStarting ServerState = "Starting"
	// StateRunning: has answered since it was started.
	StateRunning ServerState = "Running"
	// StateStopping: asked to stop.
	StateStopping ServerState = "Stopping"
	// StateDataMissing: the volume is empty or holds another database than
	// expected.
	StateDataMissing ServerState = "DataMissing"
	// StateFailed: it could not be initialised or started, or it died.
	StateFailed ServerState = "Failed"
)

// Observed is what supervise sees.
type Observed struct {
	Header
	// PodUID of the pod supervise runs in.
	PodUID string      `json:"podUID"`
	State  ServerState `json:"state"`
	// Message explains the state in one sentence.
	Message string `json:"message,omitempty"`
	// Since is when State or Message last changed.
	Since time.Time `json:"since"`
	// RunningConfigHash is the configuration the server was started with; empty
	// while none runs.
	RunningConfigHash string `json:"runningConfigHash,omitempty"`
	// PID of the server in the database container; 0 while none runs.
	PID int `json:"pid,omitempty"`
	// Start names this life of the server; empty while none runs. StartRecord is the
	// record it was started with, and RestartOrder the order of restarts that its start
	// has fulfilled.
	Start        string             `json:"start,omitempty"`
	StartRecord  *engine.RoleRecord `json:"startRecord,omitempty"`
	RestartOrder int64              `json:"restartOrder,omitempty"`
	// StopProof is there while it is proven that no process of the server can run.
	StopProof *StopProof `json:"stopProof,omitempty"`
	// SystemID of the database this pod has run or initialised. It stays when
	// the volume vanishes.
	SystemID string `json:"systemID,omitempty"`
}

// How a server came to be proven down.
const (
	// StopExited: each of its processes has exited.
	StopExited = "Exited"
	// StopKilled: SIGKILL was delivered to what had not. Such a process executes nothing
	// more of its own, though the kernel may not have let go of it yet.
	StopKilled = "Killed"
	// StopNeverStarted: this pod has never started one.
	StopNeverStarted = "NeverStarted"
	// StopSuperviseGone: neither supervise nor a process of its server lives.
	StopSuperviseGone = "SuperviseGone"
)

// StopProof says that no process of the server can run, and that none will be started
// while the holds of its order are there.
type StopProof struct {
	// Order of the holds that was read before the server was looked at.
	Order int64     `json:"order"`
	How   string    `json:"how"`
	At    time.Time `json:"at"`
}
