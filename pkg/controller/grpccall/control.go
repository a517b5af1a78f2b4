// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/grpccall"

var (
	createOptions = metav1.CreateOptions{FieldManager: fieldManager}
	patchOptions  = metav1.PatchOptions{FieldManager: fieldManager}
)

var callsResource = v1alpha1.Resource("grpccalls")

// control is the only part of the controller that writes to the API. It remembers
// what it wrote, so that no sync decides on a cache that is older.
type control struct {
	kube   kubernetes.Interface
	upm    versioned.Interface
	wrote  *consistency.Store
	events recorder
}

// patch the one call that was seen, as it was seen: another UID or resourceVersion
// refuses it, so that neither an operator that slept nor two at once write over what
// the other has recorded.
func (c *control) patch(ctx context.Context, call *v1alpha1.GrpcCall, metadata, rest map[string]any, subresources ...string) error {
	meta := map[string]any{"uid": call.UID, "resourceVersion": call.ResourceVersion}
	for k, v := range metadata {
		meta[k] = v
	}
	body := map[string]any{"metadata": meta}
	for k, v := range rest {
		body[k] = v
	}
	patch, err := json.Marshal(body)
	if err != nil {
		return err
	}
	written, err := c.upm.UpmV1alpha1().GrpcCalls(call.Namespace).Patch(ctx, call.Name, types.MergePatchType, patch, patchOptions, subresources...)
	if apierrors.IsNotFound(err) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	c.wrote.WroteAt(cache.MetaObjectToName(call), call.UID, callsResource, written.ResourceVersion)
	return nil
}

func (c *control) setFinalizers(ctx context.Context, call *v1alpha1.GrpcCall, finalizers []string) error {
	return c.patch(ctx, call, map[string]any{"finalizers": finalizers}, nil)
}

// patchStatus writes what changed in a status.
func (c *control) patchStatus(ctx context.Context, call *v1alpha1.GrpcCall, status v1alpha1.GrpcCallStatus) error {
	type statusOnly struct {
		Status v1alpha1.GrpcCallStatus `json:"status"`
	}
	before, err := json.Marshal(statusOnly{call.Status})
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
	return c.patch(ctx, call, nil, rest, "status")
}

// deleteCall deletes the one call that was seen, and no other by its name.
func (c *control) deleteCall(ctx context.Context, call *v1alpha1.GrpcCall) error {
	err := c.upm.UpmV1alpha1().GrpcCalls(call.Namespace).Delete(ctx, call.Name, metav1.DeleteOptions{
		Preconditions: metav1.NewUIDPreconditions(string(call.UID)),
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or another one has its name: the watch says so soon
	}
	return err
}

// createKey makes the Secret of a set's backup key. One that is there is returned as
// it is: a key is never replaced, for it reads the backups made with it.
func (c *control) createKey(ctx context.Context, call *v1alpha1.GrpcCall, secret *corev1.Secret) (*corev1.Secret, error) {
	secrets := c.kube.CoreV1().Secrets(secret.Namespace)
	made, err := secrets.Create(ctx, secret, createOptions)
	if apierrors.IsAlreadyExists(err) {
		return secrets.Get(ctx, secret.Name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, err
	}
	c.events.normal(call, v1alpha1.ReasonKeyCreated, actionCreate,
		"Created Secret %s with the key of the backups. Without it they cannot be read: keep a copy of it. It is never replaced nor deleted", secret.Name)
	return made, nil
}
