// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

var units = v1alpha2.Resource("units")

func forbidden(why string) error {
	return apierrors.NewForbidden(units, "orders-0", errors.New(why))
}

func invalid(path string) error {
	return apierrors.NewInvalid(v1alpha2.SchemeGroupVersion.WithKind("Unit").GroupKind(), "orders-0", field.ErrorList{
		field.Invalid(field.NewPath("metadata", path), "1", "field is immutable"),
	})
}

func TestExplain(t *testing.T) {
	webhook := errors.New(`failed calling webhook "policy.example.org": connection refused`)
	conflict := apierrors.NewConflict(units, "orders-0", errors.New("changed"))
	terminating := apierrors.NewForbidden(units, "orders-0", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, tc := range map[string]struct {
		err       error
		condition string
		again     time.Duration
	}{
		"a policy":                        {forbidden("no"), v1alpha2.ConditionRefused, RefusalRecheck},
		"a webhook that says no":          {apierrors.NewBadRequest("admission webhook denied the request"), v1alpha2.ConditionRefused, RefusalRecheck},
		"a webhook that is down":          {apierrors.NewInternalError(webhook), v1alpha2.ConditionRefused, RefusalRecheck},
		"a webhook that is too slow":      {apierrors.NewTimeoutError(webhook.Error(), 0), v1alpha2.ConditionRefused, RefusalRecheck},
		"an object that is not valid":     {invalid("labels"), v1alpha2.ConditionRefused, RefusalRecheck},
		"a quota":                         {forbidden("exceeded quota: q, requested: pods=1"), v1alpha2.ConditionQuotaExceeded, RefusalRecheck},
		"a quota that wants limits":       {forbidden("failed quota: q: must specify limits.cpu for: agent"), v1alpha2.ConditionQuotaExceeded, RefusalRecheck},
		"a name that has quota in it":     {forbidden(`namespace "quota-x" has a policy`), v1alpha2.ConditionRefused, RefusalRecheck},
		"a name of somebody else":         {&NameConflictError{Kind: "Pod", Name: "orders-0"}, v1alpha2.ConditionNameConflict, ConflictRecheck},
		"several refusals":                {errors.Join(forbidden("no"), forbidden("no")), v1alpha2.ConditionRefused, RefusalRecheck},
		"a refusal and a late cache":      {errors.Join(forbidden("no"), conflict), "", 0},
		"an API server in trouble":        {apierrors.NewInternalError(errors.New("etcd")), "", 0},
		"a late cache":                    {conflict, "", 0},
		"a namespace that goes":           {terminating, "", 0},
		"another object of the same name": {invalid("uid"), "", 0},
		"no answer":                       {controllertest.ErrInjected, "", 0},
		"no error":                        {nil, "", 0},
	} {
		found := findings.Set{}
		if again := Explain(found, tc.err); again != tc.again {
			t.Errorf("%s: again after %v, want %v", name, again, tc.again)
		}
		if tc.condition == "" && len(found) > 0 || tc.condition != "" && !found.Has(tc.condition) {
			t.Errorf("%s: found %v, want %q", name, found, tc.condition)
		}
	}
}

func TestIsGone(t *testing.T) {
	if !IsGone(invalid("uid")) || !IsGone(apierrors.NewNotFound(units, "orders-0")) {
		t.Error("what is gone is not recognised")
	}
	if IsGone(invalid("labels")) || IsGone(controllertest.ErrInjected) || IsGone(nil) {
		t.Error("another error is taken for it")
	}
}
