// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// operatorEnv is what the API's contract promises every container of a unit.
func operatorEnv(spec *v1alpha2.UnitSetSpec, ports []corev1.ContainerPort) []corev1.EnvVar {
	var env []corev1.EnvVar
	add := func(name, value string) { env = append(env, corev1.EnvVar{Name: name, Value: value}) }
	for _, m := range dataMounts(spec) {
		add(podspec.EnvName(m.Name)+"_MOUNT", m.MountPath)
	}
	if spec.Secret != nil {
		add("SECRET_MOUNT", spec.Secret.MountPath)
		add("SECRET_NAME", spec.Secret.Name)
	}
	if spec.CertificateSecret != nil {
		add("CERT_MOUNT", certificateMountPath)
	}
	for _, port := range ports {
		if port.Name != "" {
			add(podspec.EnvName(port.Name)+"_PORT", strconv.Itoa(int(port.ContainerPort)))
		}
	}
	return env
}

// mergeEnv puts over on base: a variable that is there is replaced in its place,
// because later ones may refer to it, and a new one is appended.
func mergeEnv(base []corev1.EnvVar, over ...corev1.EnvVar) []corev1.EnvVar {
	out := append([]corev1.EnvVar(nil), base...)
	index := make(map[string]int, len(out)+len(over))
	for i, e := range out {
		index[e.Name] = i
	}
	for _, e := range over {
		if i, ok := index[e.Name]; ok {
			out[i] = *e.DeepCopy()
			continue
		}
		index[e.Name] = len(out)
		out = append(out, *e.DeepCopy())
	}
	return out
}
