// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// autoConf is what ALTER SYSTEM writes. The server reads it after every other file,
// and a base backup carries it: a new standby would have the settings of its donor.
const autoConf = "postgresql.auto.conf"

// ownedSettings may not stand there on a server with a role.
var ownedSettings = map[string]bool{
	"primary_conninfo": true, "primary_slot_name": true, "synchronous_standby_names": true,
	"default_transaction_read_only": true, "hot_standby": true, "promote_trigger_file": true,
	"restore_command": true, "archive_cleanup_command": true, "recovery_end_command": true,
	"wal_retrieve_retry_interval": true, "wal_receiver_status_interval": true, "wal_receiver_timeout": true,
}

func owned(name string) bool {
	name = strings.ToLower(name)
	return ownedSettings[name] || strings.HasPrefix(name, "recovery_target")
}

// withoutOwned removes the settings that the agent owns.
func withoutOwned(content string) (stripped string, changed bool) {
	var b strings.Builder
	for line := range strings.Lines(content) {
		if owned(settingName(line)) {
			changed = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), changed
}

// settingName of a line: the = is optional.
func settingName(line string) string {
	line = strings.TrimSpace(line)
	end := strings.IndexFunc(line, func(r rune) bool {
		return r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		return line
	}
	return line[:end]
}

// stripAutoConf is for a server that does not run.
func (e *Engine) stripAutoConf() error {
	path := filepath.Join(e.env.DataDir(), autoConf)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stripped, changed := withoutOwned(string(content))
	if !changed {
		return nil
	}
	return place.File(path, []byte(stripped), 0o600)
}
