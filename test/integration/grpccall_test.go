// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// What needs no agent: refusals, waiting, the TTL, and the spec that is fixed by the
// recorded intent.
func TestACallThatCannotRunSaysWhyAndGoesWithItsTTL(t *testing.T) {
	e := require(t)
	p := newProxy(t, e.config, e.token)
	startOperator(t, operatorOptions{host: p.URL()})
	ns := e.namespace(t, "calls")
	calls := e.upm.UpmV1alpha1().GrpcCalls(ns)
	create := func(name string, ttl int32, parameters map[string]v1alpha1.JSON) {
		t.Helper()
		_, err := calls.Create(t.Context(), &v1alpha1.GrpcCall{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.GrpcCallSpec{
				TargetUnit: "orders-0", Type: "mysql", Action: v1alpha1.ActionLogicalBackup,
				TTLSecondsAfterFinished: new(ttl), Parameters: parameters,
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	destination := map[string]v1alpha1.JSON{"destination": {Raw: []byte(`"s3://backups/"`)}}
	create("refused", 3600, map[string]v1alpha1.JSON{"destinationn": {Raw: []byte(`"s3://backups/"`)}})
	create("gone", 0, map[string]v1alpha1.JSON{})
	create("waits", 0, destination)

	eventually(t, "the refusal", func(ctx context.Context) error {
		call, err := calls.Get(ctx, "refused", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s := call.Status; s.Result != v1alpha1.ResultFailed || !strings.Contains(s.Message, "destinationn") || s.CompletionTime == nil {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	eventually(t, "the call whose TTL is 0 to go, with its event", func(ctx context.Context) error {
		if _, err := calls.Get(ctx, "gone", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there, or %w", err)
		}
		n, err := e.events(ctx, ns, "InvalidParameters")
		if err == nil && n < 2 {
			err = fmt.Errorf("%d events", n)
		}
		return err
	})
	eventually(t, "the call to wait for its unit", func(ctx context.Context) error {
		call, err := calls.Get(ctx, "waits", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s := call.Status; s.Phase != v1alpha1.GrpcCallPending || !strings.Contains(s.Message, "orders-0") {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
	if err := calls.Delete(t.Context(), "waits", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the waiting call to go", func(ctx context.Context) error {
		if _, err := calls.Get(ctx, "waits", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is still there"), err)
		}
		return nil
	})
}
