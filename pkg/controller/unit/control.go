// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/unit"

// Actions of events.
const (
	actionReconcile = findings.ActionReconcile
	actionBind      = "Bind"
)

var controllerKind = v1alpha2.SchemeGroupVersion.WithKind("Unit")

var (
	unitsResource      = v1alpha2.Resource("units")
	callsResource      = v1alpha1.Resource("grpccalls")
	podsResource       = corev1.Resource("pods")
	claimsResource     = corev1.Resource("persistentvolumeclaims")
	secretsResource    = corev1.Resource("secrets")
	configMapsResource = corev1.Resource("configmaps")
)

// control is the only part of the controller that writes to the API.
type control struct {
	*child.Writer[*slim.Unit]
	kube kubernetes.Interface
	upm  versioned.Interface

	units      child.Children[*slim.Unit, *v1alpha2.Unit]
	pods       child.Children[*slim.Unit, *corev1.Pod]
	claims     child.Children[*slim.Unit, *corev1.PersistentVolumeClaim]
	secrets    child.Children[*slim.Unit, *corev1.Secret]
	configMaps child.Children[*slim.Unit, *corev1.ConfigMap]
}

func newControl(kube kubernetes.Interface, upm versioned.Interface, wrote *consistency.Store, recorder events.EventRecorder) *control {
	w := child.NewWriter[*slim.Unit](fieldManager, controllerKind, wrote, findings.NewRecorder(recorder, controllerKind, conditionsOfUnit))
	core := kube.CoreV1()
	c := &control{
		Writer: w, kube: kube, upm: upm,
		units:      child.Of(w, child.Kind{Name: "Unit", Resource: unitsResource}, upm.UpmV1alpha2().Units),
		pods:       child.Of(w, child.Kind{Name: "Pod", Resource: podsResource}, core.Pods),
		claims:     child.Of(w, child.Kind{Name: "PersistentVolumeClaim", Resource: claimsResource}, core.PersistentVolumeClaims),
		secrets:    child.Of(w, child.Kind{Name: "Secret", Resource: secretsResource}, core.Secrets),
		configMaps: child.Of(w, child.Kind{Name: "ConfigMap", Resource: configMapsResource}, core.ConfigMaps),
	}
	c.claims.Ours, c.claims.Hint = isClaimOf, hintForClaim
	return c
}

// isClaimOf a Unit: claims outlive their Unit, so they are recognised by their label, or, if
// somebody took that off, by the UID that the record of the unit's data has.
func isClaimOf(unit *slim.Unit, obj metav1.Object) bool {
	if metav1.GetControllerOfNoCopy(obj) != nil {
		return false
	}
	labelled := obj.GetLabels()[v1alpha2.LabelUnit] == unit.Name && obj.GetLabels()[v1alpha2.LabelManaged] == "true"
	return labelled || isRecorded(unit, obj.GetUID())
}

// isRecorded says whether a claim is one that holds the unit's data.
func isRecorded(unit *slim.Unit, claim types.UID) bool {
	d := unit.Status.DataIdentity
	return d != nil && slices.Contains(slices.Collect(maps.Values(d.ClaimUIDs)), claim)
}

func hintForClaim(*slim.Unit, metav1.Object) string {
	return fmt.Sprintf(", or labelled %s=true and %s=<this Unit> to be used", v1alpha2.LabelManaged, v1alpha2.LabelUnit)
}

// patchUnit writes to the Unit itself. The sync ends after it.
func (c *control) patchUnit(ctx context.Context, unit *slim.Unit, metadata, rest map[string]any) error {
	_, _, err := c.units.Patch(ctx, unit, unit, metadata, rest)
	return err
}

// replaceSecret puts a new certificate into the Secret of the agent's, and nothing
// else.
func (c *control) replaceSecret(ctx context.Context, unit *slim.Unit, secret *slim.Object, labels map[string]string, leaf string, data map[string][]byte) error {
	have, there, err := c.secrets.Get(ctx, unit, secret.Name)
	if err != nil || !there {
		return err
	}
	have.Data = data
	metav1.SetMetaDataAnnotation(&have.ObjectMeta, annotationLeaf, leaf)
	for key, value := range labels {
		metav1.SetMetaDataLabel(&have.ObjectMeta, key, value)
	}
	if _, err := c.secrets.Replace(ctx, unit, have); err != nil {
		return err
	}
	c.Events.Normal(unit, v1alpha2.ReasonCertificateIssued, actionReconcile, "The certificate of the agent was renewed in Secret %s", have.Name)
	return nil
}

// patchStatus writes what changed in a status, and the events of it. Another
// status than the one that was read refuses it: the record of the unit's data
// must not be overwritten by an operator that slept.
func (c *Controller) patchStatus(ctx context.Context, unit *slim.Unit, status v1alpha2.UnitStatus) error {
	written, err := c.control.units.PatchStatus(ctx, unit, unit, unit.Status, status)
	if written {
		c.memory(cache.MetaObjectToName(unit)).written()
		c.control.Events.Transitions(ctx, unit, unit.Status.Conditions, status.Conditions, c.cfg.Clock.Now())
	}
	return err
}

// readPod is the pod as the API server has it now, whoever's it is; nil if there is
// none.
func (c *control) readPod(ctx context.Context, unit *slim.Unit) (*corev1.Pod, error) {
	pod, err := c.kube.CoreV1().Pods(unit.Namespace).Get(ctx, unit.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pod: %w", err)
	}
	return pod, nil
}
