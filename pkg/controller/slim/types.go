// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// Pod is what controllers look at of a pod.
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type Pod struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	NodeName string
	// AgentImage is the image of the container unit-agent-install, from the spec.
	AgentImage string

	Phase           corev1.PodPhase
	Reason, Message string
	HostIP          string
	PodIPs          []corev1.PodIP
	// Conditions of the types Ready, PodScheduled and DisruptionTarget.
	Conditions []corev1.PodCondition
	// InitContainers has sidecars too.
	InitContainers []Container
	Containers     []Container
}

// Container is what controllers look at of a container's status.
type Container struct {
	Name                 string
	Image                string
	Ready                bool
	Started              bool
	RestartCount         int32
	State                corev1.ContainerState
	LastTerminationState corev1.ContainerState
}

// Condition of a pod, nil if there is none.
func (p *Pod) Condition(t corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Conditions {
		if p.Conditions[i].Type == t {
			return &p.Conditions[i]
		}
	}
	return nil
}

// Container by name, sidecars included, nil if it has no status yet.
func (p *Pod) Container(name string) *Container {
	for _, list := range [][]Container{p.Containers, p.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// Unit is a Unit without its templates. Read the whole one live where a Pod or a
// claim is built.
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type Unit struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// Type is the name of the database container; empty if there is none.
	Type v1alpha2.UnitType
	// OwnCommand is true if the database container brings its own command and is
	// left alone.
	OwnCommand bool
	// SQLPort of the database container; 0 where the template names no ports.
	SQLPort int32
	// Image of the database container.
	Image string
	// Resources of the database container.
	Resources corev1.ResourceRequirements
	// TemplateHash is TemplateHash of spec.template.
	TemplateHash string
	// Claims are the claim templates' names and sizes.
	Claims []ClaimTemplate
	// Secrets and ConfigMaps that the pod's template refers to and cannot start
	// without.
	Secrets, ConfigMaps []string

	UnbindNode, Startup                                   bool
	NodeName                                              string
	SharedConfigName, ConfigTemplateName, ConfigValueName string
	UpdatePolicy                                          v1alpha2.UpdatePolicy
	// WhenDeleted is what becomes of the claims.
	WhenDeleted v1alpha2.ClaimRetention

	Status v1alpha2.UnitStatus
}

// ClaimTemplate is what is asked of a claim.
type ClaimTemplate struct {
	Name string
	// Size as a quantity.
	Size string
}

// Claim is what controllers look at of a PersistentVolumeClaim.
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type Claim struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	VolumeName  string
	Phase       corev1.PersistentVolumeClaimPhase
	AccessModes []corev1.PersistentVolumeAccessMode
	// Requested is the size that is asked for, Capacity the one that there is.
	Requested, Capacity resource.Quantity
}

// Object is the metadata of any object, and a hash of its content where the
// content matters: the data of ConfigMaps, Secrets and ControllerRevisions, and what
// ServiceHash and DisruptionHash look at.
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
type Object struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	// ContentHash of what a controller decides about; empty for other kinds.
	ContentHash string
	// BundleHash of the certificates that a Secret tells its pods to trust: its ca.crt.
	BundleHash string
	// Revision of a ControllerRevision.
	Revision int64
}
