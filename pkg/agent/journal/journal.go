// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package journal owns the journal's directory on the data volume, where
// operations are recorded so that a crash never runs one twice.
//
// Invariants:
//
//   - The journal has an id, made with it: who reads a record asks by the same id
//     whether it is the same journal.
//   - A record is there as it was written, or not at all. What Write has returned
//     for survives a power failure.
//   - There are no secrets in it.
package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

const (
	dirName = "journal"
	idFile  = "id"
)

// Ensure makes the journal below agentDir if there is none. The directory and its
// id appear together or not at all.
func Ensure(files state.Files, agentDir string) error {
	if id, err := ID(agentDir); id != "" || err != nil {
		return err
	}
	if err := state.EnsureDir(files, agentDir); err != nil {
		return err
	}
	if err := state.Sweep(agentDir, dirName); err != nil {
		return err
	}
	err := files.WriteDir(filepath.Join(agentDir, dirName), map[string][]byte{idFile: []byte(rand.Text() + "\n")}, 0o600)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the journal: %w", err)
	}
	return nil
}

// ID is the journal's id; empty if there is no journal yet. A journal without its
// id is an error: nobody knows any more which one it is.
func ID(agentDir string) (string, error) {
	dir := filepath.Join(agentDir, dirName)
	id, err := readID(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if _, err := os.Stat(dir); err == nil {
		return "", fmt.Errorf("the journal %s has lost its id", dir)
	}
	return "", nil
}

func readID(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, idFile))
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(content))
	if id == "" {
		return "", fmt.Errorf("the journal's id in %s is empty", dir)
	}
	return id, nil
}
