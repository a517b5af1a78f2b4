// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/unitset/revision"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/unitset"

// Kinds of children, as messages name them.
const (
	kindUnit      = "Unit"
	kindRevision  = "ControllerRevision"
	kindConfigMap = "ConfigMap"
	kindService   = "Service"
	kindPDB       = "PodDisruptionBudget"
)

// applyOptions: what we own is ours, whoever edited it.
var applyOptions = metav1.ApplyOptions{FieldManager: fieldManager, Force: true}

var controllerKind = v1alpha2.SchemeGroupVersion.WithKind("UnitSet")

var (
	unitSetsResource   = v1alpha2.Resource("unitsets")
	unitsResource      = v1alpha2.Resource("units")
	callsResource      = v1alpha1.Resource("grpccalls")
	mysqlsResource     = v1alpha1.Resource("mysqlreplications")
	postgresesResource = v1alpha1.Resource("postgresreplications")
	servicesResource   = corev1.Resource("services")
	configMapsResource = corev1.Resource("configmaps")
	revisionsResource  = appsv1.Resource("controllerrevisions")
	pdbsResource       = policyv1.Resource("poddisruptionbudgets")
)

// control is the only part of the controller that calls the API. It remembers
// what it wrote, so that no sync plans on a cache that is older.
type control struct {
	kube   kubernetes.Interface
	upm    versioned.Interface
	wrote  *consistency.Store
	events recorder

	// taken are children whose name was found to belong to somebody else: they
	// are looked at before they are written the next time.
	taken sync.Map
}

// nameConflictError says that a child's name belongs to somebody else's object.
type nameConflictError struct {
	kind, name, controller string
	// otherType is the type of the set that it belonged to, if it would have been
	// taken over but for that.
	otherType string
}

func (e *nameConflictError) Error() string {
	owner := "has no controller"
	switch {
	case e.controller != "":
		owner = "is controlled by " + e.controller
	case e.otherType != "":
		owner = "belongs to an earlier UnitSet of that name, of type " + e.otherType
	}
	return fmt.Sprintf("%s %s exists and %s, so it is neither used nor changed; it must be renamed or deleted", e.kind, e.name, owner)
}

// collisionError says that a revision's name belongs to another revision of the
// same set.
type collisionError struct{ name string }

func (e *collisionError) Error() string { return "hash collision of ControllerRevision " + e.name }

// checkOurs returns a nameConflictError unless the set controls the object or may
// take it over.
func checkOurs(set *v1alpha2.UnitSet, kind string, obj metav1.Object) error {
	if ownerref.ControlledBy(obj, set) || adoptable(set, obj) {
		return nil
	}
	c := newChild(set, obj)
	return c.conflict(set, kind)
}

// isQuota tells a refusal by a quota of the namespace.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "quota")
}

func (c *control) record(set *v1alpha2.UnitSet, resource schema.GroupResource, obj metav1.Object) {
	c.wrote.WroteAt(cache.MetaObjectToName(set), set.UID, resource, obj.GetResourceVersion())
}

// create makes a child that the cache does not show. One that is there already
// is success if it is ours: the cache was late. created is nil then.
func create[T metav1.Object](ctx context.Context, c *control, set *v1alpha2.UnitSet, kind string, resource schema.GroupResource, obj T,
	get func(context.Context, string, metav1.GetOptions) (T, error),
	post func(context.Context, T, metav1.CreateOptions) (T, error),
) (created bool, err error) {
	key := kind + "/" + obj.GetNamespace() + "/" + obj.GetName()
	if _, taken := c.taken.Load(key); taken {
		if _, there, err := live(ctx, set, kind, obj.GetName(), get); there || err != nil {
			return false, err
		}
		c.taken.Delete(key)
	}
	written, err := post(ctx, obj, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		_, _, err = live(ctx, set, kind, obj.GetName(), get)
		if _, conflict := errors.AsType[*nameConflictError](err); conflict {
			c.taken.Store(key, struct{}{})
		}
		return false, err
	}
	if err != nil {
		c.events.failedCreate(set, kind, obj.GetName(), err)
		return false, err
	}
	c.record(set, resource, written)
	return true, nil
}

// createUnit makes a Unit.
func (c *control) createUnit(ctx context.Context, set *v1alpha2.UnitSet, unit *v1alpha2.Unit) error {
	units := c.upm.UpmV1alpha2().Units(set.Namespace)
	created, err := create(ctx, c, set, kindUnit, unitsResource, unit, units.Get, units.Create)
	if created {
		c.events.created(set, unit)
	}
	return err
}

// createConfigMap makes a ConfigMap that is the user's from then on.
func (c *control) createConfigMap(ctx context.Context, set *v1alpha2.UnitSet, cm *corev1.ConfigMap) error {
	configMaps := c.kube.CoreV1().ConfigMaps(set.Namespace)
	_, err := create(ctx, c, set, kindConfigMap, configMapsResource, cm, configMaps.Get, configMaps.Create)
	return err
}

// createRevision stores a revision. One of that name that holds something else is
// a collision.
func (c *control) createRevision(ctx context.Context, set *v1alpha2.UnitSet, r *appsv1.ControllerRevision) error {
	revisions := c.kube.AppsV1().ControllerRevisions(set.Namespace)
	created, err := create(ctx, c, set, kindRevision, revisionsResource, r, revisions.Get, revisions.Create)
	if err != nil || created {
		return err
	}
	there, err := revisions.Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if there.Annotations[revision.AnnotationContentHash] != r.Annotations[revision.AnnotationContentHash] {
		return &collisionError{r.Name}
	}
	return nil
}

// bumpRevision makes an older revision the newest again.
func (c *control) bumpRevision(ctx context.Context, set *v1alpha2.UnitSet, r *observedRevision, number int64) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": r.UID}, "revision": number})
	if err != nil {
		return err
	}
	written, err := c.kube.AppsV1().ControllerRevisions(set.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	c.record(set, revisionsResource, written)
	return nil
}

// disownRevision takes the set off a revision's owners.
func (c *control) disownRevision(ctx context.Context, set *v1alpha2.UnitSet, r *observedRevision) error {
	owners := slices.DeleteFunc(slices.Clone(r.owners), func(o metav1.OwnerReference) bool { return o.UID == set.UID })
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": r.UID, "resourceVersion": r.resourceVersion, "ownerReferences": owners,
	}})
	if err != nil {
		return err
	}
	written, err := c.kube.AppsV1().ControllerRevisions(set.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	c.record(set, revisionsResource, written)
	return nil
}

// replace is a JSON patch of the one object that was read.
func replace(obj metav1.Object, path string, value any) ([]byte, error) {
	return json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": obj.GetUID()},
		{"op": "add", "path": path, "value": value},
	})
}

// applyService makes a Service what was asked for. The UID in what is applied
// makes one of the same name that came since refuse it.
func (c *control) applyService(ctx context.Context, set *v1alpha2.UnitSet, want *corev1ac.ServiceApplyConfiguration) error {
	services := c.kube.CoreV1().Services(set.Namespace)
	have, there, err := live(ctx, set, kindService, *want.Name, services.Get)
	if err != nil {
		return err
	}
	if there {
		want.WithUID(have.UID)
		if hasForeignPorts(have.Spec.Ports, want.Spec.Ports) {
			patch, err := replace(have, "/spec/ports", replacementPorts(have.Spec.Ports, want.Spec.Ports))
			if err != nil {
				return err
			}
			if _, err := services.Patch(ctx, have.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
				return err
			}
		}
	}
	written, err := services.Apply(ctx, want, applyOptions)
	if err != nil {
		if !there {
			c.events.failedCreate(set, kindService, *want.Name, err)
		}
		return err
	}
	c.record(set, servicesResource, written)
	return nil
}

// applyConfigMap makes a ConfigMap what was asked for.
func (c *control) applyConfigMap(ctx context.Context, set *v1alpha2.UnitSet, want *corev1ac.ConfigMapApplyConfiguration) error {
	configMaps := c.kube.CoreV1().ConfigMaps(set.Namespace)
	have, there, err := live(ctx, set, kindConfigMap, *want.Name, configMaps.Get)
	if err != nil {
		return err
	}
	if there {
		want.WithUID(have.UID)
		if hasForeignKeys(have, want) {
			have.Data, have.BinaryData = want.Data, nil
			if _, err := configMaps.Update(ctx, have, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
				return err
			}
		}
	}
	written, err := configMaps.Apply(ctx, want, applyOptions)
	if err != nil {
		if !there {
			c.events.failedCreate(set, kindConfigMap, *want.Name, err)
		}
		return err
	}
	c.record(set, configMapsResource, written)
	return nil
}

// applyPDB makes a budget what was asked for.
func (c *control) applyPDB(ctx context.Context, set *v1alpha2.UnitSet, want *policyv1ac.PodDisruptionBudgetApplyConfiguration) error {
	pdbs := c.kube.PolicyV1().PodDisruptionBudgets(set.Namespace)
	have, there, err := live(ctx, set, kindPDB, *want.Name, pdbs.Get)
	if err != nil {
		return err
	}
	if there {
		want.WithUID(have.UID)
		// It has one of the two; applying the one would leave the other.
		if have.Spec.MaxUnavailable != nil {
			patch, err := replace(have, "/spec", pdbSpec(want))
			if err != nil {
				return err
			}
			if _, err := pdbs.Patch(ctx, have.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
				return err
			}
		}
	}
	written, err := pdbs.Apply(ctx, want, applyOptions)
	if err != nil {
		if !there {
			c.events.failedCreate(set, kindPDB, *want.Name, err)
		}
		return err
	}
	c.record(set, pdbsResource, written)
	return nil
}

// deleteWith deletes the one object that was seen, and no other by its name.
func deleteWith(ctx context.Context, name string, uid types.UID, del func(context.Context, string, metav1.DeleteOptions) error) error {
	err := del(ctx, name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(uid))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func (c *control) deleteService(ctx context.Context, set *v1alpha2.UnitSet, name string, uid types.UID) error {
	return deleteWith(ctx, name, uid, c.kube.CoreV1().Services(set.Namespace).Delete)
}

func (c *control) deleteRevision(ctx context.Context, set *v1alpha2.UnitSet, name string, uid types.UID) error {
	return deleteWith(ctx, name, uid, c.kube.AppsV1().ControllerRevisions(set.Namespace).Delete)
}

func (c *control) deletePDB(ctx context.Context, set *v1alpha2.UnitSet, uid types.UID) error {
	return deleteWith(ctx, set.Name, uid, c.kube.PolicyV1().PodDisruptionBudgets(set.Namespace).Delete)
}

// patchUnit writes a merge patch to the one Unit that was seen. The UID in it
// makes a Unit of the same name that came since refuse it. written is nil if the
// Unit is gone.
func (c *control) patchUnit(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit, metadata, spec map[string]any) (written *v1alpha2.Unit, err error) {
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["uid"] = unit.UID
	body := map[string]any{"metadata": metadata}
	if spec != nil {
		body["spec"] = spec
	}
	patch, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	written, err = c.upm.UpmV1alpha2().Units(set.Namespace).Patch(ctx, unit.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if apierrors.IsNotFound(err) || isAnotherObject(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.record(set, unitsResource, written)
	return written, nil
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
		c.record(set, callsResource, call)
	}
	return call, err
}

// deleteUnit deletes a Unit after telling it what becomes of its claims. Its own
// finalizer lets the server stop first.
func (c *control) deleteUnit(ctx context.Context, set *v1alpha2.UnitSet, unit *observedUnit, claims v1alpha2.ClaimRetention, why string) error {
	written, err := c.retainClaims(ctx, set, unit, claims)
	if err != nil {
		return err
	}
	if written == nil || written.DeletionTimestamp != nil {
		// The cache has not seen yet that it was deleted.
		return nil
	}
	if err := deleteWith(ctx, unit.Name, unit.UID, c.upm.UpmV1alpha2().Units(set.Namespace).Delete); err != nil {
		return err
	}
	c.events.deleted(set, unit.reference(set), unit.Name, why)
	return nil
}

// adopt makes the set the controller of an object, if it is still as it was
// observed.
func (c *control) adopt(ctx context.Context, set *v1alpha2.UnitSet, o orphan) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": o.UID, "resourceVersion": o.resourceVersion,
		"ownerReferences": append(slices.Clone(o.owners), *metav1.NewControllerRef(set, controllerKind)),
	}})
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	var written metav1.Object
	var resource schema.GroupResource
	switch o.kind {
	case kindUnit:
		resource = unitsResource
		written, err = c.upm.UpmV1alpha2().Units(set.Namespace).Patch(ctx, o.Name, types.MergePatchType, patch, options)
	case kindRevision:
		resource = revisionsResource
		written, err = c.kube.AppsV1().ControllerRevisions(set.Namespace).Patch(ctx, o.Name, types.MergePatchType, patch, options)
	default:
		resource = configMapsResource
		written, err = c.kube.CoreV1().ConfigMaps(set.Namespace).Patch(ctx, o.Name, types.MergePatchType, patch, options)
	}
	if err != nil {
		return err
	}
	c.record(set, resource, written)
	if o.kind == kindUnit {
		c.events.adopted(set, o)
	}
	return nil
}

// setFinalizers writes the finalizers of the set as it was read.
func (c *control) setFinalizers(ctx context.Context, set *v1alpha2.UnitSet, finalizers []string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": set.UID, "resourceVersion": set.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	written, err := c.upm.UpmV1alpha2().UnitSets(set.Namespace).Patch(ctx, set.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	c.record(set, unitSetsResource, written)
	return nil
}

// updateStatus writes a status and the events of what changed in it.
func (c *control) updateStatus(ctx context.Context, set *v1alpha2.UnitSet, status v1alpha2.UnitSetStatus) error {
	next := set.DeepCopy()
	next.Status = status
	written, err := c.upm.UpmV1alpha2().UnitSets(set.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsNotFound(err) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	c.record(set, unitSetsResource, written)
	c.events.transitions(set, set.Status.Conditions, status.Conditions)
	return nil
}
