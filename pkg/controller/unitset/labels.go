// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

const (
	labelAppName      = "app.kubernetes.io/name"
	labelAppInstance  = "app.kubernetes.io/instance"
	labelAppComponent = "app.kubernetes.io/component"
	labelAppManagedBy = "app.kubernetes.io/managed-by"

	// annotationSetLabels of a Unit lists the label keys that came from the labels
	// of its set, so that one the user removes there is removed here, and one the
	// user put on the Unit is not.
	annotationSetLabels = "unit-operator.io/set-labels"
	// annotationApplied of a Service, ConfigMap or PodDisruptionBudget is the hash
	// of what was applied last.
	annotationApplied = "unit-operator.io/applied"
)

// carriedAnnotations of a set are copied to its units, and removed there when
// they are removed from the set.
var carriedAnnotations = []string{
	v1alpha2.AnnotationMonitoringEnabled,
	v1alpha2.AnnotationBackupEnabled,
	v1alpha2.AnnotationEnvironment,
}

// setLabels are on every child of a set: defaults, over them the user's own, over
// them the keys that belong to the operator.
func setLabels(set *v1alpha2.UnitSet) map[string]string {
	labels := map[string]string{
		v1alpha2.LabelServiceGroupName: set.Name,
		v1alpha2.LabelServiceGroupType: string(set.Spec.Type) + "-sg",
		v1alpha2.LabelServiceName:      set.Name,
		labelAppName:                   string(set.Spec.Type),
		labelAppInstance:               set.Name,
		labelAppComponent:              "database",
		labelAppManagedBy:              "unit-operator",
	}
	maps.Copy(labels, userLabels(set))
	maps.Copy(labels, selectorOf(set))
	labels[v1alpha2.LabelType] = string(set.Spec.Type)
	return labels
}

// unitLabels are on what belongs to one unit of a set.
func unitLabels(set *v1alpha2.UnitSet, ordinal int32) map[string]string {
	labels := setLabels(set)
	labels[v1alpha2.LabelUnit] = unitName(set.Name, ordinal)
	labels[v1alpha2.LabelOrdinal] = strconv.Itoa(int(ordinal))
	return labels
}

// selectorOf all of a set's objects. It has our own keys only: the user's may
// change.
func selectorOf(set *v1alpha2.UnitSet) map[string]string {
	return map[string]string{
		v1alpha2.LabelManaged: "true",
		v1alpha2.LabelUnitSet: set.Name,
	}
}

// userLabels of a set without those that are the operator's to give: a copy of
// another set's manifest may carry them.
func userLabels(set *v1alpha2.UnitSet) map[string]string {
	labels := maps.Clone(set.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, "unit-operator.io/") })
	return labels
}

// unitAnnotations that follow the set in place. Those of the template
// (revision, version, edition, package) are written with it.
func unitAnnotations(set *v1alpha2.UnitSet) map[string]string {
	annotations := map[string]string{}
	for _, key := range carriedAnnotations {
		if value, ok := set.Annotations[key]; ok {
			annotations[key] = value
		}
	}
	if keys := slices.Sorted(maps.Keys(userLabels(set))); len(keys) > 0 {
		annotations[annotationSetLabels] = strings.Join(keys, ",")
	}
	return annotations
}

// metadataPatch is what must change in a Unit's labels and annotations so that
// they follow the set: nil values are removals. Both are nil if nothing must. A unit that
// was asked to hand over is wanted, and no step stops it now.
func metadataPatch(set *v1alpha2.UnitSet, ordinal int32, labels, annotations map[string]string) (labelPatch, annotationPatch map[string]any) {
	labelPatch = child.Changes(labels, unitLabels(set, ordinal), strings.Split(annotations[annotationSetLabels], ",")...)
	annotationPatch = child.Changes(annotations, unitAnnotations(set), append(slices.Clone(carriedAnnotations), annotationSetLabels, v1alpha2.AnnotationEvacuate)...)
	return labelPatch, annotationPatch
}
