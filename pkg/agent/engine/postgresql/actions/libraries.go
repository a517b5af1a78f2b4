// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// preloads are the variables that name libraries: a server or a session with one that is
// not there does not start, and the server believes what it is given until then.
var preloads = []string{"shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"}

// loadable fails if the variable names a library that the image, which is the server's
// too, does not have.
func loadable(ctx context.Context, conn *pgx.Conn, name, value string) error {
	if !slices.Contains(preloads, name) {
		return nil
	}
	names, err := splitList(value)
	if err != nil {
		return operations.Failed("Refused", "the value of %s: %w; %s", name, err, noneChanged)
	}
	var libdir, path string
	if err := conn.QueryRow(ctx, "SELECT (SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'), current_setting('dynamic_library_path')").Scan(&libdir, &path); err != nil {
		return err
	}
	for _, library := range names {
		if !libraryExists(library, libdir, path) {
			return operations.Failed("Refused", "%s names the library %s, and the image has none of that name in %s: no server would start with it; %s", name, library, path, noneChanged)
		}
	}
	return nil
}

// libraryExists says whether the server would find a library.
func libraryExists(library, libdir, path string) bool {
	dirs := strings.Split(path, ":")
	if strings.Contains(library, "/") {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		file := strings.Replace(filepath.Join(dir, library), "$libdir", libdir, 1)
		for _, suffix := range []string{"", ".so"} {
			if info, err := os.Stat(file + suffix); err == nil && info.Mode().IsRegular() {
				return true
			}
		}
	}
	return false
}
