// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestTheUsersLabelsWinOverDefaultsAndNotOverOurKeys(t *testing.T) {
	set := newSet(func(set *v1alpha2.UnitSet) {
		set.Labels = map[string]string{
			"upm.api/service-group.name": "group", "app.kubernetes.io/name": "mine", "team": "a",
			v1alpha2.LabelUnitSet: "another", "unit-operator.io/role": "source",
		}
	})
	want := map[string]string{
		"upm.api/service-group.name":   "group",
		"upm.api/service-group.type":   "mysql-sg",
		"upm.api/service.name":         "orders",
		"app.kubernetes.io/name":       "mine",
		"app.kubernetes.io/instance":   "orders",
		"app.kubernetes.io/component":  "database",
		"app.kubernetes.io/managed-by": "unit-operator",
		"team":                         "a",
		v1alpha2.LabelManaged:          "true",
		v1alpha2.LabelUnitSet:          "orders",
		v1alpha2.LabelType:             "mysql",
		v1alpha2.LabelUnit:             "orders-2",
		v1alpha2.LabelOrdinal:          "2",
	}
	if d := cmp.Diff(want, unitLabels(set, 2)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestPatchesOfMetadataHoldOnlyWhatDiffers(t *testing.T) {
	set := newSet(func(set *v1alpha2.UnitSet) {
		set.Labels = map[string]string{"team": "a"}
		set.Annotations = map[string]string{v1alpha2.AnnotationEnvironment: "test", "unrelated": "x"}
	})
	with := func(m map[string]string, pairs ...string) map[string]string {
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for _, tc := range []struct {
		name                        string
		labels, annotations         map[string]string
		wantLabels, wantAnnotations map[string]any
	}{{
		name: "nothing", labels: unitLabels(set, 0), annotations: unitAnnotations(set),
	}, {
		name:   "what the user put on the unit stays",
		labels: with(unitLabels(set, 0), "mine", "1", "unit-operator.io/role", "source"), annotations: with(unitAnnotations(set), "mine", "2"),
	}, {
		name: "a changed label", labels: with(unitLabels(set, 0), "team", "b"), annotations: unitAnnotations(set),
		wantLabels: map[string]any{"team": "a"},
	}, {
		name:   "a label and an annotation that the set no longer has",
		labels: with(unitLabels(set, 0), "old", "1"),
		annotations: with(unitAnnotations(set),
			annotationSetLabels, "old,team", v1alpha2.AnnotationBackupEnabled, "false"),
		wantLabels:      map[string]any{"old": nil},
		wantAnnotations: map[string]any{annotationSetLabels: "team", v1alpha2.AnnotationBackupEnabled: nil},
	}, {
		name:   "a default that the user's label had hidden comes back",
		labels: with(unitLabels(set, 0), labelAppName, "mine"), annotations: with(unitAnnotations(set), annotationSetLabels, labelAppName+",team"),
		wantLabels:      map[string]any{labelAppName: "mysql"},
		wantAnnotations: map[string]any{annotationSetLabels: "team"},
	}} {
		labels, annotations := metadataPatch(set, 0, tc.labels, tc.annotations)
		if d := cmp.Diff([]map[string]any{tc.wantLabels, tc.wantAnnotations}, []map[string]any{labels, annotations}); d != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, d)
		}
	}
}
