// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// credentialsFile in the agent's directory on the data volume.
const credentialsFile = "proxysql-credentials.json"

// adminUser may change everything, from the loopback address only; statsUser may
// read statistics. Both have well-known passwords until told otherwise.
const (
	adminUser = "admin"
	statsUser = "stats"
)

// credentials of the admin interface, hexadecimal digits.
type credentials struct {
	Admin engine.Secret
	Stats engine.Secret
}

// storedCredentials is the file; a Secret would write stars.
type storedCredentials struct {
	Admin string `json:"admin"`
	Stats string `json:"stats"`
}

func (e *Engine) credentialsPath() string { return filepath.Join(e.env.AgentDir(), credentialsFile) }

// credentials reads the file. They are generated once and never change, so that
// they are right for the database too.
func (e *Engine) credentials() (credentials, error) {
	content, err := os.ReadFile(e.credentialsPath())
	if err != nil {
		return credentials{}, fmt.Errorf("reading the admin interface's credentials: %w", err)
	}
	var stored storedCredentials
	if err := json.Unmarshal(content, &stored); err != nil || stored.Admin == "" || stored.Stats == "" {
		// The error could quote the content.
		return credentials{}, fmt.Errorf("%s does not hold the admin interface's credentials", e.credentialsPath())
	}
	return credentials{Admin: engine.Secret(stored.Admin), Stats: engine.Secret(stored.Stats)}, nil
}

// ensureCredentials makes the file if there is none.
func (e *Engine) ensureCredentials() (credentials, error) {
	c, err := e.credentials()
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	content, err := json.Marshal(storedCredentials{Admin: randomHex(), Stats: randomHex()})
	if err != nil {
		return credentials{}, err
	}
	if err := os.MkdirAll(e.env.AgentDir(), 0o700); err != nil {
		return credentials{}, err
	}
	if err := place.File(e.credentialsPath(), content, 0o600); err != nil {
		return credentials{}, fmt.Errorf("writing the admin interface's credentials: %w", err)
	}
	return e.credentials()
}

func randomHex() string {
	var b [16]byte
	// It never fails.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
