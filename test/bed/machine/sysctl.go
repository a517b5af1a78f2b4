// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Settings are kernel settings by name (as in /proc/sys, with slashes).
type Settings map[string]string

func settingPath(name string) string { return filepath.Join("/proc/sys", name) }

// SaveSettings writes the present values of the named settings to path, unless path exists: then they
// were saved before they were changed. A setting that this kernel lacks is left out.
func SaveSettings(path string, names []string) error {
	if exists(path) {
		return nil
	}
	saved := Settings{}
	for _, name := range names {
		data, err := os.ReadFile(settingPath(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		saved[name] = strings.TrimSpace(string(data))
	}
	data, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// Apply sets the settings.
func (s Settings) Apply() error {
	var errs []error
	for name, value := range s {
		errs = append(errs, os.WriteFile(settingPath(name), []byte(value), 0o644))
	}
	return errors.Join(errs...)
}

// RestoreSettings sets the settings saved at path, if there are any.
func RestoreSettings(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var saved Settings
	if err := json.Unmarshal(data, &saved); err != nil {
		return err
	}
	return saved.Apply()
}
