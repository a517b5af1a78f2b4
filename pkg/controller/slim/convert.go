// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/packages"
)

// InstallContainer is the init container that brings the agent.
const InstallContainer = "unit-agent-install"

// meta is an object's metadata without what only its writers look at.
func meta(o *metav1.ObjectMeta) metav1.ObjectMeta {
	m := *o
	m.ManagedFields = nil
	m.Name, m.Namespace = words.of(o.Name), words.of(o.Namespace)
	m.Labels, m.Annotations = words.labels(o.Labels), words.strings(o.Annotations)
	m.OwnerReferences = words.owners(o.OwnerReferences)
	delete(m.Annotations, corev1.LastAppliedConfigAnnotation)
	return m
}

// FromPod makes a Pod.
func FromPod(p *corev1.Pod) *Pod {
	out := &Pod{
		ObjectMeta: meta(&p.ObjectMeta),
		NodeName:   p.Spec.NodeName,
		Phase:      p.Status.Phase,
		Reason:     p.Status.Reason, Message: p.Status.Message,
		HostIP: p.Status.HostIP, PodIPs: p.Status.PodIPs,
		InitContainers: fromContainers(p.Status.InitContainerStatuses),
		Containers:     fromContainers(p.Status.ContainerStatuses),
	}
	for _, c := range p.Status.Conditions {
		switch c.Type {
		case corev1.PodReady, corev1.PodScheduled, corev1.DisruptionTarget:
			out.Conditions = append(out.Conditions, c)
		}
	}
	for i := range p.Spec.InitContainers {
		if p.Spec.InitContainers[i].Name == InstallContainer {
			out.AgentImage = p.Spec.InitContainers[i].Image
		}
	}
	return out
}

func fromContainers(in []corev1.ContainerStatus) []Container {
	out := make([]Container, 0, len(in))
	for i := range in {
		s := &in[i]
		out = append(out, Container{
			Name: s.Name, Image: s.Image, Ready: s.Ready, Started: ptr.Deref(s.Started, false),
			RestartCount: s.RestartCount, State: s.State, LastTerminationState: s.LastTerminationState,
		})
	}
	return out
}

// FromUnit makes a Unit.
func FromUnit(u *v1alpha2.Unit) *Unit {
	out := &Unit{
		ObjectMeta:         meta(&u.ObjectMeta),
		TemplateHash:       TemplateHash(&u.Spec.Template),
		UnbindNode:         ptr.Deref(u.Spec.UnbindNode, false),
		Startup:            ptr.Deref(u.Spec.Startup, true),
		NodeName:           u.Spec.NodeName,
		SharedConfigName:   u.Spec.SharedConfigName,
		ConfigTemplateName: u.Spec.ConfigTemplateName,
		ConfigValueName:    u.Spec.ConfigValueName,
		UpdatePolicy:       u.Spec.UpdatePolicy,
		WhenDeleted:        v1alpha2.RetainClaims,
		Status:             *u.Status.DeepCopy(),
	}
	if p := u.Spec.PersistentVolumeClaimRetentionPolicy; p != nil && p.WhenDeleted != "" {
		out.WhenDeleted = p.WhenDeleted
	}
	if c := DatabaseContainer(&u.Spec.Template.Spec); c != nil {
		out.Type = v1alpha2.UnitType(c.Name)
		out.OwnCommand = len(c.Command) > 0
		out.SQLPort = packages.SQLPort(out.Type, c.Ports)
		out.Image = c.Image
		out.Resources = *c.Resources.DeepCopy()
	}
	for i := range u.Spec.VolumeClaimTemplates {
		t := &u.Spec.VolumeClaimTemplates[i]
		size := t.Spec.Resources.Requests[corev1.ResourceStorage]
		out.Claims = append(out.Claims, ClaimTemplate{Name: t.Name, Size: size.String()})
	}
	out.Secrets, out.ConfigMaps = references(&u.Spec.Template.Spec)
	return out
}

// DatabaseContainer is the container named like an engine, nil without one.
func DatabaseContainer(spec *corev1.PodSpec) *corev1.Container {
	for i := range spec.Containers {
		switch v1alpha2.UnitType(spec.Containers[i].Name) {
		case v1alpha2.UnitTypeMySQL, v1alpha2.UnitTypePostgreSQL, v1alpha2.UnitTypeProxySQL:
			return &spec.Containers[i]
		}
	}
	return nil
}

// SetOf a Unit is the name of the UnitSet it belongs to; empty for a standalone one.
// Owner references are for garbage collection only: --cascade=orphan takes them off, and
// what a set made stays its own by its labels. A Unit that somebody wrote with a set's
// labels alone was not made by it.
func SetOf(unit metav1.Object) string {
	if ref := metav1.GetControllerOfNoCopy(unit); ref != nil && ref.Kind == "UnitSet" && strings.HasPrefix(ref.APIVersion, v1alpha2.GroupName+"/") {
		return ref.Name
	}
	labels := unit.GetLabels()
	set := labels[v1alpha2.LabelUnitSet]
	if set != "" && unit.GetAnnotations()[v1alpha2.AnnotationRevision] != "" && unit.GetName() == set+"-"+labels[v1alpha2.LabelOrdinal] {
		return set
	}
	return ""
}

// references are the Secrets and ConfigMaps without which the kubelet does not
// start the pod, each once, in the order they are met.
func references(spec *corev1.PodSpec) (secrets, configMaps []string) {
	seen := map[string]bool{}
	add := func(list *[]string, kind, name string, optional *bool) {
		if name != "" && !ptr.Deref(optional, false) && !seen[kind+name] {
			seen[kind+name] = true
			*list = append(*list, name)
		}
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		if v.Secret != nil {
			add(&secrets, "s/", v.Secret.SecretName, v.Secret.Optional)
		}
		if v.ConfigMap != nil {
			add(&configMaps, "c/", v.ConfigMap.Name, v.ConfigMap.Optional)
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			for _, e := range list[i].EnvFrom {
				if e.SecretRef != nil {
					add(&secrets, "s/", e.SecretRef.Name, e.SecretRef.Optional)
				}
				if e.ConfigMapRef != nil {
					add(&configMaps, "c/", e.ConfigMapRef.Name, e.ConfigMapRef.Optional)
				}
			}
			for _, e := range list[i].Env {
				if e.ValueFrom == nil {
					continue
				}
				if r := e.ValueFrom.SecretKeyRef; r != nil {
					add(&secrets, "s/", r.Name, r.Optional)
				}
				if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
					add(&configMaps, "c/", r.Name, r.Optional)
				}
			}
		}
	}
	return secrets, configMaps
}

// FromClaim makes a Claim.
func FromClaim(c *corev1.PersistentVolumeClaim) *Claim {
	return &Claim{
		ObjectMeta: meta(&c.ObjectMeta), VolumeName: c.Spec.VolumeName, Phase: c.Status.Phase, AccessModes: c.Status.AccessModes,
		Requested: c.Spec.Resources.Requests[corev1.ResourceStorage], Capacity: c.Status.Capacity[corev1.ResourceStorage],
	}
}

// FromObject makes an Object of anything that has metadata.
func FromObject(o metav1.Object) (*Object, error) {
	accessor, ok := o.(metav1.ObjectMetaAccessor)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata", o)
	}
	m, ok := accessor.GetObjectMeta().(*metav1.ObjectMeta)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata of the usual shape", o)
	}
	out := &Object{ObjectMeta: meta(m)}
	switch x := o.(type) {
	case *corev1.ConfigMap:
		out.ContentHash = ContentHash([]any{x.Data, x.BinaryData})
	case *corev1.Secret:
		out.ContentHash, out.BundleHash = ContentHash(x.Data), words.of(ContentHash(x.Data[agenttls.BundleKey]))
	case *appsv1.ControllerRevision:
		out.ContentHash, out.Revision = ContentHash(string(x.Data.Raw)), x.Revision
	case *corev1.Service:
		out.ContentHash = ServiceHash(&x.Spec)
	case *policyv1.PodDisruptionBudget:
		out.ContentHash = DisruptionHash(&x.Spec)
	}
	return out, nil
}
