// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// ownerReference of a child that is written by server-side apply.
func ownerReference(set *v1alpha2.UnitSet) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(controllerKind.GroupVersion().String()).
		WithKind(controllerKind.Kind).
		WithName(set.Name).
		WithUID(set.UID).
		WithController(true).
		WithBlockOwnerDeletion(true)
}

// withApplied adds the hash of what is applied to the annotations. A child that
// carries another hash was applied from an older spec, and may still have what
// that one asked for and this one does not.
func withApplied(annotations map[string]string, applied any) map[string]string {
	// Maps of apply configurations are marshalled in order of their keys.
	raw, err := json.Marshal([]any{applied, annotations})
	if err != nil {
		// Apply configurations hold nothing that cannot be marshalled.
		panic(err)
	}
	sum := sha256.Sum256(raw)
	out := maps.Clone(annotations)
	if out == nil {
		out = map[string]string{}
	}
	out[annotationApplied] = hex.EncodeToString(sum[:8])
	return out
}
