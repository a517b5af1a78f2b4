// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/upmio/unit-operator/pkg/agenttls"
)

func TestMissingCRDsAreNamedWithTheCommandThatInstallsThem(t *testing.T) {
	v1alpha1 := &metav1.APIResourceList{GroupVersion: "upm.syntropycloud.io/v1alpha1", APIResources: []metav1.APIResource{
		{Name: "grpccalls"}, {Name: "mysqlreplications"}, {Name: "postgresreplications"},
	}}
	v1alpha2 := &metav1.APIResourceList{GroupVersion: "upm.syntropycloud.io/v1alpha2", APIResources: []metav1.APIResource{
		{Name: "units"}, {Name: "units/status"}, {Name: "unitsets"},
	}}
	noUnitSets := v1alpha2.DeepCopy()
	noUnitSets.APIResources = noUnitSets.APIResources[:2]
	for name, tc := range map[string]struct {
		served []*metav1.APIResourceList
		want   []string // nil: nothing is missing
	}{
		"all are served":     {[]*metav1.APIResourceList{v1alpha1, v1alpha2}, nil},
		"none is":            {nil, []string{"unitsets", "units", "grpccalls", "mysqlreplications", "postgresreplications"}},
		"a version is not":   {[]*metav1.APIResourceList{v1alpha2}, []string{"grpccalls", "mysqlreplications", "postgresreplications"}},
		"one kind is not":    {[]*metav1.APIResourceList{v1alpha1, noUnitSets}, []string{"unitsets"}},
		"others do not help": {[]*metav1.APIResourceList{v1alpha1, {GroupVersion: "example.org/v1", APIResources: v1alpha2.APIResources}}, []string{"unitsets", "units"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			client.Resources = tc.served
			err := checkCRDs(client.Discovery())
			if tc.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("nothing is missing")
			}
			if got := strings.Count(err.Error(), "(upm.syntropycloud.io/"); got != len(tc.want) {
				t.Errorf("%d kinds, want %v: %v", got, tc.want, err)
			}
			for _, want := range append(tc.want, "kubectl apply -f artifacts/crds") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestTheClusterIsToldByTheUIDOfKubeSystemAndWhatIsInTheWayIsExplained(t *testing.T) {
	client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "the-cluster"}})
	uid, err := readClusterUID(t.Context(), client.CoreV1().Namespaces())
	if err != nil || uid != "the-cluster" {
		t.Errorf("%q, %v", uid, err)
	}
	for name, tc := range map[string]struct {
		fail error
		want []string
	}{
		"no right":     {apierrors.NewForbidden(corev1.Resource("namespaces"), "kube-system", errors.New("not you")), []string{"identity in backups", "kubectl apply -f artifacts/rbac"}},
		"no namespace": {apierrors.NewNotFound(corev1.Resource("namespaces"), "kube-system"), []string{"identity in backups", "kube-system"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tc.fail })
			_, err := readClusterUID(t.Context(), client.CoreV1().Namespaces())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestTheCAIsMadeOnceAndItsTroubleIsExplained(t *testing.T) {
	client := fake.NewClientset()
	secrets := client.CoreV1().Secrets("upm-system")
	first, err := ensureCA(t.Context(), secrets, "upm-system", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, err := ensureCA(t.Context(), secrets, "upm-system", time.Now())
	if err != nil || string(first.Bundle()) != string(second.Bundle()) {
		t.Errorf("another CA, or none: %v", err)
	}
	for name, tc := range map[string]struct {
		fail error
		want string
	}{
		"no namespace":     {apierrors.NewNotFound(corev1.Resource("namespaces"), "upm-system"), "kubectl create namespace upm-system"},
		"no right":         {apierrors.NewForbidden(corev1.Resource("secrets"), agenttls.CASecret, errors.New("not you")), "kubectl apply -f artifacts/rbac"},
		"something passes": {apierrors.NewInternalError(errors.New("etcd is away")), "etcd is away"},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tc.fail })
			_, err := ensureCA(t.Context(), client.CoreV1().Secrets("upm-system"), "upm-system", time.Now())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q is not in: %v", tc.want, err)
			}
		})
	}
}
