// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// clientServices of a set whose units listen on ports: the external one, to the units of
// the selector, and one per unit for those ordinals.
func clientServices(set *v1alpha2.UnitSet, ports []corev1.ContainerPort, ordinals []int32, selector map[string]string) []*corev1ac.ServiceApplyConfiguration {
	var services []*corev1ac.ServiceApplyConfiguration
	if set.Spec.ExternalService != nil {
		services = append(services, externalService(set, ports, selector))
	}
	if set.Spec.UnitService != nil {
		for _, ordinal := range ordinals {
			services = append(services, unitService(set, ports, ordinal))
		}
	}
	return services
}

// headlessService gives every unit its name in DNS, ready or not: replicas must
// reach a source that is starting. It alone has the agent's metrics, so that a
// ServiceMonitor by label finds each unit once.
func headlessService(set *v1alpha2.UnitSet, ports []corev1.ContainerPort) *corev1ac.ServiceApplyConfiguration {
	svcPorts := servicePorts(ports)
	if set.Annotations[v1alpha2.AnnotationMonitoringEnabled] != "false" {
		svcPorts = append(svcPorts, corev1ac.ServicePort().
			WithName(metricsPortName).
			WithPort(podspec.MetricsPort).
			WithTargetPort(intstr.FromInt32(podspec.MetricsPort)).
			WithProtocol(corev1.ProtocolTCP))
	}
	return newService(set, headlessServiceName(set.Name), setLabels(set), nil,
		corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithClusterIP(corev1.ClusterIPNone).
			WithPublishNotReadyAddresses(true).
			WithSelector(selectorOf(set)).
			WithPorts(svcPorts...))
}

// externalService is where clients of the whole set connect: to all of its units, or
// those of a selector.
func externalService(set *v1alpha2.UnitSet, ports []corev1.ContainerPort, selector map[string]string) *corev1ac.ServiceApplyConfiguration {
	spec := set.Spec.ExternalService
	all := selectorOf(set)
	maps.Copy(all, selector)
	return newService(set, externalServiceName(set.Name), setLabels(set), spec.Annotations,
		corev1ac.ServiceSpec().
			WithType(cmp.Or(spec.Type, corev1.ServiceTypeClusterIP)).
			WithPublishNotReadyAddresses(false).
			WithSelector(all).
			WithPorts(servicePorts(clientPorts(set.Spec.Type, ports))...))
}

// unitService is where clients of one unit connect.
func unitService(set *v1alpha2.UnitSet, ports []corev1.ContainerPort, ordinal int32) *corev1ac.ServiceApplyConfiguration {
	spec := set.Spec.UnitService
	unit := unitName(set.Name, ordinal)
	selector := selectorOf(set)
	selector[v1alpha2.LabelUnit] = unit
	return newService(set, unitServiceName(unit), unitLabels(set, ordinal), spec.Annotations,
		corev1ac.ServiceSpec().
			WithType(cmp.Or(spec.Type, corev1.ServiceTypeClusterIP)).
			WithPublishNotReadyAddresses(false).
			WithSelector(selector).
			WithPorts(servicePorts(ports)...))
}

func newService(set *v1alpha2.UnitSet, name string, labels, annotations map[string]string, spec *corev1ac.ServiceSpecApplyConfiguration) *corev1ac.ServiceApplyConfiguration {
	svc := corev1ac.Service(name, set.Namespace).
		WithLabels(labels).
		WithOwnerReferences(ownerReference(set)).
		WithSpec(spec)
	return svc.WithAnnotations(withApplied(annotations, svc))
}

func servicePorts(ports []corev1.ContainerPort) []*corev1ac.ServicePortApplyConfiguration {
	var out []*corev1ac.ServicePortApplyConfiguration
	for _, p := range ports {
		port := corev1ac.ServicePort().
			WithPort(p.ContainerPort).
			WithTargetPort(intstr.FromInt32(p.ContainerPort)).
			WithProtocol(cmp.Or(p.Protocol, corev1.ProtocolTCP))
		if p.Name != "" {
			// By its name: pods of an older revision may listen elsewhere.
			port.WithName(p.Name).WithTargetPort(intstr.FromString(p.Name))
		}
		out = append(out, port)
	}
	return out
}

// sameService says whether a Service is as it was asked for.
func sameService(have *slim.Object, want *corev1ac.ServiceApplyConfiguration) bool {
	return contains(have.Labels, want.Labels) && contains(have.Annotations, want.Annotations) &&
		have.ContentHash == slim.ServiceHash(serviceSpec(want))
}

// serviceSpec is the spec that is asked for.
func serviceSpec(want *corev1ac.ServiceApplyConfiguration) *corev1.ServiceSpec {
	spec := &corev1.ServiceSpec{
		Type:                     *want.Spec.Type,
		ClusterIP:                deref(want.Spec.ClusterIP),
		PublishNotReadyAddresses: deref(want.Spec.PublishNotReadyAddresses),
		Selector:                 want.Spec.Selector,
	}
	for _, p := range want.Spec.Ports {
		spec.Ports = append(spec.Ports, corev1.ServicePort{Name: deref(p.Name), Port: *p.Port, Protocol: *p.Protocol, TargetPort: *p.TargetPort})
	}
	return spec
}

// hasForeignPorts says whether a Service has ports that are not wanted. Applying
// does not remove what another manager owns, and a renumbered port would clash
// with ours by its name.
func hasForeignPorts(have []corev1.ServicePort, want []corev1ac.ServicePortApplyConfiguration) bool {
	return slices.ContainsFunc(have, func(h corev1.ServicePort) bool {
		return !slices.ContainsFunc(want, func(w corev1ac.ServicePortApplyConfiguration) bool {
			return *w.Port == h.Port && *w.Protocol == h.Protocol
		})
	})
}

// replacementPorts are the wanted ports with the node ports that the Service has.
func replacementPorts(have []corev1.ServicePort, want []corev1ac.ServicePortApplyConfiguration) []corev1.ServicePort {
	var out []corev1.ServicePort
	for _, w := range want {
		port := corev1.ServicePort{Name: deref(w.Name), Port: *w.Port, Protocol: *w.Protocol, TargetPort: *w.TargetPort}
		i := slices.IndexFunc(have, func(h corev1.ServicePort) bool { return h.Port == port.Port && h.Protocol == port.Protocol })
		if i < 0 {
			i = slices.IndexFunc(have, func(h corev1.ServicePort) bool { return h.Name == port.Name })
		}
		if i >= 0 {
			port.NodePort = have[i].NodePort
		}
		out = append(out, port)
	}
	return out
}

// contains says whether have holds every pair of want.
func contains(have, want map[string]string) bool {
	for key, value := range want {
		if current, ok := have[key]; !ok || current != value {
			return false
		}
	}
	return true
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
