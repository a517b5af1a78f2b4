// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"cmp"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// annotationApplied of a Service is the hash of what was written last.
const annotationApplied = "unit-operator.io/applied"

func readWriteName(replication string) string { return replication + "-readwrite" }
func readOnlyName(replication string) string  { return replication + "-readonly" }

// newServices are the two that a Replication publishes its members with.
func newServices(r owner, port int32) []*corev1.Service {
	// A source that restarts, or is being deleted, is still the only one there is:
	// readiness could only take the last endpoint away.
	readWrite := newService(r, readWriteName(r.Name), v1alpha2.RoleSource, port)
	readWrite.Spec.PublishNotReadyAddresses = true
	return []*corev1.Service{stamped(readWrite), stamped(newService(r, readOnlyName(r.Name), v1alpha2.RoleReplica, port))}
}

func newService(r owner, name, role string, port int32) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: name, Labels: childLabels(r), Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(r, r.Kind.GroupVersionKind)},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP,
			// One of the other kind may have the same name: the type tells their pods apart.
			Selector: map[string]string{
				v1alpha2.LabelManaged: "true", v1alpha2.LabelType: string(r.Kind.unitType), v1alpha2.LabelReplication: r.Name, v1alpha2.LabelRole: role,
			},
			Ports: []corev1.ServicePort{{Name: string(r.Kind.unitType), Port: port, TargetPort: intstr.FromInt32(port), Protocol: corev1.ProtocolTCP}},
		},
	}
	if s := r.Spec.Service; s != nil {
		svc.Spec.Type = cmp.Or(s.Type, corev1.ServiceTypeClusterIP)
		maps.Copy(svc.Annotations, s.Annotations)
		svc.Spec.LoadBalancerSourceRanges = s.LoadBalancerSourceRanges
		svc.Spec.ExternalTrafficPolicy = s.ExternalTrafficPolicy
	}
	return svc
}

// childLabels are on what a Replication makes.
func childLabels(r owner) map[string]string {
	return map[string]string{
		v1alpha2.LabelManaged: "true", v1alpha2.LabelReplication: r.Name, v1alpha2.LabelType: string(r.Kind.unitType),
		"app.kubernetes.io/managed-by": "unit-operator",
	}
}

// stamped with the hash of what is asked for, so that what nobody looks at in a cache
// is seen to differ as well.
func stamped(svc *corev1.Service) *corev1.Service {
	svc.Annotations[annotationApplied] = slim.ContentHash([]any{svc.Labels, svc.Annotations, svc.Spec})
	return svc
}

// sameService says whether a Service is as it was asked for.
func sameService(have *slim.Object, want *corev1.Service) bool {
	for key, value := range want.Labels {
		if have.Labels[key] != value {
			return false
		}
	}
	return have.Annotations[annotationApplied] == want.Annotations[annotationApplied] && have.ContentHash == slim.ServiceHash(&want.Spec)
}

// endpoints are where clients connect.
func endpoints(r owner, port int32) *v1alpha1.ReplicationEndpoints {
	return &v1alpha1.ReplicationEndpoints{
		ReadWrite: readWriteName(r.Name) + "." + r.Namespace + ".svc",
		ReadOnly:  readOnlyName(r.Name) + "." + r.Namespace + ".svc",
		Port:      port,
	}
}
