// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
)

// hash of a package's content. Empty fields are left out before hashing, so that
// a newer API whose types have more fields, or write an empty one differently,
// gives the same revision.
func hash(template corev1.PodTemplateSpec, files map[string]string, values map[string]any) (string, error) {
	pruned, err := Pruned(struct {
		Template corev1.PodTemplateSpec `json:"template"`
		Files    map[string]string      `json:"files"`
	}{template, files})
	if err != nil {
		return "", err
	}
	// An empty default value differs from an absent one: values are not pruned.
	content, err := json.Marshal([]any{pruned, values})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8]), nil
}

// Pruned is a value as JSON has it, without null, empty maps and empty lists.
func Pruned(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var generic any
	if err := json.Unmarshal(raw, &generic); err != nil {
		return nil, err
	}
	return prune(generic), nil
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e = prune(e); e == nil {
				delete(v, k)
			} else {
				v[k] = e
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i, e := range v {
			v[i] = prune(e)
		}
		if len(v) == 0 {
			return nil
		}
	}
	return v
}
