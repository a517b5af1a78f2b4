// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"maps"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
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
	out := map[string]string{}
	maps.Copy(out, annotations)
	out[annotationApplied] = slim.ContentHash([]any{applied, annotations})
	return out
}
