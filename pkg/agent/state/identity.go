// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// IdentityFile lies in the agent's directory on the data volume.
const IdentityFile = "identity.json"

type identityFile struct {
	Header
	DataIdentity
}

// ReadIdentity reads identity.json below agentDir; nil if there is none.
func ReadIdentity(agentDir string) (*DataIdentity, error) {
	var f identityFile
	found, err := readJSON(filepath.Join(agentDir, IdentityFile), &f)
	if err != nil || !found {
		return nil, err
	}
	return &f.DataIdentity, nil
}

// WriteIdentity replaces identity.json below agentDir, which it makes if needed.
func WriteIdentity(files Files, agentDir string, identity DataIdentity) error {
	if err := EnsureDir(files, agentDir); err != nil {
		return err
	}
	return files.writeJSON(filepath.Join(agentDir, IdentityFile), &identityFile{DataIdentity: identity})
}

// EnsureDir makes dir, mode 0700, if it does not exist, and its name durable.
func EnsureDir(files Files, dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return files.SyncDir(filepath.Dir(dir))
}
