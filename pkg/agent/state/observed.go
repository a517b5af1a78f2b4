// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import "time"

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
	// SystemID of the database this pod has run or initialised. It stays when
	// the volume vanishes.
	SystemID string `json:"systemID,omitempty"`
}
