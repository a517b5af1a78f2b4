// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

// Changes is the merge patch that makes labels or annotations contain want; nil if they
// do. Of the keys that are not wanted only the removable ones go: others may be anybody's.
func Changes(have, want map[string]string, removable ...string) map[string]any {
	patch := map[string]any{}
	for key, value := range want {
		if current, ok := have[key]; !ok || current != value {
			patch[key] = value
		}
	}
	for _, key := range removable {
		_, wanted := want[key]
		if _, there := have[key]; there && !wanted {
			patch[key] = nil
		}
	}
	if len(patch) == 0 {
		return nil
	}
	return patch
}

// Metadata is the patch of an object's metadata that makes these changes; nil for none.
func Metadata(labels, annotations map[string]any) map[string]any {
	metadata := map[string]any{}
	for field, changes := range map[string]map[string]any{"labels": labels, "annotations": annotations} {
		if changes != nil {
			metadata[field] = changes
		}
	}
	if len(metadata) == 0 {
		return nil
	}
	return metadata
}

// Annotation is the patch of an object's metadata that gives an annotation a value, or with
// nil takes it off.
func Annotation(key string, value any) map[string]any {
	return Metadata(nil, map[string]any{key: value})
}
