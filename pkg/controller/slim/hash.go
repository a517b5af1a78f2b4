// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// ContentHash is a stable hash of any value that marshals to JSON.
func ContentHash(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		// Only a programming error gets here: API types marshal.
		panic(fmt.Sprintf("hashing a %T: %v", v, err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// TemplateHash is the hash of what a running pod cannot follow without being made
// anew: the spec of its template, without the containers' cpu and memory (those
// change in place), without labels and annotations.
func TemplateHash(t *corev1.PodTemplateSpec) string {
	spec := t.Spec.DeepCopy()
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			list[i].Resources = corev1.ResourceRequirements{Claims: list[i].Resources.Claims}
		}
	}
	return ContentHash(spec)
}
