// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command slimcrd finishes the CRDs that controller-gen wrote, where they embed
// Kubernetes' own types (pod and claim templates), which no marker reaches:
//
//   - It takes their descriptions out. With them the file would be too large for
//     the annotation of a client-side kubectl apply. Our own fields keep theirs,
//     for kubectl explain.
//   - It bounds the lengths that CEL rules look at, so that the API server can
//     tell that the rules are cheap.
//
// In the configuration of a UnitSet, which is a map of any JSON, it lets the keys be
// refused that belong to the operator.
//
// It fails if a field it is meant for is gone.
package main

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// embedded are the fields of specs that hold Kubernetes' own types.
var embedded = []string{
	"template", "volumeClaimTemplates", "env", "resources", "agentResources", "imagePullSecrets",
	"scheduling.tolerations", "scheduling.topologySpreadConstraints",
}

// bound is a limit that one place of a spec's schema gets. [] in a path are the
// items of a list, {} the values of a map.
type bound struct {
	kind, path, key string
	value           int
}

var bounds = []bound{
	{"Unit", "template.spec.containers", "maxItems", 64},
	{"Unit", "template.spec.containers.[].name", "maxLength", 63},
	{"Unit", "volumeClaimTemplates.[].metadata.name", "maxLength", 63},
	{"Unit", "volumeClaimTemplates.[].spec.storageClassName", "maxLength", 253},
	{"Unit", "volumeClaimTemplates.[].spec.resources.requests.{}", "maxLength", 32},
	{"UnitSet", "resources.limits.{}", "maxLength", 32},
	{"UnitSet", "resources.requests.{}", "maxLength", 32},
	{"UnitSet", "agentResources.limits.{}", "maxLength", 32},
	{"UnitSet", "agentResources.requests.{}", "maxLength", 32},
	{"UnitSet", "imagePullSecrets.[].name", "maxLength", 253},
	{"UnitSet", "env.[].name", "maxLength", 253},
}

func main() {
	for _, path := range os.Args[1:] {
		if err := finish(path); err != nil {
			fmt.Fprintf(os.Stderr, "slimcrd: %s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func finish(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return err
	}
	kind, _ := walk(crd, "spec", "names")["kind"].(string)
	versions, _ := walk(crd, "spec")["versions"].([]any)
	if kind == "" || len(versions) == 0 {
		return fmt.Errorf("no CustomResourceDefinition")
	}
	for _, version := range versions {
		spec := walk(version, "schema", "openAPIV3Schema", "properties", "spec")
		if spec == nil {
			return fmt.Errorf("no schema of spec")
		}
		slim(spec)
		if err := limit(kind, spec); err != nil {
			return err
		}
		if kind == "UnitSet" {
			configuration := walk(spec, "properties", "configuration")
			if configuration == nil {
				return fmt.Errorf("no field configuration in the spec of UnitSet")
			}
			own(configuration)
		}
	}
	out, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte("---\n"), out...), 0o644)
}

// slim removes the descriptions below embedded fields, not those fields' own.
func slim(spec map[string]any) {
	for _, path := range embedded {
		field := spec
		for step := range strings.SplitSeq(path, ".") {
			field = walk(field, "properties", step)
		}
		if field == nil {
			continue
		}
		own := field["description"]
		strip(field)
		if own != nil {
			field["description"] = own
		}
	}
}

// limit sets the bounds of a kind.
func limit(kind string, spec map[string]any) error {
	for _, b := range bounds {
		if b.kind != kind {
			continue
		}
		schema := spec
		for step := range strings.SplitSeq(b.path, ".") {
			switch step {
			case "[]":
				schema = walk(schema, "items")
			case "{}":
				schema = walk(schema, "additionalProperties")
			default:
				schema = walk(schema, "properties", step)
			}
		}
		if schema == nil {
			return fmt.Errorf("no field %s in the spec of %s", b.path, kind)
		}
		schema[b.key] = b.value
	}
	return nil
}

// walk follows keys through nested maps; nil if one is absent.
func walk(v any, keys ...string) map[string]any {
	m, _ := v.(map[string]any)
	for _, k := range keys {
		m, _ = m[k].(map[string]any)
	}
	return m
}

// strip removes schema descriptions. A property may itself be named description:
// that one is a map, not a string.
func strip(v any) {
	switch x := v.(type) {
	case map[string]any:
		if _, ok := x["description"].(string); ok {
			delete(x, "description")
		}
		for _, e := range x {
			strip(e)
		}
	case []any:
		for _, e := range x {
			strip(e)
		}
	}
}
