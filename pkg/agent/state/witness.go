// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// WitnessFile lies in the agent's directory on the data volume.
const WitnessFile = "role.json"

// Witness says which role the data had last. It is for people and for a Replication
// whose objects were restored without their status, on volumes that were kept. Nobody
// decides about a start by it.
type Witness struct {
	Header
	ReplicationUID string      `json:"replicationUID,omitempty"`
	Epoch          int64       `json:"epoch,omitempty"`
	Role           engine.Role `json:"role"`
	// Timeline that the server was on (PostgreSQL), 0 if unknown.
	Timeline int64 `json:"timeline,omitempty"`
}

// ReadWitness reads role.json below agentDir; nil if there is none.
func ReadWitness(agentDir string) (*Witness, error) {
	var w Witness
	found, err := readJSON(filepath.Join(agentDir, WitnessFile), &w)
	if err != nil || !found {
		return nil, err
	}
	return &w, nil
}

// WriteWitness replaces role.json below agentDir.
func WriteWitness(files Files, agentDir string, w Witness) error {
	if err := EnsureDir(files, agentDir); err != nil {
		return err
	}
	return files.writeJSON(filepath.Join(agentDir, WitnessFile), &w)
}
