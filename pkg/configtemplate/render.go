// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Limits of a rendering.
const (
	// MaxOutput is how many bytes all files of one unit may have together.
	MaxOutput = 256 << 10
	// maxFiles is how many files there may be.
	maxFiles = 32
)

// ErrOutputTooLarge is in the error of a Render whose files exceed MaxOutput.
var ErrOutputTooLarge = fmt.Errorf("the configuration is larger than %d KiB", MaxOutput>>10)

// dot is what templates see.
type dot struct {
	Facts
	// Values are the merged values.
	Values map[string]any
}

// fileName is what a ConfigMap's key may be to become a file.
var fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// Render makes a unit's configuration. Its errors name the template's key, the
// line, and the value or function that failed, for the condition that a user
// reads.
func Render(in Input) (Output, error) {
	syntax, ok := syntaxes[in.Type]
	if !ok {
		return Output{}, fmt.Errorf("no configuration for units of type %q", in.Type)
	}
	names, err := fileNames(in.Type, in.Files)
	if err != nil {
		return Output{}, err
	}
	values, err := mergeLayers(in.Values)
	if err != nil {
		return Output{}, err
	}
	budget := newBudget()
	files := make(map[string][]byte, len(names))
	for _, key := range slices.Sorted(maps.Keys(names)) {
		t, err := parseTemplate(key, in.Files[key], syntax, budget)
		if err != nil {
			return Output{}, err
		}
		content, err := t.execute(dot{Facts: in.Facts, Values: values})
		if err != nil {
			return Output{}, err
		}
		files[names[key]] = content
	}
	return OutputOf(files), nil
}

// Check parses the templates of a ConfigMap without rendering them. A package
// whose templates do not parse is broken.
func Check(unitType string, files map[string]string) error {
	syntax, ok := syntaxes[unitType]
	if !ok {
		return fmt.Errorf("no configuration for units of type %q", unitType)
	}
	names, err := fileNames(unitType, files)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if _, err := parseTemplate(key, files[key], syntax, newBudget()); err != nil {
			return err
		}
	}
	return nil
}

// fileNames maps the keys of the templates to the files they become.
func fileNames(unitType string, files map[string]string) (map[string]string, error) {
	if _, ok := files[unitType]; !ok {
		return nil, fmt.Errorf("key %s is missing: it holds the template of %s", unitType, MainFile(unitType))
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("%d files: at most %d", len(files), maxFiles)
	}
	names := make(map[string]string, len(files))
	for _, key := range slices.Sorted(maps.Keys(files)) {
		switch {
		case key == unitType:
			names[key] = MainFile(unitType)
		case key == MainFile(unitType):
			return nil, fmt.Errorf("key %s: the template of %s belongs in the key %s", key, key, unitType)
		case !fileName.MatchString(key):
			return nil, fmt.Errorf("key %q is no name for a file", key)
		default:
			names[key] = key
		}
	}
	return names, nil
}

// OutputOf files that were rendered before.
func OutputOf(files map[string][]byte) Output {
	return Output{Files: files, Hash: hashFiles(files)}
}

func hashFiles(files map[string][]byte) string {
	h := sha256.New()
	part := func(b []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		part([]byte(name))
		part(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// limitedWriter keeps what a template writes, up to the budget.
type limitedWriter struct {
	content []byte
	budget  *budget
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if err := w.budget.write(len(p)); err != nil {
		return 0, err
	}
	w.content = append(w.content, p...)
	return len(p), nil
}

// execute runs the template. text/template turns panics of functions into errors;
// one of its own becomes an error here.
func (t *template) execute(d dot) (content []byte, err error) {
	w := &limitedWriter{budget: t.budget}
	defer func() {
		if r := recover(); r != nil {
			content, err = nil, fmt.Errorf("template %s: %v", t.key, r)
		}
	}()
	if err := t.text.Execute(w, d); err != nil {
		for _, limit := range []error{ErrOutputTooLarge, ErrTooMuchWork} {
			if errors.Is(err, limit) {
				return nil, fmt.Errorf("template %s: %w", t.key, limit)
			}
		}
		return nil, explain(err)
	}
	return w.content, nil
}

// explain shortens what text/template says of a missing value.
func explain(err error) error {
	message := err.Error()
	if at, key, ok := strings.Cut(message, "map has no entry for key "); ok {
		return fmt.Errorf("%sthere is no value %s", at, key)
	}
	return err
}
