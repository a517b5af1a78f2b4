// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import "path/filepath"

// Built says whether a component was built on this machine before, be it from older sources. Building
// one takes minutes, which go test must not do unasked.
func Built(name string) bool {
	cache, err := CacheDir()
	if err != nil {
		return false
	}
	found, err := filepath.Glob(filepath.Join(cache, "bin", name+"-*"))
	return err == nil && len(found) > 0
}
