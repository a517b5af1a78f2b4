// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// channelFile holds the password of the replication channels, and nothing else. It is
// not on the data volume: base backups would carry it.
const channelFile = "channel-password"

// Channel is the account that d's replication channels log in with.
func (s *Store) Channel(d Desired) (engine.ChannelAccount, error) {
	if d.ChannelUser == "" {
		return engine.ChannelAccount{}, nil
	}
	password, err := s.channelPassword()
	return engine.ChannelAccount{User: d.ChannelUser, Password: password}, err
}

func (s *Store) channelPassword() (string, error) {
	content, err := os.ReadFile(filepath.Join(s.dir, channelFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(content), err
}

func (s *Store) writeChannelPassword(password string) error {
	return s.files.WriteFile(filepath.Join(s.dir, channelFile), []byte(password), 0o600)
}
