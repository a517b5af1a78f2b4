// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"sigs.k8s.io/yaml"
)

// Limits of values, after merging.
const (
	maxValues      = 4096
	maxValueDepth  = 16
	maxValueString = 64 << 10
)

// ParseValues reads the YAML mapping of a value ConfigMap's key. Empty text and
// null give no values. Whole numbers become int64, others float64; a mapping with
// a key twice is refused.
func ParseValues(text string) (map[string]any, error) {
	content, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("values are not YAML: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("values are not YAML: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return normalize(v).(map[string]any), nil
	}
	return nil, errors.New("values must be a YAML mapping (name: value)")
}

// SharedValues makes a layer of the shared ConfigMap: every key with its text.
// That ConfigMap is shared with others, so what is too long for a value is left
// out instead of refused.
func SharedValues(data map[string]string) map[string]any {
	values := make(map[string]any, len(data))
	for k, v := range data {
		if len(v) <= maxValueString {
			values[k] = v
		}
	}
	return values
}

// normalize returns a copy in which whole numbers are int64 and others float64,
// whichever way the values came: from YAML, or back from a JSON that was stored.
func normalize(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return normalize(f)
		}
		return v.String()
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v)
		}
	case int:
		return int64(v)
	case map[string]any:
		result := make(map[string]any, len(v))
		for k, e := range v {
			result[k] = normalize(e)
		}
		return result
	case []any:
		result := make([]any, len(v))
		for i, e := range v {
			result[i] = normalize(e)
		}
		return result
	}
	return v
}

// mergeLayers lays the layers over each other and checks the limits.
func mergeLayers(layers []Layer) (map[string]any, error) {
	merged := map[string]any{}
	for _, layer := range layers {
		count := 0
		if err := checkLimits(layer.Values, "", 1, &count); err != nil {
			return nil, fmt.Errorf("%s: %w", layer.Name, err)
		}
		merged = merge(merged, layer.Values)
	}
	return merged, nil
}

// merge returns base with over laid over it. Neither is changed.
func merge(base, over map[string]any) map[string]any {
	result := maps.Clone(base)
	if result == nil {
		result = make(map[string]any, len(over))
	}
	for k, v := range over {
		if v == nil {
			delete(result, k)
			continue
		}
		overMap, ok := v.(map[string]any)
		if !ok {
			result[k] = normalize(v)
			continue
		}
		baseMap, _ := result[k].(map[string]any)
		result[k] = merge(baseMap, overMap)
	}
	return result
}

func checkLimits(v any, path string, depth int, count *int) error {
	if *count++; *count > maxValues {
		return fmt.Errorf("more than %d values", maxValues)
	}
	if depth > maxValueDepth {
		return fmt.Errorf("%s: values nested deeper than %d", path, maxValueDepth)
	}
	switch v := v.(type) {
	case string:
		if len(v) > maxValueString {
			return fmt.Errorf("%s: a value longer than %d bytes", path, maxValueString)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := checkLimits(v[k], path+"."+k, depth+1, count); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if err := checkLimits(e, fmt.Sprintf("%s[%d]", path, i), depth+1, count); err != nil {
				return err
			}
		}
	}
	return nil
}
