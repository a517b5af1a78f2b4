// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"bytes"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

const (
	// AnnotationInputsHash of a ControllerRevision is the hash of the spec it was
	// cut for. It lets a controller that caches only metadata see whether the
	// spec still asks for it.
	AnnotationInputsHash = "unit-operator.io/inputs-hash"
	// AnnotationContentHash of a ControllerRevision is the hash of what it stores.
	AnnotationContentHash = "unit-operator.io/content-hash"
	// AnnotationPorts of a ControllerRevision are the ports of the database
	// container as JSON, so that Services are kept without reading its content.
	AnnotationPorts = "unit-operator.io/ports"
)

// Data is what a ControllerRevision of a UnitSet stores.
type Data struct {
	// Inputs is the part of the UnitSet's spec it was made from.
	Inputs Inputs `json:"inputs"`
	// Package it was made from.
	Package v1alpha2.PackageReference `json:"package"`
	// Template of the pod: the package's with the inputs and ports filled in,
	// without what differs by unit, without cpu and memory.
	Template corev1.PodTemplateSpec `json:"template"`
	// Ports of the database container.
	Ports []corev1.ContainerPort `json:"ports,omitempty"`
	// ConfigFiles are the package's configuration templates; the key named like
	// the type is the main file.
	ConfigFiles map[string]string `json:"configFiles,omitempty"`
	// Values are the package's default values for them.
	Values map[string]any `json:"values,omitempty"`
	// Storages as the spec had them. Their sizes and classes are only for storages
	// that the spec no longer has, and are in no hash.
	Storages []v1alpha2.StorageSpec `json:"storages,omitempty"`
}

// Inputs is the part of a UnitSet's spec whose change restarts servers. Units,
// strategy, sizes of storages, cpu and memory, labels, annotations and Services
// are not in it.
type Inputs struct {
	Type                  v1alpha2.UnitType                 `json:"type,omitempty"`
	Version               string                            `json:"version,omitempty"`
	Edition               v1alpha2.Edition                  `json:"edition,omitempty"`
	SharedConfigName      string                            `json:"sharedConfigName,omitempty"`
	Env                   []corev1.EnvVar                   `json:"env,omitempty"`
	Storages              []Mount                           `json:"storages,omitempty"`
	EmptyDir              []v1alpha2.EmptyDirSpec           `json:"emptyDir,omitempty"`
	Secret                *v1alpha2.SecretInfo              `json:"secret,omitempty"`
	CertificateSecretName string                            `json:"certificateSecretName,omitempty"`
	NodeAffinityPreset    []v1alpha2.NodeAffinityPresetSpec `json:"nodeAffinityPreset,omitempty"`
	PodAntiAffinityPreset string                            `json:"podAntiAffinityPreset,omitempty"`
	Scheduling            *v1alpha2.SchedulingSpec          `json:"scheduling,omitempty"`
	ImagePullSecrets      []corev1.LocalObjectReference     `json:"imagePullSecrets,omitempty"`
	AgentResources        *corev1.ResourceRequirements      `json:"agentResources,omitempty"`
}

// Mount is a storage without its size and class, which are the claim's.
type Mount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
}

// InputsOf picks them from a spec. No edition and the community edition are the
// same.
func InputsOf(spec *v1alpha2.UnitSetSpec) Inputs {
	in := Inputs{
		Type:                  spec.Type,
		Version:               spec.Version,
		Edition:               spec.Edition,
		SharedConfigName:      spec.SharedConfigName,
		Env:                   spec.Env,
		EmptyDir:              spec.EmptyDir,
		Secret:                spec.Secret,
		NodeAffinityPreset:    spec.NodeAffinityPreset,
		PodAntiAffinityPreset: spec.PodAntiAffinityPreset,
		Scheduling:            spec.Scheduling,
		ImagePullSecrets:      spec.ImagePullSecrets,
		AgentResources:        spec.AgentResources,
	}
	if in.Edition == v1alpha2.EditionCommunity {
		in.Edition = ""
	}
	for _, s := range spec.Storages {
		in.Storages = append(in.Storages, Mount{Name: s.Name, MountPath: s.MountPath})
	}
	if spec.CertificateSecret != nil {
		in.CertificateSecretName = spec.CertificateSecret.Name
	}
	return in
}

// InputsHash of a spec: 16 hexadecimal digits.
func InputsHash(spec *v1alpha2.UnitSetSpec) (string, error) {
	return hash(InputsOf(spec))
}

// ContentHash of data: 10 hexadecimal digits. collisions makes it another one.
func ContentHash(data *Data, collisions int32) (string, error) {
	content := *data
	content.Storages = nil
	var hashed any = content
	if collisions != 0 {
		hashed = []any{content, collisions}
	}
	h, err := hash(hashed)
	if err != nil {
		return "", err
	}
	return h[:10], nil
}

// hash of JSON without its empty fields, so that types with more fields give the
// same.
func hash(v any) (string, error) {
	pruned, err := packages.Pruned(v)
	return slim.ContentHash(pruned), err
}

// Encode data for a ControllerRevision, with the keys of all objects in order, as the
// API server writes them. The garbage collector takes owners off by a strategic
// merge patch, which the API server carries out on decoded content: bytes that came
// back in another order would be a change of data that cannot change, and
// --cascade=orphan would never end.
func Encode(data *Data) (runtime.RawExtension, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return runtime.RawExtension{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var generic any
	if err := decoder.Decode(&generic); err != nil {
		return runtime.RawExtension{}, err
	}
	raw, err = json.Marshal(generic)
	return runtime.RawExtension{Raw: raw}, err
}

// Decode what a ControllerRevision stores.
func Decode(revision *appsv1.ControllerRevision) (*Data, error) {
	data := new(Data)
	if err := json.Unmarshal(revision.Data.Raw, data); err != nil {
		return nil, fmt.Errorf("ControllerRevision %s does not hold a revision of a UnitSet: %w", revision.Name, err)
	}
	if data.Inputs.Type == "" || len(data.Template.Spec.Containers) == 0 {
		return nil, fmt.Errorf("ControllerRevision %s does not hold a revision of a UnitSet", revision.Name)
	}
	return data, nil
}
