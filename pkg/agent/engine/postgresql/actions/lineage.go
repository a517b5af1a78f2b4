// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lineageFile lies in a data directory that an operation has made, and its copies take
// it along. Two restores of one backup have the same system id, and the timelines they
// begin may have the same number: an incremental backup of the one must not continue a
// backup of the other, which the server would not notice.
const lineageFile = "unit_agent.lineage"

// lineage of a data directory; empty if it is as initdb made it.
func lineage(data string) (string, error) {
	content, err := os.ReadFile(filepath.Join(data, lineageFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}

func newLineage(data string) error {
	return os.WriteFile(filepath.Join(data, lineageFile), []byte(rand.Text()+"\n"), 0o600)
}

// keepHistory lets the timeline that begins in data have a number that the old
// database of this unit has not had: its standbys must not take one for the other.
// The server takes the first number after its own that has no history file.
func keepHistory(old, data string) error {
	files, err := filepath.Glob(filepath.Join(old, "pg_wal", "*.history"))
	if err != nil {
		return err
	}
	highest := int64(1)
	known := map[int64][]byte{}
	for _, path := range files {
		line, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(path), ".history"), 16, 64)
		if err != nil {
			continue
		}
		if known[line], err = os.ReadFile(path); err != nil {
			return err
		}
		highest = max(highest, line)
	}
	for line := int64(2); line <= highest; line++ {
		path := filepath.Join(data, "pg_wal", fmt.Sprintf("%08X.history", line))
		if _, err := os.Lstat(path); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		content := known[line]
		if content == nil {
			// A gap would end the server's search.
			content = known[highest]
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
