// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CASecret is the name of the CA's Secret in the operator's namespace.
const CASecret = "unit-operator-agent-ca"

// Secrets is what EnsureCA needs of a client of the operator's namespace.
type Secrets interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.Secret, error)
	Create(ctx context.Context, secret *corev1.Secret, opts metav1.CreateOptions) (*corev1.Secret, error)
}

// EnsureCA reads the CA, or makes it where there is none. Two operators that start
// at once end with the same one: create-only, the loser reads. A Secret that is
// there and unreadable is an error and never replaced, for every running agent
// trusts what was in it.
func EnsureCA(ctx context.Context, secrets Secrets, now time.Time) (*CA, error) {
	secret, err := secrets.Get(ctx, CASecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		var data map[string][]byte
		if data, err = NewCA(now); err != nil {
			return nil, fmt.Errorf("making the agents' CA: %w", err)
		}
		secret, err = createCA(ctx, secrets, data)
		if apierrors.IsAlreadyExists(err) {
			secret, err = secrets.Get(ctx, CASecret, metav1.GetOptions{})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the agents' CA in Secret %s: %w", CASecret, err)
	}
	ca, err := LoadCA(secret.Data)
	if err != nil {
		return nil, fmt.Errorf("Secret %s: %w; restore it, or delete it and every *-agent-tls Secret to begin with a new CA", CASecret, err)
	}
	return ca, nil
}

// WriteBack makes the Secret of a CA again that was deleted while agents trust that CA:
// an operator that started without it would make another one, which none of them knows.
// A Secret that is there is left as it is.
func (ca *CA) WriteBack(ctx context.Context, secrets Secrets) error {
	if _, err := createCA(ctx, secrets, ca.data); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("writing the agents' CA back into Secret %s: %w", CASecret, err)
	}
	return nil
}

func createCA(ctx context.Context, secrets Secrets, data map[string][]byte) (*corev1.Secret, error) {
	return secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: CASecret, Labels: map[string]string{"app.kubernetes.io/managed-by": "unit-operator"}},
		Type:       corev1.SecretTypeTLS,
		Data:       data,
	}, metav1.CreateOptions{FieldManager: "unit-operator"})
}
