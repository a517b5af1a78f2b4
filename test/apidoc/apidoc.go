// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apidoc

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Example is one YAML block of the document.
type Example struct {
	// Heading is the path of headings above the block, such as
	// "GrpcCall (v1alpha1) > Usage Examples > MySQL Logical Backup".
	Heading string
	// Line of the document at which the block begins.
	Line int
	// Fragment is true if the block is a part that was laid into a base object.
	Fragment bool
	// Objects of the block, as written.
	Objects []*unstructured.Unstructured
}

// Load reads every YAML block of a Markdown file. It fails if one is not YAML, or
// if the file has none.
func Load(path string) ([]Example, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	examples, err := parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(examples) == 0 {
		return nil, fmt.Errorf("%s has no YAML example", path)
	}
	return examples, nil
}

// In returns copies of the objects that live in the given namespace, whatever the
// document says.
func (e Example) In(namespace string) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	for _, object := range e.Objects {
		copied := object.DeepCopy()
		copied.SetNamespace(namespace)
		objects = append(objects, copied)
	}
	return objects
}

func parse(markdown string) ([]Example, error) {
	var examples []Example
	var headings [6]string
	var block []string
	fence, begin := "", 0
	for i, line := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, begin, block = strings.TrimPrefix(trimmed, "```"), i+1, nil
			if fence == "" {
				fence = "text"
			}
		case fence != "" && trimmed == "```":
			if fence == "yaml" {
				example, err := newExample(headings[:], block)
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", begin, err)
				}
				example.Line = begin
				examples = append(examples, example)
			}
			fence = ""
		case fence != "":
			block = append(block, line)
		default:
			remember(&headings, line)
		}
	}
	if fence != "" {
		return nil, fmt.Errorf("line %d: the block has no end", begin)
	}
	return examples, nil
}

// remember notes a heading and forgets those below the one it replaces.
func remember(headings *[6]string, line string) {
	text := strings.TrimLeft(line, "#")
	level := len(line) - len(text)
	if level == 0 || level > len(headings) || !strings.HasPrefix(text, " ") {
		return
	}
	headings[level-1] = strings.TrimLeftFunc(text, func(r rune) bool { return r > 127 || r == ' ' })
	clear(headings[level:])
}

func newExample(headings, block []string) (Example, error) {
	var path []string
	for _, heading := range headings {
		if heading != "" {
			path = append(path, heading)
		}
	}
	example := Example{Heading: strings.Join(path, " > ")}
	for _, document := range split(block) {
		var content map[string]any
		if err := yaml.UnmarshalStrict(document, &content); err != nil {
			return Example{}, err
		}
		if len(content) == 0 {
			continue
		}
		if content["apiVersion"] == nil {
			example.Fragment = true
			content = wrap(content, path[len(path)-1])
		}
		object := &unstructured.Unstructured{}
		// Through JSON, so that numbers have the types that unstructured objects have.
		raw, err := yaml.Marshal(content)
		if err != nil {
			return Example{}, err
		}
		if raw, err = yaml.YAMLToJSON(raw); err != nil {
			return Example{}, err
		}
		if err := object.UnmarshalJSON(raw); err != nil {
			return Example{}, err
		}
		example.Objects = append(example.Objects, object)
	}
	if len(example.Objects) == 0 {
		return Example{}, fmt.Errorf("the block holds no object")
	}
	return example, nil
}

// split cuts a block before every top-level apiVersion and at every --- line.
func split(block []string) [][]byte {
	var documents [][]byte
	var current bytes.Buffer
	seen := false // an apiVersion, in the current document
	flush := func() {
		documents = append(documents, bytes.Clone(current.Bytes()))
		current.Reset()
		seen = false
	}
	for _, line := range block {
		if line == "---" {
			flush()
			continue
		}
		if strings.HasPrefix(line, "apiVersion:") {
			if seen {
				flush()
			}
			seen = true
		}
		current.WriteString(line + "\n")
	}
	flush()
	return documents
}

// wrap lays a fragment into an object that needs nothing else.
func wrap(fragment map[string]any, heading string) map[string]any {
	if parameters, ok := fragment["parameters"]; ok {
		return map[string]any{
			"apiVersion": "upm.syntropycloud.io/v1alpha1",
			"kind":       "GrpcCall",
			"metadata":   map[string]any{"name": heading, "namespace": "default"},
			"spec": map[string]any{
				"targetUnit":              "mysql-cluster-0",
				"type":                    "mysql",
				"action":                  heading,
				"ttlSecondsAfterFinished": 3600,
				"parameters":              parameters,
			},
		}
	}
	base := map[string]any{
		"apiVersion": "upm.syntropycloud.io/v1alpha2",
		"kind":       "UnitSet",
		"metadata":   map[string]any{"name": "mysql-cluster", "namespace": "default"},
		"spec":       map[string]any{"type": "mysql", "version": "8.0.41", "units": 1},
	}
	merge(base, fragment)
	return base
}

// merge lays the values of from over to, map by map.
func merge(to, from map[string]any) {
	for key, value := range from {
		below, isMap := value.(map[string]any)
		under, wasMap := to[key].(map[string]any)
		if isMap && wasMap {
			merge(under, below)
			continue
		}
		to[key] = value
	}
}
