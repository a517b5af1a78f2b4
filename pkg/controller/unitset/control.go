// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/unitset"

// Kinds of children.
var (
	kindUnit      = child.Kind{Name: "Unit", Resource: v1alpha2.Resource("units")}
	kindRevision  = child.Kind{Name: "ControllerRevision", Resource: appsv1.Resource("controllerrevisions")}
	kindConfigMap = child.Kind{Name: "ConfigMap", Resource: corev1.Resource("configmaps")}
	kindService   = child.Kind{Name: "Service", Resource: corev1.Resource("services")}
	kindPDB       = child.Kind{Name: "PodDisruptionBudget", Resource: policyv1.Resource("poddisruptionbudgets")}
)

var controllerKind = v1alpha2.SchemeGroupVersion.WithKind("UnitSet")

var (
	unitSetsResource   = v1alpha2.Resource("unitsets")
	callsResource      = v1alpha1.Resource("grpccalls")
	mysqlsResource     = v1alpha1.Resource("mysqlreplications")
	postgresesResource = v1alpha1.Resource("postgresreplications")
)

type unitSet = *v1alpha2.UnitSet

// control is the only part of the controller that calls the API.
type control struct {
	*child.Writer[unitSet]
	kube kubernetes.Interface
	upm  versioned.Interface

	sets       child.Children[unitSet, *v1alpha2.UnitSet]
	units      child.Children[unitSet, *v1alpha2.Unit]
	revisions  child.Children[unitSet, *appsv1.ControllerRevision]
	configMaps child.Applied[unitSet, *corev1.ConfigMap, *corev1ac.ConfigMapApplyConfiguration]
	services   child.Applied[unitSet, *corev1.Service, *corev1ac.ServiceApplyConfiguration]
	pdbs       child.Applied[unitSet, *policyv1.PodDisruptionBudget, *policyv1ac.PodDisruptionBudgetApplyConfiguration]
}

func newControl(kube kubernetes.Interface, upm versioned.Interface, wrote *consistency.Store, recorder events.EventRecorder) *control {
	w := child.NewWriter[unitSet](fieldManager, controllerKind, wrote, findings.NewRecorder(recorder, controllerKind, conditionsOfSet))
	c := &control{
		Writer: w, kube: kube, upm: upm,
		sets:       child.Of(w, child.Kind{Name: "UnitSet", Resource: unitSetsResource}, upm.UpmV1alpha2().UnitSets),
		units:      child.Of(w, kindUnit, upm.UpmV1alpha2().Units),
		revisions:  child.Of(w, kindRevision, kube.AppsV1().ControllerRevisions),
		configMaps: child.AppliedOf(w, kindConfigMap, kube.CoreV1().ConfigMaps, correctConfigMap),
		services:   child.AppliedOf(w, kindService, kube.CoreV1().Services, correctService),
		pdbs:       child.AppliedOf(w, kindPDB, kube.PolicyV1().PodDisruptionBudgets, correctPDB),
	}
	c.units.Ours, c.units.Hint = adoptable, ofAnotherType
	c.revisions.Ours, c.revisions.Hint = adoptable, ofAnotherType
	c.configMaps.Ours, c.configMaps.Hint = adoptable, ofAnotherType
	c.services.Ours, c.services.Hint = adoptable, ofAnotherType
	c.pdbs.Ours, c.pdbs.Hint = adoptable, ofAnotherType
	return c
}

// ofAnotherType says of an object that would have been taken over but for its type to
// which it belongs.
func ofAnotherType(set *v1alpha2.UnitSet, obj metav1.Object) string {
	if other := obj.GetLabels()[v1alpha2.LabelType]; other != string(set.Spec.Type) && contains(obj.GetLabels(), selectorOf(set)) {
		return fmt.Sprintf("; it belongs to an earlier UnitSet of that name, of type %s", other)
	}
	return ""
}

// collisionError says that a revision's name belongs to another revision of the
// same set.
type collisionError struct{ name string }

func (e *collisionError) Error() string { return "hash collision of ControllerRevision " + e.name }

// createRevision stores a revision. One of that name that holds something else is
// a collision.
func (c *control) createRevision(ctx context.Context, set *v1alpha2.UnitSet, r *appsv1.ControllerRevision) error {
	there, _, err := c.revisions.Create(ctx, set, r)
	if err == nil && there.Annotations[revision.AnnotationContentHash] != r.Annotations[revision.AnnotationContentHash] {
		return &collisionError{r.Name}
	}
	return err
}

// disownRevision takes the set off a revision's owners.
func (c *control) disownRevision(ctx context.Context, set *v1alpha2.UnitSet, r *observedRevision) error {
	owners := slices.DeleteFunc(slices.Clone(r.OwnerReferences), func(o metav1.OwnerReference) bool { return o.UID == set.UID })
	_, _, err := c.revisions.Patch(ctx, set, r, map[string]any{"resourceVersion": r.ResourceVersion, "ownerReferences": owners}, nil)
	return err
}

// correctConfigMap that has keys which are not wanted.
func correctConfigMap(have *corev1.ConfigMap, want *corev1ac.ConfigMapApplyConfiguration) *child.Correction {
	if len(have.BinaryData) > 0 {
		return &child.Correction{Path: "/binaryData", Value: map[string][]byte{}}
	}
	for key := range have.Data {
		if _, wanted := want.Data[key]; !wanted {
			return &child.Correction{Path: "/data", Value: want.Data}
		}
	}
	return nil
}

// correctService that has ports which are not wanted.
func correctService(have *corev1.Service, want *corev1ac.ServiceApplyConfiguration) *child.Correction {
	if !hasForeignPorts(have.Spec.Ports, want.Spec.Ports) {
		return nil
	}
	return &child.Correction{Path: "/spec/ports", Value: replacementPorts(have.Spec.Ports, want.Spec.Ports)}
}

// correctPDB that has the other one of two fields: applying the one would leave it.
func correctPDB(have *policyv1.PodDisruptionBudget, want *policyv1ac.PodDisruptionBudgetApplyConfiguration) *child.Correction {
	if have.Spec.MaxUnavailable == nil {
		return nil
	}
	return &child.Correction{Path: "/spec", Value: pdbSpec(want)}
}

// patchUnit writes to the one Unit that was seen. written is nil if it is gone.
func (c *control) patchUnit(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit, metadata, spec map[string]any) (written *v1alpha2.Unit, err error) {
	var rest map[string]any
	if spec != nil {
		rest = map[string]any{"spec": spec}
	}
	written, ok, err := c.units.Patch(ctx, set, unit, metadata, rest)
	if !ok {
		return nil, err
	}
	return written, err
}

// retainClaims tells a Unit what becomes of its claims when it is deleted.
func (c *control) retainClaims(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit, claims v1alpha2.ClaimRetention) (*v1alpha2.Unit, error) {
	return c.patchUnit(ctx, set, unit, nil, retention(claims))
}

// readHolder is the call that holds a unit up, as the API server knows it now. The
// next sync is when the cache has it too.
func (c *control) readHolder(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit) (*v1alpha1.GrpcCall, error) {
	call, err := interlock.ReadHolder(ctx, c.upm.UpmV1alpha1().GrpcCalls(set.Namespace), unit.Name)
	if call != nil {
		c.Record(set, callsResource, call)
	}
	return call, err
}

// deleteUnit deletes a Unit after telling it what becomes of its claims. Its own
// finalizer lets the server stop first.
func (c *control) deleteUnit(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit, claims v1alpha2.ClaimRetention, why string) error {
	written, err := c.retainClaims(ctx, set, unit, claims)
	if err != nil || written == nil || written.DeletionTimestamp != nil {
		// The cache has not seen yet that it was deleted.
		return err
	}
	return c.units.DeleteLoudly(ctx, set, unit.Name, unit.UID, why)
}

// adopt makes the set the controller of an object, if it is still as it was
// observed.
func (c *control) adopt(ctx context.Context, set *v1alpha2.UnitSet, o orphan) (adopted bool, err error) {
	metadata := map[string]any{
		"resourceVersion": o.GetResourceVersion(),
		"ownerReferences": append(slices.Clone(o.GetOwnerReferences()), *metav1.NewControllerRef(set, controllerKind)),
	}
	switch o.kind {
	case kindUnit:
		_, adopted, err = c.units.Patch(ctx, set, o, metadata, nil)
	case kindRevision:
		_, adopted, err = c.revisions.Patch(ctx, set, o, metadata, nil)
	default:
		_, adopted, err = c.configMaps.Patch(ctx, set, o, metadata, nil)
	}
	if adopted && o.kind == kindUnit {
		c.Events.Normal(set, v1alpha2.ReasonAdopted, actionAdopt, "Adopted Unit %s, which an earlier UnitSet of this name left", o.GetName())
	}
	return adopted, err
}

// actionAdopt of events.
const actionAdopt = "Adopt"
