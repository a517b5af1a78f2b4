// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientfeatures "k8s.io/client-go/features"
	featurestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
	"github.com/upmio/unit-operator/pkg/metrics"
)

// newOperator is an operator of an empty cluster.
func newOperator() (*operator, *fake.Clientset) {
	kube := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "the-cluster"}})
	o := NewOptions()
	o.AgentImage = "agent:1"
	return &operator{options: o, metrics: metrics.New(), ready: newReadiness(), clients: &clients{
		config: &rest.Config{}, kube: kube, upm: upmfake.NewSimpleClientset(),
		metadata: metadatafake.NewSimpleMetadataClient(metadatafake.NewTestScheme()), events: kube,
	}}, kube
}

// becomes waits until readiness says so.
func becomes(t *testing.T, r *readiness, ready bool, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	watch := newReadiness() // its own is waited for
	if !watch.until(ctx, time.Millisecond, func(context.Context) error {
		if is, what := r.get(); is != ready || !strings.Contains(what, want) {
			return errors.New(what)
		}
		return nil
	}) {
		is, what := r.get()
		t.Fatalf("ready %v, %q; want %v, %q", is, what, ready, want)
	}
}

func TestALeaderWorksOnceItHasACAAndItsCachesAndEndsWhenTold(t *testing.T) {
	op, kube := newOperator()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- op.work(ctx) }()
	becomes(t, op.ready, true, "ok")
	if _, err := kube.CoreV1().Secrets("upm-system").Get(t.Context(), agenttls.CASecret, metav1.GetOptions{}); err != nil {
		t.Errorf("the agents' CA: %v", err)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestAnOperatorThatMayNotReadTheClustersIdentityWaitsAndSaysWhatToDo(t *testing.T) {
	op, kube := newOperator()
	kube.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("namespaces"), "kube-system", errors.New("not you"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- op.work(ctx) }()
	becomes(t, op.ready, false, "kubectl apply -f artifacts/rbac")
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestACacheThatDoesNotSyncIsNamedAndDoesNotKeepTheProcess(t *testing.T) {
	op, kube := newOperator()
	kube.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("not today")
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- op.work(ctx) }()
	becomes(t, op.ready, false, "waiting: the first list of services;")
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestACAThatCannotBeReadIsWaitedForAndNeverReplaced(t *testing.T) {
	op, kube := newOperator()
	broken := map[string][]byte{agenttls.CertificateKey: []byte("x"), agenttls.PrivateKeyKey: []byte("y")}
	secret := newSecret(broken)
	if err := kube.Tracker().Add(secret); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- op.work(ctx) }()
	becomes(t, op.ready, false, agenttls.CASecret)
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
	for _, action := range kube.Actions() {
		if verb := action.GetVerb(); verb != "get" {
			t.Errorf("%s %s with a CA that is broken", verb, action.GetResource().Resource)
		}
	}
}

func TestACAThatIsDeletedIsWrittenBackAsItWas(t *testing.T) {
	op, kube := newOperator()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- op.work(ctx) }()
	becomes(t, op.ready, true, "ok")
	secrets := kube.CoreV1().Secrets("upm-system")
	before, err := secrets.Get(ctx, agenttls.CASecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets.Delete(ctx, agenttls.CASecret, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var after *corev1.Secret
	back := newReadiness()
	limited, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	if !back.until(limited, time.Millisecond, func(ctx context.Context) (err error) {
		after, err = secrets.Get(ctx, agenttls.CASecret, metav1.GetOptions{})
		return err
	}) {
		t.Fatal("it was not written back")
	}
	if d := cmp.Diff(before.Data, after.Data); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// Else what was written might be written again, by a cache that is behind.
func TestCachesThatDoNotTellHowFarTheyHaveSeenAreRefused(t *testing.T) {
	featurestesting.SetFeatureDuringTest(t, clientfeatures.AtomicFIFO, false)
	op, _ := newOperator()
	if err := op.work(t.Context()); err == nil || !strings.Contains(err.Error(), "KUBE_FEATURE_AtomicFIFO") {
		t.Errorf("error %v", err)
	}
}

func TestEventsMayBeAboutOurKindsAndTheClusters(t *testing.T) {
	kinds := kindsOfEvents()
	for _, object := range []runtime.Object{&v1alpha2.UnitSet{}, &v1alpha2.Unit{}, newSecret(nil)} {
		if _, _, err := kinds.ObjectKinds(object); err != nil {
			t.Error(err)
		}
	}
}

func newSecret(data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "upm-system", Name: agenttls.CASecret}, Data: data}
}
