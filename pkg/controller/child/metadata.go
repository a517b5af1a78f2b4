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
