// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// restoredFile in the agent's directory tells of the last restore.
const restoredFile = "restored.json"

// restored is what the last restore or clone of this volume was made of. It stays
// when the data is replaced.
type restored struct {
	// Backup is its address and id.
	Backup   string `json:"backup"`
	BackupID string `json:"backupID"`
	// GTIDExecuted is the backup's; empty if it says nothing.
	GTIDExecuted string `json:"gtidExecuted,omitempty"`
	// Logged: the binary log has it too, as ordinary transactions.
	Logged bool `json:"logged,omitempty"`
	// At is when it ended: backups taken before are of other data.
	At time.Time `json:"at"`
}

func (u unit) recordRestored(r restored) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return u.Files.WriteFile(filepath.Join(u.Env.AgentDir(), restoredFile), append(content, '\n'), 0o600)
}

// lastRestored is nil if nothing was.
func (u unit) lastRestored() (*restored, error) {
	content, err := os.ReadFile(filepath.Join(u.Env.AgentDir(), restoredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &restored{}
	return r, json.Unmarshal(content, r)
}
