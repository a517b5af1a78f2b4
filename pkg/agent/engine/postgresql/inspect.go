// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
)

// Inspect implements engine.Engine. A data directory has PG_VERSION and the
// control file.
func (e *Engine) Inspect(context.Context) (engine.Data, error) {
	dir := e.env.DataDir()
	empty, err := place.Empty(dir)
	if err != nil {
		return engine.Data{}, err
	}
	if empty {
		return engine.Data{State: engine.DataNone}, nil
	}
	version, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return unknown("%s is not empty and has no PG_VERSION: not a PostgreSQL data directory", dir), nil
	}
	if err != nil {
		return engine.Data{}, err
	}
	id, err := systemID(filepath.Join(dir, "global", "pg_control"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return unknown("%s has no whole global/pg_control: not a complete PostgreSQL data directory", dir), nil
	}
	if err != nil {
		return engine.Data{}, err
	}
	return engine.Data{State: engine.DataComplete, SystemID: id, Version: strings.TrimSpace(string(version))}, nil
}

func unknown(format string, args ...any) engine.Data {
	return engine.Data{State: engine.DataUnknown, Message: fmt.Sprintf(format, args...)}
}

// systemID reads the first field of the control file, in the byte order of the
// machine, which the server demands too.
func systemID(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var id [8]byte
	if _, err := io.ReadFull(f, id[:]); err != nil {
		return "", err
	}
	return strconv.FormatUint(binary.NativeEndian.Uint64(id[:]), 10), nil
}
