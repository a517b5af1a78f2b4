// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestLight needs no root and no network once the binaries are in the cache.
func TestLight(t *testing.T) {
	ctx := t.Context()
	l, err := StartLight(ctx, LightOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
			t.Errorf("the state directory is still there: %v", err)
		}
	})
	client := kubernetes.NewForConfigOrDie(l.Config)
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "before"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatalf("a Pod right after the start: %v", err)
	}

	l.StopAPIServer()
	if _, err := pods.Get(ctx, "before", metav1.GetOptions{}); err == nil || apierrors.IsNotFound(err) {
		t.Fatalf("got %v from a stopped API server, want a refused connection", err)
	}
	begin := time.Now()
	if err := l.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server was back after %v", time.Since(begin).Round(time.Millisecond))
	if _, err := pods.Get(ctx, "before", metav1.GetOptions{}); err != nil {
		t.Fatalf("the Pod after the API server's restart: %v", err)
	}
}
