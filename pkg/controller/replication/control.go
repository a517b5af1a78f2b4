// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// fieldManagers begins the field manager of a controller, which ends with its name.
const fieldManagers = "unit-operator/"

var (
	podsResource     = corev1.Resource("pods")
	servicesResource = corev1.Resource("services")
	secretsResource  = corev1.Resource("secrets")
)

// control is the only part of the controller that writes to the API.
type control struct {
	*child.Writer[owner]
	kube kubernetes.Interface

	replications objects
	pods         child.Children[owner, *corev1.Pod]
	secrets      child.Children[owner, *corev1.Secret]
	services     child.Applied[owner, *corev1.Service, *corev1ac.ServiceApplyConfiguration]
}

func newControl(kube kubernetes.Interface, kind *kind, replications objects, wrote *consistency.Store, recorder events.EventRecorder) *control {
	w := child.NewWriter[owner](fieldManagers+kind.controller, kind.GroupVersionKind, wrote, findings.NewRecorder(recorder, kind.GroupVersionKind, conditionsOfReplication))
	core := kube.CoreV1()
	return &control{
		Writer: w, kube: kube, replications: replications,
		pods:     child.Of(w, child.Kind{Name: "Pod", Resource: podsResource}, core.Pods),
		secrets:  child.Of(w, child.Kind{Name: "Secret", Resource: secretsResource}, core.Secrets),
		services: child.AppliedOf(w, child.Kind{Name: "Service", Resource: servicesResource}, core.Services, correctPorts),
	}
}

// setFinalizers of the Replication as it was read.
func (c *control) setFinalizers(ctx context.Context, r owner, finalizers []string) error {
	return c.replications.setFinalizers(ctx, c.Writer, r, finalizers)
}

// removeAnnotation from the Replication as it was read.
func (c *control) removeAnnotation(ctx context.Context, r owner, name string) error {
	return c.replications.annotate(ctx, c.Writer, r, name, nil)
}

// patchStatus writes what differs from the status that was read, over that very one.
func (c *control) patchStatus(ctx context.Context, r owner, status Status) error {
	return c.replications.patchStatus(ctx, c.Writer, r, status)
}

// readSecret reads any Secret of the namespace.
func (c *control) readSecret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return c.kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
}

// annotateSecret of the channel, as it was read.
func (c *control) annotateSecret(ctx context.Context, r owner, secret *corev1.Secret, key, value string) error {
	_, _, err := c.secrets.Patch(ctx, r, secret, map[string]any{
		"resourceVersion": secret.ResourceVersion, "annotations": map[string]any{key: value},
	}, nil)
	return err
}

// relabel a pod as it was seen. One that has changed since refuses it: whoever changed
// it may have been an operator that knows more.
func (c *control) relabel(ctx context.Context, r owner, change relabel) error {
	labels := map[string]any{v1alpha2.LabelRole: nil, v1alpha2.LabelReplication: nil}
	if change.role != "" {
		labels[v1alpha2.LabelRole], labels[v1alpha2.LabelReplication] = change.role, r.Name
	}
	_, _, err := c.pods.Patch(ctx, r, change.pod, map[string]any{
		"resourceVersion": change.pod.ResourceVersion, "labels": labels,
		"annotations": map[string]any{v1alpha2.AnnotationRoleEpoch: strconv.FormatInt(change.epoch, 10)},
	}, nil)
	return err
}

// applyService makes a Service what was asked for.
func (c *control) applyService(ctx context.Context, r owner, want *corev1.Service, seen *slim.Object) error {
	return c.services.Apply(ctx, r, applyConfiguration(want), seen != nil)
}

// correctPorts: applying leaves ports that another manager has added.
func correctPorts(have *corev1.Service, want *corev1ac.ServiceApplyConfiguration) *child.Correction {
	for _, p := range have.Spec.Ports {
		if p.Port != *want.Spec.Ports[0].Port {
			port := corev1.ServicePort{
				Name: *want.Spec.Ports[0].Name, Port: *want.Spec.Ports[0].Port, TargetPort: *want.Spec.Ports[0].TargetPort, Protocol: *want.Spec.Ports[0].Protocol,
			}
			return &child.Correction{Path: "/spec/ports", Value: []corev1.ServicePort{port}}
		}
	}
	return nil
}

func applyConfiguration(svc *corev1.Service) *corev1ac.ServiceApplyConfiguration {
	spec := corev1ac.ServiceSpec().
		WithType(svc.Spec.Type).
		WithPublishNotReadyAddresses(svc.Spec.PublishNotReadyAddresses).
		WithSelector(svc.Spec.Selector).
		WithLoadBalancerSourceRanges(svc.Spec.LoadBalancerSourceRanges...)
	if svc.Spec.ExternalTrafficPolicy != "" {
		spec.WithExternalTrafficPolicy(svc.Spec.ExternalTrafficPolicy)
	}
	for _, p := range svc.Spec.Ports {
		spec.WithPorts(corev1ac.ServicePort().WithName(p.Name).WithPort(p.Port).WithTargetPort(p.TargetPort).WithProtocol(p.Protocol))
	}
	owner := svc.OwnerReferences[0]
	return corev1ac.Service(svc.Name, svc.Namespace).
		WithLabels(svc.Labels).
		WithAnnotations(svc.Annotations).
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion(owner.APIVersion).WithKind(owner.Kind).WithName(owner.Name).
			WithUID(owner.UID).WithController(true).WithBlockOwnerDeletion(true)).
		WithSpec(spec)
}
