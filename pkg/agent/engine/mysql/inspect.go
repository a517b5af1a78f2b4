// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Inspect implements engine.Engine. A data directory has the system tablespace
// and the data dictionary (mysql.ibd, before 8.0 the table mysql.user).
func (e *Engine) Inspect(context.Context) (engine.Data, error) {
	dir := e.env.DataDir()
	empty, err := place.Empty(dir)
	if err != nil {
		return engine.Data{}, err
	}
	if empty {
		return engine.Data{State: engine.DataNone}, nil
	}
	for _, alternatives := range [][]string{{"ibdata1"}, {"mysql.ibd", "mysql/user.frm"}} {
		found, err := oneExists(dir, alternatives)
		if err != nil {
			return engine.Data{}, err
		}
		if !found {
			return engine.Data{
				State:   engine.DataUnknown,
				Message: fmt.Sprintf("%s is not empty and has no %s: not a complete MySQL data directory", dir, strings.Join(alternatives, " or ")),
			}, nil
		}
	}
	id, err := serverUUID(filepath.Join(dir, "auto.cnf"))
	if err != nil {
		return engine.Data{}, err
	}
	return engine.Data{State: engine.DataComplete, SystemID: id}, nil
}

func oneExists(dir string, names []string) (bool, error) {
	for _, name := range names {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// serverUUID reads auto.cnf; empty if there is none.
func serverUUID(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		switch strings.TrimSpace(key) {
		case "server-uuid", "server_uuid":
			if ok {
				return strings.TrimSpace(value), nil
			}
		}
	}
	return "", lines.Err()
}
