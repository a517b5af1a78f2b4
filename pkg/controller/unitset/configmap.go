// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// annotationDataHash of it is the hash of the files as they were applied, so that
// edits are seen without reading the revision.
const annotationDataHash = "unit-operator.io/data-hash"

// configTemplate is the ConfigMap of configuration templates of a revision, which
// an annotation names, without its files: enough to tell whether the one there is up to date.
func configTemplate(set *v1alpha2.UnitSet, revisionName string) *corev1ac.ConfigMapApplyConfiguration {
	cm := corev1ac.ConfigMap(configTemplateName(set.Name), set.Namespace).
		WithLabels(setLabels(set)).
		WithOwnerReferences(ownerReference(set))
	return cm.WithAnnotations(withApplied(map[string]string{v1alpha2.AnnotationRevision: revisionName}, cm))
}

// withFiles puts the files of the revision into it. Edits of them are undone:
// values go into each unit's ConfigMap of values.
func withFiles(cm *corev1ac.ConfigMapApplyConfiguration, data *revision.Data) *corev1ac.ConfigMapApplyConfiguration {
	return cm.WithData(data.ConfigFiles).
		WithAnnotations(map[string]string{annotationDataHash: dataHash(data.ConfigFiles)})
}

// sameConfigTemplate says whether the ConfigMap there is up to date and nobody
// edited it.
func sameConfigTemplate(have *slim.Object, want *corev1ac.ConfigMapApplyConfiguration) bool {
	return contains(have.Labels, want.Labels) && contains(have.Annotations, want.Annotations) &&
		have.Annotations[annotationDataHash] == have.ContentHash
}

// dataHash of a ConfigMap with that data and nothing else, as informers see it.
func dataHash(data map[string]string) string {
	return slim.ContentHash([]any{data, map[string][]byte(nil)})
}

// configTemplateRevision is the revision whose configuration templates the set's
// units get. They share one ConfigMap, so it stays that of the revision they came
// from until all of them are at the new one: a server must not be given the
// configuration of a version it does not run.
func configTemplateRevision(current, update string) string { return cmp.Or(current, update) }

// newConfigValue is the ConfigMap in which the user sets values for one unit. It
// is created once. The package's defaults are in it as comments only: copied,
// they would mask those of every later package.
func newConfigValue(set *v1alpha2.UnitSet, ordinal int32, data *revision.Data) (*corev1.ConfigMap, error) {
	defaults, err := yaml.Marshal(data.Values)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	text.WriteString("# Values for the configuration of this unit, as YAML. They win over the shared\n" +
		"# ConfigMap and over the defaults, which were, when this was made:\n")
	for line := range strings.Lines(string(defaults)) {
		if strings.TrimSpace(line) != "{}" {
			text.WriteString("#   " + line)
		}
	}
	unit := unitName(set.Name, ordinal)
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name:            configValueName(unit),
			Namespace:       set.Namespace,
			Labels:          unitLabels(set, ordinal),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, controllerKind)},
		},
		Data: map[string]string{string(set.Spec.Type): text.String()},
	}, nil
}
