// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// wantedPDB lets a drain take one unit at a time; nil for one unit or none, which
// a budget would only make undrainable. It is a number of units because
// maxUnavailable needs a scale subresource on the pods' owner. Units that are not
// healthy anyway never block a drain, nor does one that its user has stopped: it is
// not expected to be healthy.
func wantedPDB(set *v1alpha2.UnitSet, stopped int32) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	units := wantedUnits(set)
	if units < 2 {
		return nil
	}
	pdb := policyv1ac.PodDisruptionBudget(set.Name, set.Namespace).
		WithLabels(setLabels(set)).
		WithOwnerReferences(ownerReference(set)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt32(max(units-1-stopped, 0))).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selectorOf(set))))
	return pdb.WithAnnotations(withApplied(nil, pdb))
}

// samePDB says whether a budget is as it was asked for.
func samePDB(have *slim.Object, want *policyv1ac.PodDisruptionBudgetApplyConfiguration) bool {
	return contains(have.Labels, want.Labels) && contains(have.Annotations, want.Annotations) &&
		have.ContentHash == slim.DisruptionHash(pdbSpec(want))
}

// pdbSpec is the spec that is asked for.
func pdbSpec(want *policyv1ac.PodDisruptionBudgetApplyConfiguration) *policyv1.PodDisruptionBudgetSpec {
	return &policyv1.PodDisruptionBudgetSpec{
		MinAvailable:               want.Spec.MinAvailable,
		UnhealthyPodEvictionPolicy: want.Spec.UnhealthyPodEvictionPolicy,
		Selector:                   &metav1.LabelSelector{MatchLabels: want.Spec.Selector.MatchLabels},
	}
}
