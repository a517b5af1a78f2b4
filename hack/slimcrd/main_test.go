// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/operation"
)

var types = []string{operation.MySQL, operation.PostgreSQL, operation.ProxySQL}

// Names are written here that the globs of pkg/operation stand for: neither may the
// one have what the other lacks.
func TestTheKeysThatAreRefusedAreTheOperatorsVariables(t *testing.T) {
	var globs []string
	for _, typ := range types {
		globs = append(globs, operation.OwnedVariables(typ)...)
	}
	for glob, names := range spelled {
		if !slices.Contains(globs, glob) {
			t.Errorf("%s is none of the operator's globs any more", glob)
		}
		for _, name := range names {
			if !slices.ContainsFunc(types, func(typ string) bool { return operation.OwnedVariable(typ, name) }) {
				t.Errorf("%s is not the operator's", name)
			}
		}
	}
	for _, glob := range globs {
		if _, ok := spelled[glob]; strings.Contains(glob, "*") && !ok {
			t.Errorf("no variable is named that %s matches", glob)
		}
	}
}

// A value of a package that bore the name of one of the operator's variables could
// be set for a unit and not for the set.
func TestNoValueOfAPackageIsRefused(t *testing.T) {
	files, err := filepath.Glob("../packages/*/values.yaml")
	if err != nil || len(files) != len(types) {
		t.Fatalf("found values of %d packages (%v), want %d", len(files), err, len(types))
	}
	schema := map[string]any{"type": "object", "additionalProperties": map[string]any{}}
	own(schema)
	if schema["additionalProperties"] != nil {
		t.Error("the schema has additionalProperties beside its properties, which no API server takes")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]any{}
		if err := yaml.Unmarshal(raw, &values); err != nil {
			t.Fatal(err)
		}
		for name, value := range values {
			key := walk(schema, "properties", name)
			if name != "options" && name != "admin_options" {
				if key != nil {
					t.Errorf("%s: %s is refused", file, name)
				}
				continue
			}
			options, _ := value.(map[string]any)
			for option := range options {
				if walk(key, "properties", option) != nil {
					t.Errorf("%s: %s.%s is refused", file, name, option)
				}
			}
		}
	}
}
