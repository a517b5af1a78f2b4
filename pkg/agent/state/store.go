// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// File names in the state directory.
const (
	DesiredFile  = "desired.json"
	ObservedFile = "observed.json"
	configDir    = "config"
	// operatorFile's time is that of the operator's last call.
	operatorFile = "operator-called"
)

// ErrConfigConflict means that a hash came with other content than before.
var ErrConfigConflict = errors.New("the configuration's hash is known with other content")

// Store is the state directory.
type Store struct {
	dir   string
	files Files
}

// NewStore is the store in dir, which must exist. Files is for tests; its zero
// value is right.
func NewStore(dir string, files Files) *Store { return &Store{dir: dir, files: files} }

// Dir is the state directory.
func (s *Store) Dir() string { return s.dir }

// Desired reads desired.json; nil if there is none.
func (s *Store) Desired() (*Desired, error) {
	var d Desired
	found, err := readJSON(filepath.Join(s.dir, DesiredFile), &d)
	if err != nil || !found {
		return nil, err
	}
	return &d, nil
}

// WriteDesired replaces desired.json; when it returns nil the content survives a
// power failure.
func (s *Store) WriteDesired(d Desired) error {
	if d.Holds == nil {
		d.Holds = []string{}
	}
	return s.files.writeJSON(filepath.Join(s.dir, DesiredFile), &d)
}

// Observed reads observed.json; nil if there is none.
func (s *Store) Observed() (*Observed, error) {
	var o Observed
	found, err := readJSON(filepath.Join(s.dir, ObservedFile), &o)
	if err != nil || !found {
		return nil, err
	}
	return &o, nil
}

// WriteObserved replaces observed.json.
func (s *Store) WriteObserved(o Observed) error {
	return s.files.writeJSON(filepath.Join(s.dir, ObservedFile), &o)
}

var (
	hashForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$`)
)

// ValidateConfig says whether a configuration can be stored: its hash and file
// names must be usable as names in a directory, and there must be a file.
func ValidateConfig(hash string, files map[string][]byte) error {
	if !hashForm.MatchString(hash) {
		return fmt.Errorf("configuration hash %q: want 1 to 128 letters, digits, ., _, : or -, the first a letter or digit", hash)
	}
	if len(files) == 0 {
		return errors.New("a configuration needs at least one file")
	}
	for name := range files {
		if !nameForm.MatchString(name) {
			return fmt.Errorf("configuration file %q: want a base name of letters, digits, ., - or _", name)
		}
	}
	return nil
}

// WriteConfig stores a configuration under its hash, durably. Storing the same
// again does nothing; other content under a known hash is ErrConfigConflict.
func (s *Store) WriteConfig(hash string, files map[string][]byte) error {
	if err := ValidateConfig(hash, files); err != nil {
		return err
	}
	parent := filepath.Join(s.dir, configDir)
	known, err := s.Config(hash)
	switch {
	case err == nil:
		if !sameFiles(known, files) {
			return fmt.Errorf("%w: %s", ErrConfigConflict, hash)
		}
		// An earlier call may have failed to make the name durable.
		return s.files.SyncDir(parent)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.Mkdir(parent, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.files.SyncDir(s.dir); err != nil {
		return err
	}
	if err := s.files.WriteDir(filepath.Join(parent, hash), files, 0o600); err != nil {
		return fmt.Errorf("writing configuration %s: %w", hash, err)
	}
	return nil
}

// Config reads a stored configuration; the error is fs.ErrNotExist if there is
// none by that hash.
func (s *Store) Config(hash string) (map[string][]byte, error) {
	if !hashForm.MatchString(hash) {
		return nil, fmt.Errorf("configuration hash %q is malformed", hash)
	}
	dir := filepath.Join(s.dir, configDir, hash)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(entries))
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files[e.Name()] = content
	}
	return files, nil
}

// PruneConfigs removes all configurations but those to keep, and what crashed
// writers left. Only serve may call it.
func (s *Store) PruneConfigs(keep ...string) error {
	parent := filepath.Join(s.dir, configDir)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !slices.Contains(keep, e.Name()) {
			errs = append(errs, os.RemoveAll(filepath.Join(parent, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func sameFiles(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name, content := range a {
		other, ok := b[name]
		if !ok || !bytes.Equal(content, other) {
			return false
		}
	}
	return true
}

// OperatorCalled notes that the operator has called now. It is for the preStop hook, in
// another container: it need not survive anything.
func (s *Store) OperatorCalled(now time.Time) error {
	path := filepath.Join(s.dir, operatorFile)
	err := os.Chtimes(path, now, now)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.WriteFile(path, nil, 0o600); err == nil {
			err = os.Chtimes(path, now, now)
		}
	}
	return err
}

// LastOperatorCall is when the operator has called last; the zero time if never.
func (s *Store) LastOperatorCall() (time.Time, error) {
	info, err := os.Stat(filepath.Join(s.dir, operatorFile))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
