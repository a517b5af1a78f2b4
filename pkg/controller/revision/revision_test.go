// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func fullSpec() *v1alpha2.UnitSetSpec {
	return &v1alpha2.UnitSetSpec{
		Type: v1alpha2.UnitTypeMySQL, Version: "8.0.41", SharedConfigName: "shared", Units: new(int32(3)),
		Storages:              []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "100Gi", StorageClassName: "standard"}},
		EmptyDir:              []v1alpha2.EmptyDirSpec{{Name: "log", MountPath: "/LOG_MOUNT", Size: "5Gi"}},
		Secret:                &v1alpha2.SecretInfo{Name: "s", MountPath: "/SECRET_MOUNT"},
		CertificateSecret:     &v1alpha2.CertificateSecretSpec{Name: "c", Organization: "o"},
		Env:                   []corev1.EnvVar{{Name: "ARCH_MODE", Value: "rpl_semi_sync"}},
		NodeAffinityPreset:    []v1alpha2.NodeAffinityPresetSpec{{Key: "kubernetes.io/arch", Values: []string{"amd64"}}},
		PodAntiAffinityPreset: "soft",
	}
}

func inputsHash(t *testing.T, spec *v1alpha2.UnitSetSpec) string {
	t.Helper()
	h, err := InputsHash(spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// These values are in the ControllerRevisions of every cluster: another value for
// the same spec would restart databases at an upgrade of the operator.
func TestInputsHashIsTheSameInEveryVersion(t *testing.T) {
	for want, spec := range map[string]*v1alpha2.UnitSetSpec{
		"3bc37d735595dc48": fullSpec(),
		"ca7ea53c735e841d": {Type: v1alpha2.UnitTypeProxySQL, Version: "2.7.1", Units: new(int32(1))},
	} {
		if got := inputsHash(t, spec); got != want {
			t.Errorf("the hash is %s, and was %s", got, want)
		}
	}
}

func TestInputsHashFollowsWhatRestartsServersAndNothingElse(t *testing.T) {
	base := inputsHash(t, fullSpec())
	for name, tc := range map[string]struct {
		edit func(*v1alpha2.UnitSetSpec)
		same bool
	}{
		"units":   {func(s *v1alpha2.UnitSetSpec) { s.Units = new(int32(9)) }, true},
		"a size":  {func(s *v1alpha2.UnitSetSpec) { s.Storages[0].Size = "200Gi" }, true},
		"a class": {func(s *v1alpha2.UnitSetSpec) { s.Storages[0].StorageClassName = "" }, true},
		"cpu": {func(s *v1alpha2.UnitSetSpec) {
			s.Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
		}, true},
		"services":     {func(s *v1alpha2.UnitSetSpec) { s.ExternalService = &v1alpha2.ExternalServiceSpec{} }, true},
		"the strategy": {func(s *v1alpha2.UnitSetSpec) { s.UpdateStrategy.Type = v1alpha2.OnDeleteStrategy }, true},
		"the retention": {func(s *v1alpha2.UnitSetSpec) {
			s.PersistentVolumeClaimRetentionPolicy = &v1alpha2.PersistentVolumeClaimRetentionPolicy{}
		}, true},
		"the organization":   {func(s *v1alpha2.UnitSetSpec) { s.CertificateSecret.Organization = "p" }, true},
		"the default named":  {func(s *v1alpha2.UnitSetSpec) { s.Edition = v1alpha2.EditionCommunity }, true},
		"the edition":        {func(s *v1alpha2.UnitSetSpec) { s.Edition = v1alpha2.EditionEnterprise }, false},
		"the version":        {func(s *v1alpha2.UnitSetSpec) { s.Version = "8.0.42" }, false},
		"env":                {func(s *v1alpha2.UnitSetSpec) { s.Env[0].Value = "group_replication" }, false},
		"an emptyDir's size": {func(s *v1alpha2.UnitSetSpec) { s.EmptyDir[0].Size = "6Gi" }, false},
		"a mount path":       {func(s *v1alpha2.UnitSetSpec) { s.Storages[0].MountPath = "/d" }, false},
		"the Secret":         {func(s *v1alpha2.UnitSetSpec) { s.Secret.Name = "t" }, false},
		"the certificate":    {func(s *v1alpha2.UnitSetSpec) { s.CertificateSecret.Name = "d" }, false},
		"the shared config":  {func(s *v1alpha2.UnitSetSpec) { s.SharedConfigName = "" }, false},
		"node affinity":      {func(s *v1alpha2.UnitSetSpec) { s.NodeAffinityPreset = nil }, false},
		"no scheduling":      {func(s *v1alpha2.UnitSetSpec) { s.Scheduling = &v1alpha2.SchedulingSpec{} }, true},
		"no agent resources": {func(s *v1alpha2.UnitSetSpec) { s.AgentResources = &corev1.ResourceRequirements{} }, true},
		"configuration": {func(s *v1alpha2.UnitSetSpec) {
			s.Configuration = map[string]v1alpha1.JSON{"max_connections": {}}
		}, true},
		"a toleration": {func(s *v1alpha2.UnitSetSpec) {
			s.Scheduling = &v1alpha2.SchedulingSpec{Tolerations: []corev1.Toleration{{Key: "db"}}}
		}, false},
		"a priority class": {func(s *v1alpha2.UnitSetSpec) {
			s.Scheduling = &v1alpha2.SchedulingSpec{PriorityClassName: "db"}
		}, false},
		"a pull secret": {func(s *v1alpha2.UnitSetSpec) {
			s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
		}, false},
		"the agent's resources": {func(s *v1alpha2.UnitSetSpec) {
			s.AgentResources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}}
		}, false},
		"anti-affinity": {func(s *v1alpha2.UnitSetSpec) { s.PodAntiAffinityPreset = "hard" }, false},
	} {
		spec := fullSpec()
		tc.edit(spec)
		if same := inputsHash(t, spec) == base; same != tc.same {
			t.Errorf("%s: the same is %t, want %t", name, same, tc.same)
		}
	}
}

func someData() *Data {
	return &Data{
		Inputs:   InputsOf(fullSpec()),
		Package:  v1alpha2.PackageReference{Name: "mysql-8.0", Revision: "abc"},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql", Image: "mysql:8.0.41"}}}},
		Ports:    []corev1.ContainerPort{{Name: "mysql", ContainerPort: 3306}},
		Values:   map[string]any{"a": "b"},
		Storages: fullSpec().Storages,
	}
}

func TestContentHashIgnoresSizesAndTellsCollisionsApart(t *testing.T) {
	hash := func(data *Data, collisions int32) string {
		h, err := ContentHash(data, collisions)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	base := hash(someData(), 0)
	if len(base) != 10 || base != hash(someData(), 0) {
		t.Errorf("the hash is %q", base)
	}
	grown := someData()
	grown.Storages[0].Size = "1Ti"
	if hash(grown, 0) != base {
		t.Error("a size changes the hash")
	}
	edited := someData()
	edited.Template.Spec.Containers[0].Image = "mirror/mysql:8.0.41"
	if hash(edited, 0) == base || hash(someData(), 1) == base || hash(someData(), 1) == hash(someData(), 2) {
		t.Error("different contents have one hash")
	}
}

// What a strategic merge patch of the API server does to the bytes.
func TestEncodedDataSurvivesAStrategicMergePatchUnchanged(t *testing.T) {
	data := someData()
	data.ConfigFiles = map[string]string{"mysql": "a <b> & 'c'", "another": ""}
	data.Template.Spec.TerminationGracePeriodSeconds = new(int64(600))
	raw, err := Encode(data)
	if err != nil {
		t.Fatal(err)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&appsv1.ControllerRevision{Data: raw})
	if err != nil {
		t.Fatal(err)
	}
	var back appsv1.ControllerRevision
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(raw.Raw), string(back.Data.Raw)); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

func TestDataIsReadBackAsItWasStored(t *testing.T) {
	raw, err := Encode(someData())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(&appsv1.ControllerRevision{Data: raw})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(someData(), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for name, raw := range map[string]string{"no JSON": "{", "another's": `{"spec": {}}`, "no containers": `{"inputs": {"type": "mysql"}}`} {
		if _, err := Decode(&appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: []byte(raw)}}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
