// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
	"github.com/upmio/unit-operator/pkg/packages"
)

// newRevisionData renders what a revision stores: the package with the set's
// restart-relevant spec and ports filled in. ports are those of the shared
// ConfigMap, none for the package's.
//
// A change of what this gives for the same arguments is a newer renderer: it
// reaches a set only with the next change of its spec, or when it is adopted.
func newRevisionData(set *v1alpha2.UnitSet, pkg *packages.Package, ports []corev1.ContainerPort) (*revision.Data, error) {
	template := *pkg.Template.DeepCopy()
	database := podspec.ContainerNamed(template.Spec.Containers, string(set.Spec.Type))
	if database == nil {
		return nil, fmt.Errorf("package %s has no container named %s", pkg.Name, set.Spec.Type)
	}
	if len(ports) > 0 {
		database.Ports = slices.Clone(ports)
	}
	ports = slices.Clone(database.Ports)

	volumes, err := podVolumes(&set.Spec)
	if err != nil {
		return nil, err
	}
	// The claims' volumes differ by unit and are added then; the package's of the
	// same name give way now.
	for _, s := range set.Spec.Storages {
		template.Spec.Volumes = slices.DeleteFunc(template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == s.Name })
	}
	template.Spec.Volumes = mergeVolumes(template.Spec.Volumes, volumes)
	for _, containers := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			c.Env = mergeEnv(mergeEnv(c.Env, operatorEnv(&set.Spec, ports)...), set.Spec.Env...)
			c.VolumeMounts = mergeMounts(c.VolumeMounts, volumeMounts(&set.Spec))
		}
	}
	setAffinity(&template.Spec, set)
	setScheduling(&template.Spec, set)
	if err := setAgentResources(&template, set.Spec.AgentResources); err != nil {
		return nil, err
	}
	if template.Spec.AutomountServiceAccountToken == nil {
		template.Spec.AutomountServiceAccountToken = new(false)
	}
	if template.Spec.EnableServiceLinks == nil {
		template.Spec.EnableServiceLinks = new(false)
	}
	return &revision.Data{
		Inputs:      revision.InputsOf(&set.Spec),
		Package:     pkg.Reference(),
		Template:    template,
		Ports:       ports,
		ConfigFiles: maps.Clone(pkg.ConfigFiles),
		Values:      maps.Clone(pkg.Values),
		Storages:    slices.Clone(set.Spec.Storages),
	}, nil
}

// newUnit makes a Unit of a set from a revision. node is the node it is pinned
// to, empty for none.
//
// startup and unbindNode are written here and never again: a user's edit of
// them on a Unit of a set is respected.
func newUnit(set *v1alpha2.UnitSet, name string, data *revision.Data, ordinal int32, node, clusterDomain string) (*v1alpha2.Unit, error) {
	unit := unitName(set.Name, ordinal)
	template := *data.Template.DeepCopy()
	database := podspec.ContainerNamed(template.Spec.Containers, string(data.Inputs.Type))
	if database == nil {
		return nil, fmt.Errorf("revision %s has no container named %s", name, data.Inputs.Type)
	}
	if r := set.Spec.Resources; len(r.Requests) > 0 || len(r.Limits) > 0 {
		database.Resources = *r.DeepCopy()
	}
	storages := unitStorages(&set.Spec, data)
	template.Spec.Volumes = mergeVolumes(template.Spec.Volumes, claimVolumes(storages, unit))
	template.Spec.Hostname = unit
	template.Spec.Subdomain = headlessServiceName(set.Name)
	podspec.AddSearchDomain(&template.Spec, strings.Join([]string{headlessServiceName(set.Name), set.Namespace, "svc", clusterDomain}, "."))
	podspec.RequireNode(&template.Spec, node)

	claims, err := claimTemplates(storages)
	if err != nil {
		return nil, err
	}
	annotations := unitAnnotations(set)
	annotations[v1alpha2.AnnotationRevision] = name
	annotations[v1alpha2.AnnotationVersion] = data.Inputs.Version
	annotations[v1alpha2.AnnotationEdition] = string(cmp.Or(data.Inputs.Edition, v1alpha2.EditionCommunity))
	annotations[v1alpha2.AnnotationPackage] = data.Package.Name
	made := &v1alpha2.Unit{
		ObjectMeta: metav1.ObjectMeta{
			Name:            unit,
			Namespace:       set.Namespace,
			Labels:          unitLabels(set, ordinal),
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, controllerKind)},
			// The Unit controller's: it would add it before anything else.
			Finalizers: []string{v1alpha2.FinalizerUnit},
		},
		Spec: v1alpha2.UnitSpec{
			UnbindNode:           new(true),
			Startup:              new(true),
			SharedConfigName:     set.Spec.SharedConfigName,
			ConfigTemplateName:   configTemplateName(set.Name),
			ConfigValueName:      configValueName(unit),
			UpdatePolicy:         updatePolicy(set),
			Template:             template,
			VolumeClaimTemplates: claims,
			// What becomes of the claims is decided when the set is deleted or scaled
			// down. A Unit that the user deletes is made again and needs them.
			PersistentVolumeClaimRetentionPolicy: &v1alpha2.PersistentVolumeClaimRetentionPolicy{WhenDeleted: v1alpha2.RetainClaims},
		},
	}
	made.Annotations[annotationMade] = madeOfSpec(&made.Spec)
	return made, nil
}

func updatePolicy(set *v1alpha2.UnitSet) v1alpha2.UpdatePolicy {
	if set.Spec.UpdateStrategy.Type == v1alpha2.OnDeleteStrategy {
		return v1alpha2.UpdatePolicyOnDelete
	}
	return v1alpha2.UpdatePolicyRecreate
}

// resourcesText is cpu, memory and the like in one line that is the same for
// equal amounts, however they were written.
func resourcesText(r corev1.ResourceRequirements) string {
	var parts []string
	for _, list := range []struct {
		name  string
		items corev1.ResourceList
	}{{"limits", r.Limits}, {"requests", r.Requests}} {
		for _, name := range slices.Sorted(maps.Keys(list.items)) {
			quantity := list.items[name]
			parts = append(parts, fmt.Sprintf("%s.%s=%dm", list.name, name, quantity.MilliValue()))
		}
	}
	return strings.Join(parts, ",")
}
