// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// fieldManager of every write of this controller.
const fieldManager = "unit-operator/grpccall"

// Actions of events.
const (
	actionRun    = "Run"
	actionCancel = "Cancel"
	actionCreate = "Create"
)

var (
	controllerKind = v1alpha1.SchemeGroupVersion.WithKind("GrpcCall")
	callsResource  = v1alpha1.Resource("grpccalls")
)

// control is the only part of the controller that writes to the API.
type control struct {
	*child.Writer[*v1alpha1.GrpcCall]
	kube kubernetes.Interface
	upm  versioned.Interface

	calls   child.Children[*v1alpha1.GrpcCall, *v1alpha1.GrpcCall]
	secrets child.Children[*v1alpha1.GrpcCall, *corev1.Secret]
}

func newControl(kube kubernetes.Interface, upm versioned.Interface, wrote *consistency.Store, recorder events.EventRecorder) *control {
	w := child.NewWriter[*v1alpha1.GrpcCall](fieldManager, controllerKind, wrote, findings.NewRecorder(recorder, controllerKind, findings.Kind{}))
	c := &control{
		Writer: w, kube: kube, upm: upm,
		calls:   child.Of(w, child.Kind{Name: "GrpcCall", Resource: callsResource}, upm.UpmV1alpha1().GrpcCalls),
		secrets: child.Of(w, child.Kind{Name: "Secret", Resource: corev1.Resource("secrets")}, kube.CoreV1().Secrets),
	}
	// The key of a set's backups has no owner: it outlives the set, and is used whoever
	// made it.
	c.secrets.Ours = func(*v1alpha1.GrpcCall, metav1.Object) bool { return true }
	return c
}

// createKey makes the Secret of a set's backup key. One that is there is returned as
// it is: a key is never replaced, for it reads the backups made with it.
func (c *control) createKey(ctx context.Context, call *v1alpha1.GrpcCall, secret *corev1.Secret) (*corev1.Secret, error) {
	there, created, err := c.secrets.Create(ctx, call, secret)
	if created {
		c.Events.Normal(call, v1alpha1.ReasonKeyCreated, actionCreate,
			"Created Secret %s with the key of the backups. Without it they cannot be read: keep a copy of it. It is never replaced nor deleted", secret.Name)
	}
	return there, err
}
