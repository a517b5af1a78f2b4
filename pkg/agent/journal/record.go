// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/state"
)

// recordVersion is raised only by a change that an older agent would misread.
const recordVersion = 1

const (
	recordPrefix = "operation-"
	recordSuffix = ".json"
)

// State of an operation.
type State string

// The states are those of the protocol.
const (
	Running     State = "Running"
	Interrupted State = "Interrupted"
	Cancelling  State = "Cancelling"
	Succeeded   State = "Succeeded"
	Failed      State = "Failed"
	Cancelled   State = "Cancelled"
)

// Final tells whether nothing will change any more.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Record is one operation.
type Record struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Action  string `json:"action"`
	// Parameters as operation.Encode makes them.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	State      State           `json:"state"`
	// Phase the action has entered, and what it wrote down for it.
	Phase     string          `json:"phase,omitempty"`
	PhaseData json.RawMessage `json:"phaseData,omitempty"`
	// Held is true while the operation may keep the server down: written before the
	// hold is set, and cleared after the server has answered again.
	Held bool `json:"held,omitempty"`
	// Released is true from before the hold is cleared until the server has answered:
	// clients may have written, so the hold is not set again for this.
	Released bool `json:"released,omitempty"`
	// CancelRequested tells a cancelled operation from one that is cleaned up because
	// it was interrupted.
	CancelRequested bool `json:"cancelRequested,omitempty"`
	// Message, Reason and Result are the outcome.
	Message string            `json:"message,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Result  map[string]string `json:"result,omitempty"`

	Started time.Time `json:"started"`
	// InterruptedAt is when the operation began to wait for its secrets.
	InterruptedAt time.Time `json:"interruptedAt,omitzero"`
	Finished      time.Time `json:"finished,omitzero"`
	Acknowledged  time.Time `json:"acknowledged,omitzero"`
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// ValidID says whether id can name a record.
func ValidID(id string) bool { return idForm.MatchString(id) }

func recordPath(agentDir, id string) string {
	return filepath.Join(agentDir, dirName, recordPrefix+id+recordSuffix)
}

// Write replaces the record, durably. If it fails, either the old record or the new
// one is there.
func Write(files state.Files, agentDir string, r Record) error {
	if !ValidID(r.ID) {
		return fmt.Errorf("operation id %q is malformed", r.ID)
	}
	r.Version = recordVersion
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("recording operation %s: %w", r.ID, err)
	}
	path, content := recordPath(agentDir, r.ID), append(content, '\n')
	err = files.WriteFile(path, content, 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		if os.Remove(filepath.Join(agentDir, dirName, ballastFile)) == nil {
			err = files.WriteFile(path, content, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("recording operation %s: %w", r.ID, err)
	}
	return nil
}

const (
	ballastFile = "ballast"
	ballastSize = 64 << 10
)

// Ballast keeps a little room on the volume, which Write gives up when it is full: an
// operation that has filled it must be able to say so, and to record that it goes
// back.
func Ballast(files state.Files, agentDir string) error {
	path := filepath.Join(agentDir, dirName, ballastFile)
	if info, err := os.Stat(path); err == nil && info.Size() == ballastSize {
		return nil
	}
	if err := state.Sweep(filepath.Dir(path), ballastFile); err != nil {
		return err
	}
	return files.WriteFile(path, bytes.Repeat([]byte("ballast\n"), ballastSize/8), 0o600)
}

// Remove removes the record, durably; there need not be one.
func Remove(files state.Files, agentDir, id string) error {
	if !ValidID(id) {
		return fmt.Errorf("operation id %q is malformed", id)
	}
	path := recordPath(agentDir, id)
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return files.SyncDir(filepath.Dir(path))
}

// Damaged is a record that cannot be read.
type Damaged struct {
	Err error
	// Changed is when its file was last written.
	Changed time.Time
}

// List reads all records, in no order, and removes what a crashed Write left. Records
// that cannot be read are told by id: what became of those operations is unknown.
// Only the journal's one writer may call it.
func List(agentDir string) ([]Record, map[string]Damaged, error) {
	dir := filepath.Join(agentDir, dirName)
	if err := state.Sweep(dir, strings.TrimSuffix(recordPrefix, "-")); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var records []Record
	damaged := map[string]Damaged{}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), recordPrefix)
		if !ok {
			continue
		}
		id = strings.TrimSuffix(id, recordSuffix)
		r, err := read(agentDir, id)
		if err != nil {
			d := Damaged{Err: err}
			if info, err := e.Info(); err == nil {
				d.Changed = info.ModTime()
			}
			damaged[id] = d
			continue
		}
		records = append(records, r)
	}
	return records, damaged, nil
}

func read(agentDir, id string) (Record, error) {
	path := recordPath(agentDir, id)
	content, err := os.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(content, &r); err != nil {
		return Record{}, fmt.Errorf("reading %s: %w", path, err)
	}
	if r.Version < 1 || r.Version > recordVersion {
		return Record{}, fmt.Errorf("reading %s: format version %d, this agent knows 1 to %d", path, r.Version, recordVersion)
	}
	if r.ID != id {
		return Record{}, fmt.Errorf("reading %s: it is the record of %q", path, r.ID)
	}
	return r, nil
}
