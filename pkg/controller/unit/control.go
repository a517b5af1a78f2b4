// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/unit"

var (
	createOptions = metav1.CreateOptions{FieldManager: fieldManager}
	patchOptions  = metav1.PatchOptions{FieldManager: fieldManager}
)

var controllerKind = v1alpha2.SchemeGroupVersion.WithKind("Unit")

var (
	unitsResource   = v1alpha2.Resource("units")
	callsResource   = v1alpha1.Resource("grpccalls")
	podsResource    = corev1.Resource("pods")
	claimsResource  = corev1.Resource("persistentvolumeclaims")
	secretsResource = corev1.Resource("secrets")
)

// control is the only part of the controller that writes to the API. It remembers
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
}

func (e *nameConflictError) Error() string {
	owner := "has no controller"
	if e.controller != "" {
		owner = "is controlled by " + e.controller
	}
	text := fmt.Sprintf("%s %s exists and %s, so it is neither used nor changed; it must be renamed or deleted", e.kind, e.name, owner)
	if e.kind == kindClaim && e.controller == "" {
		text += fmt.Sprintf(", or labelled %s=true and %s=<this Unit> to be used", v1alpha2.LabelManaged, v1alpha2.LabelUnit)
	}
	return text
}

const (
	kindPod    = "Pod"
	kindClaim  = "PersistentVolumeClaim"
	kindSecret = "Secret"
)

// isOurs says whether a child is the Unit's. Claims outlive their Unit, so they
// are told by their label, and are another's only if somebody else controls them.
func isOurs(unit *slim.Unit, kind string, obj metav1.Object) bool {
	if ownerref.ControlledBy(obj, unit) {
		return true
	}
	return kind == kindClaim && metav1.GetControllerOfNoCopy(obj) == nil &&
		obj.GetLabels()[v1alpha2.LabelUnit] == unit.Name && obj.GetLabels()[v1alpha2.LabelManaged] == "true"
}

// checkOurs returns a nameConflictError unless the object is the Unit's.
func checkOurs(unit *slim.Unit, kind string, obj metav1.Object) error {
	if isOurs(unit, kind, obj) {
		return nil
	}
	conflict := &nameConflictError{kind: kind, name: obj.GetName()}
	if ref := metav1.GetControllerOf(obj); ref != nil {
		conflict.controller = ref.Kind + " " + ref.Name
		if ref.Kind == controllerKind.Kind && ref.Name == unit.Name {
			conflict.controller = "an earlier Unit of this name"
		}
	}
	return conflict
}

// asNameConflict tells whether a name belongs to somebody else.
func asNameConflict(err error) (*nameConflictError, bool) {
	return errors.AsType[*nameConflictError](err)
}

// isQuota tells a refusal by a quota of the namespace.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "quota")
}

func (c *control) record(unit *slim.Unit, resource schema.GroupResource, obj metav1.Object) {
	c.wrote.WroteAt(cache.MetaObjectToName(unit), unit.UID, resource, obj.GetResourceVersion())
}

// client is what create needs of a typed client.
type client[T metav1.Object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error)
}

// create makes a child that the cache does not show. One that is there already
// is success if it is ours: the cache was late. It returns what is there.
func create[T metav1.Object](ctx context.Context, c *control, unit *slim.Unit, kind string, resource schema.GroupResource, obj T, api client[T]) (there T, created bool, err error) {
	key := kind + "/" + obj.GetNamespace() + "/" + obj.GetName()
	if _, taken := c.taken.Load(key); taken {
		have, err := api.Get(ctx, obj.GetName(), metav1.GetOptions{})
		if err == nil {
			err = checkOurs(unit, kind, have)
		}
		if !apierrors.IsNotFound(err) {
			return have, false, err
		}
		c.taken.Delete(key)
	}
	written, err := api.Create(ctx, obj, createOptions)
	if apierrors.IsAlreadyExists(err) {
		have, err := api.Get(ctx, obj.GetName(), metav1.GetOptions{})
		if err != nil {
			return have, false, err
		}
		if err := checkOurs(unit, kind, have); err != nil {
			c.taken.Store(key, struct{}{})
			return have, false, err
		}
		c.record(unit, resource, have)
		return have, false, nil
	}
	if err != nil {
		return written, false, err
	}
	c.record(unit, resource, written)
	return written, true, nil
}

func (c *control) createPod(ctx context.Context, unit *slim.Unit, pod *corev1.Pod) (*corev1.Pod, error) {
	there, created, err := create(ctx, c, unit, kindPod, podsResource, pod, c.kube.CoreV1().Pods(unit.Namespace))
	if created {
		c.events.normal(unit, v1alpha2.ReasonSuccessfulCreate, actionCreate, "Created Pod %s", pod.Name)
	}
	return there, err
}

func (c *control) createClaim(ctx context.Context, unit *slim.Unit, claim *corev1.PersistentVolumeClaim) (*corev1.PersistentVolumeClaim, error) {
	there, _, err := create(ctx, c, unit, kindClaim, claimsResource, claim, c.kube.CoreV1().PersistentVolumeClaims(unit.Namespace))
	return there, err
}

func (c *control) createSecret(ctx context.Context, unit *slim.Unit, secret *corev1.Secret) (*corev1.Secret, error) {
	there, _, err := create(ctx, c, unit, kindSecret, secretsResource, secret, c.kube.CoreV1().Secrets(unit.Namespace))
	return there, err
}

// mergePatch of the one object that was seen: the UID in it makes one of the same
// name that came since refuse it.
func mergePatch(uid types.UID, metadata, rest map[string]any) ([]byte, error) {
	meta := map[string]any{"uid": uid}
	for k, v := range metadata {
		meta[k] = v
	}
	body := map[string]any{"metadata": meta}
	for k, v := range rest {
		body[k] = v
	}
	return json.Marshal(body)
}

func (c *control) patchPod(ctx context.Context, unit *slim.Unit, pod *slim.Pod, metadata map[string]any) error {
	patch, err := mergePatch(pod.UID, metadata, nil)
	if err != nil {
		return err
	}
	written, err := c.kube.CoreV1().Pods(unit.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, patchOptions)
	if err != nil {
		return ignoreGone(err)
	}
	c.record(unit, podsResource, written)
	return nil
}

// setPodFinalizers of the pod as it was seen.
func (c *control) setPodFinalizers(ctx context.Context, unit *slim.Unit, pod *slim.Pod, finalizers []string) error {
	patch, err := mergePatch(pod.UID, map[string]any{"resourceVersion": pod.ResourceVersion, "finalizers": finalizers}, nil)
	if err != nil {
		return err
	}
	written, err := c.kube.CoreV1().Pods(unit.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, patchOptions)
	if err != nil {
		return err
	}
	c.record(unit, podsResource, written)
	return nil
}

// releasePod takes the finalizer off a pod, and no other.
func (c *control) releasePod(ctx context.Context, unit *slim.Unit, pod *slim.Pod) error {
	finalizers := slices.DeleteFunc(slices.Clone(pod.Finalizers), func(f string) bool { return f == v1alpha2.FinalizerPodEnded })
	if err := c.setPodFinalizers(ctx, unit, pod, finalizers); !isGone(err) {
		return err
	}
	return nil
}

// forceDeletePod that has ended on a node whose kubelet does not say so.
func (c *control) forceDeletePod(ctx context.Context, unit *slim.Unit, pod *slim.Pod) error {
	err := c.kube.CoreV1().Pods(unit.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	return ignoreGone(err)
}

func (c *control) patchClaim(ctx context.Context, unit *slim.Unit, claim *slim.Claim, metadata, spec map[string]any) error {
	rest := map[string]any{}
	if spec != nil {
		rest["spec"] = spec
	}
	patch, err := mergePatch(claim.UID, metadata, rest)
	if err != nil {
		return err
	}
	written, err := c.kube.CoreV1().PersistentVolumeClaims(unit.Namespace).Patch(ctx, claim.Name, types.MergePatchType, patch, patchOptions)
	if err != nil {
		return ignoreGone(err)
	}
	c.record(unit, claimsResource, written)
	return nil
}

func (c *control) patchSecret(ctx context.Context, unit *slim.Unit, secret *slim.Object, metadata map[string]any) error {
	patch, err := mergePatch(secret.UID, metadata, nil)
	if err != nil {
		return err
	}
	written, err := c.kube.CoreV1().Secrets(unit.Namespace).Patch(ctx, secret.Name, types.MergePatchType, patch, patchOptions)
	if err != nil {
		return ignoreGone(err)
	}
	c.record(unit, secretsResource, written)
	return nil
}

// replaceSecret puts a new certificate into the Secret of the agent's, and nothing
// else. It is read and updated as a whole: a patch would leave foreign keys.
func (c *control) replaceSecret(ctx context.Context, unit *slim.Unit, secret *slim.Object, labels map[string]string, leaf string, data map[string][]byte) error {
	secrets := c.kube.CoreV1().Secrets(unit.Namespace)
	have, err := secrets.Get(ctx, secret.Name, metav1.GetOptions{})
	if err != nil {
		return ignoreGone(err)
	}
	if err := checkOurs(unit, kindSecret, have); err != nil {
		return err
	}
	have.Data = data
	if have.Annotations == nil {
		have.Annotations = map[string]string{}
	}
	have.Annotations[annotationLeaf] = leaf
	if have.Labels == nil {
		have.Labels = map[string]string{}
	}
	maps.Copy(have.Labels, labels)
	written, err := secrets.Update(ctx, have, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	c.record(unit, secretsResource, written)
	c.events.normal(unit, v1alpha2.ReasonCertificateIssued, actionReconcile, "The certificate of the agent was renewed in Secret %s", have.Name)
	return nil
}

// patchUnit writes to the Unit itself. The sync ends after it.
func (c *control) patchUnit(ctx context.Context, unit *slim.Unit, metadata, spec map[string]any) error {
	rest := map[string]any{}
	if spec != nil {
		rest["spec"] = spec
	}
	patch, err := mergePatch(unit.UID, metadata, rest)
	if err != nil {
		return err
	}
	written, err := c.upm.UpmV1alpha2().Units(unit.Namespace).Patch(ctx, unit.Name, types.MergePatchType, patch, patchOptions)
	if err != nil {
		return ignoreGone(err)
	}
	c.record(unit, unitsResource, written)
	return nil
}

// setFinalizers of the Unit as it was read.
func (c *control) setFinalizers(ctx context.Context, unit *slim.Unit, finalizers []string) error {
	return c.patchUnit(ctx, unit, map[string]any{"resourceVersion": unit.ResourceVersion, "finalizers": finalizers}, nil)
}

// patchStatus writes what changed in a status, and the events of it. Another
// status than the one that was read refuses it: the record of the unit's data
// must not be overwritten by an operator that slept.
func (c *control) patchStatus(ctx context.Context, unit *slim.Unit, status v1alpha2.UnitStatus) error {
	type statusOnly struct {
		Status v1alpha2.UnitStatus `json:"status"`
	}
	before, err := json.Marshal(statusOnly{unit.Status})
	if err != nil {
		return err
	}
	after, err := json.Marshal(statusOnly{status})
	if err != nil {
		return err
	}
	raw, err := jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, before)
	if err != nil {
		return err
	}
	rest := map[string]any{}
	if err := json.Unmarshal(raw, &rest); err != nil {
		return err
	}
	patch, err := mergePatch(unit.UID, map[string]any{"resourceVersion": unit.ResourceVersion}, rest)
	if err != nil {
		return err
	}
	written, err := c.upm.UpmV1alpha2().Units(unit.Namespace).Patch(ctx, unit.Name, types.MergePatchType, patch, patchOptions, "status")
	if apierrors.IsNotFound(err) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	c.record(unit, unitsResource, written)
	c.events.transitions(unit, unit.Status.Conditions, status.Conditions)
	return nil
}

// deleteWith deletes the one object that was seen, and no other by its name.
func deleteWith(ctx context.Context, name string, uid types.UID, del func(context.Context, string, metav1.DeleteOptions) error) error {
	return ignoreGone(del(ctx, name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(uid))}))
}

// ignoreGone forgives that the object that was meant is gone, or another one has
// its name: the watch says so soon.
func ignoreGone(err error) error {
	if isGone(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// isGone says whether the object that was meant does not exist any more. A patch of
// another one that has its name would change that one's UID, and is Invalid.
func isGone(err error) bool {
	if apierrors.IsNotFound(err) {
		return true
	}
	var status apierrors.APIStatus // not an error itself
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

func (c *control) deletePod(ctx context.Context, unit *slim.Unit, pod *slim.Pod, why string) error {
	if err := deleteWith(ctx, pod.Name, pod.UID, c.kube.CoreV1().Pods(unit.Namespace).Delete); err != nil {
		return err
	}
	c.events.normal(unit, v1alpha2.ReasonSuccessfulDelete, actionDelete, "Deleting Pod %s: %s", pod.Name, why)
	return nil
}

func (c *control) deleteClaim(ctx context.Context, unit *slim.Unit, claim *slim.Claim) error {
	if err := deleteWith(ctx, claim.Name, claim.UID, c.kube.CoreV1().PersistentVolumeClaims(unit.Namespace).Delete); err != nil {
		return err
	}
	c.events.normal(unit, v1alpha2.ReasonSuccessfulDelete, actionDelete, "Deleting PersistentVolumeClaim %s: the Unit is being deleted and whenDeleted is Delete", claim.Name)
	return nil
}
