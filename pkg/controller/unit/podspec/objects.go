// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// operatorPrefix of keys that are the operator's to give.
const operatorPrefix = "unit-operator.io/"

// defaultContainer is what kubectl logs and exec pick.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// safeToEvictLocalVolume of a pod names the emptyDirs that the cluster autoscaler
// may lose when it removes the node. Without it every pod of ours keeps its node
// for ever.
const safeToEvictLocalVolume = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"

// scratchVolumes are our own emptyDirs, whose content comes back with the next pod.
// The volume of the data is never among them, and no volume of the user's.
func scratchVolumes(unit *v1alpha2.Unit) []string {
	data := dataVolume(unit).name
	return slices.DeleteFunc(
		[]string{binVolume, stateVolume, configVolume, sharedMemoryVolume, socketsVolume, tmpVolume},
		func(name string) bool { return name == data },
	)
}

// Labels of a unit's pod. In a set the set's labels win over its package's; a
// standalone Unit's template says the last word on its own pod.
func Labels(unit *v1alpha2.Unit) map[string]string {
	return labelsOver(unit, unit.Spec.Template.Labels)
}

func labelsOver(unit *v1alpha2.Unit, template map[string]string) map[string]string {
	labels := map[string]string{}
	layers := []map[string]string{unit.Labels, template}
	if SetName(unit) != "" {
		layers[0], layers[1] = layers[1], layers[0]
	}
	for _, layer := range layers {
		for key, value := range layer {
			if !strings.HasPrefix(key, operatorPrefix) {
				labels[key] = value
			}
		}
	}
	labels[v1alpha2.LabelManaged] = "true"
	labels[v1alpha2.LabelUnit] = unit.Name
	labels[v1alpha2.LabelType] = DatabaseType(&unit.Spec.Template)
	// A standalone pod with a set's label would get that set's clients.
	if set := SetName(unit); set != "" {
		labels[v1alpha2.LabelUnitSet] = set
		if ordinal, ok := unit.Labels[v1alpha2.LabelOrdinal]; ok {
			labels[v1alpha2.LabelOrdinal] = ordinal
		}
	}
	return labels
}

// Annotations that a unit's pod has and that follow the Unit in place. What the
// pod was made from is not among them: see origin.
func Annotations(unit *v1alpha2.Unit) map[string]string {
	annotations := map[string]string{
		defaultContainer:       DatabaseType(&unit.Spec.Template),
		safeToEvictLocalVolume: strings.Join(scratchVolumes(unit), ","),
	}
	for key, value := range unit.Spec.Template.Annotations {
		if !strings.HasPrefix(key, operatorPrefix) {
			annotations[key] = value
		}
	}
	if value, ok := unit.Annotations[v1alpha2.AnnotationEnvironment]; ok {
		annotations[v1alpha2.AnnotationEnvironment] = value
	}
	return annotations
}

// origin is what a pod was made from: written with it and never again, for the
// rollout is judged by it.
func origin(unit *v1alpha2.Unit) map[string]string {
	annotations := map[string]string{v1alpha2.AnnotationTemplateHash: slim.TemplateHash(&unit.Spec.Template)}
	if revision, ok := unit.Annotations[v1alpha2.AnnotationRevision]; ok {
		annotations[v1alpha2.AnnotationRevision] = revision
	}
	return annotations
}

// Claims of a unit, one for each claim template. They belong to the Unit only if
// they shall be deleted with it.
func Claims(unit *v1alpha2.Unit) []corev1.PersistentVolumeClaim {
	var claims []corev1.PersistentVolumeClaim
	for i := range unit.Spec.VolumeClaimTemplates {
		template := unit.Spec.VolumeClaimTemplates[i].DeepCopy()
		claim := corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{
				Name:        ClaimName(unit.Name, template.Name),
				Namespace:   unit.Namespace,
				Labels:      labelsOver(unit, template.Labels),
				Annotations: template.Annotations,
			},
			Spec: template.Spec,
		}
		if p := unit.Spec.PersistentVolumeClaimRetentionPolicy; p != nil && p.WhenDeleted == v1alpha2.DeleteClaims {
			claim.OwnerReferences = []metav1.OwnerReference{*ownerref.New(unit, unitKind)}
		}
		if len(claim.Spec.AccessModes) == 0 {
			claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		}
		claims = append(claims, claim)
	}
	return claims
}
