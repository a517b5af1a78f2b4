// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
)

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestInformersStoreSlimObjectsThroughAddUpdateAndDelete(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	labels := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnit: "a-0", v1alpha2.LabelUnitSet: "a"}
	pod := func(name string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: name, Labels: labels, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
				Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "keep": "me"},
			},
			Spec: corev1.PodSpec{NodeName: "n1", InitContainers: []corev1.Container{{Name: InstallContainer, Image: "agent:1"}}},
		}
	}
	kube := fake.NewClientset(pod("a-0"))
	inf, err := NewInformers(kube, upmfake.NewSimpleClientset(), AllNamespaces)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var log []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	if err := inf.Pods.AddHandler(cache.TypedResourceEventHandlerFuncs[*Pod]{
		AddFunc:    func(p *Pod) { note("add %s %s", p.Name, p.AgentImage) },
		UpdateFunc: func(_, p *Pod) { note("update %s %s", p.Name, p.Phase) },
		DeleteFunc: func(d cache.DeletedObject[*Pod]) { note("delete %s", d.GetName()) },
	}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { inf.Run(ctx); close(done) }()
	wait(t, "the first list", inf.HasSynced)
	got, ok := inf.Pods.Get(cache.NewObjectName("ns", "a-0"))
	if !ok {
		t.Fatal("not found")
	}
	want := &Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a-0", Labels: labels, Annotations: map[string]string{"keep": "me"}},
		NodeName:   "n1", AgentImage: "agent:1", InitContainers: []Container{}, Containers: []Container{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	p := pod("a-0")
	p.Status.Phase = corev1.PodRunning
	if _, err := kube.CoreV1().Pods("ns").Update(ctx, p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the update", func() bool {
		p, _ := inf.Pods.Get(cache.NewObjectName("ns", "a-0"))
		return p != nil && p.Phase == corev1.PodRunning
	})
	if err := kube.CoreV1().Pods("ns").Delete(ctx, "a-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the deletion", func() bool { return len(inf.Pods.List()) == 0 })
	cancel()
	<-done
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff([]string{"add a-0 agent:1", "update a-0 Running", "delete a-0"}, log); d != "" {
		t.Errorf("handlers: -want +got:\n%s", d)
	}
}

func TestTemplateHashIgnoresWhatChangesInPlace(t *testing.T) {
	base := func() *corev1.PodTemplateSpec {
		return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "mysql", Image: "mysql:8.4"}}}}
	}
	same := base()
	same.Labels = map[string]string{"a": "b"}
	same.Spec.Containers[0].Resources.Limits = corev1.ResourceList{}
	if TemplateHash(base()) != TemplateHash(same) {
		t.Error("labels or resources change the hash")
	}
	other := base()
	other.Spec.Containers[0].Image = "mysql:9.7"
	if TemplateHash(base()) == TemplateHash(other) {
		t.Error("an image does not change the hash")
	}
}

func TestReferencesKeepOnlyWhatIsReferredToAndTellItsOwners(t *testing.T) {
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	secret := func(name, rv string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, ResourceVersion: rv, Annotations: map[string]string{"big": strings.Repeat("x", 4096)}},
		}
	}
	var objs []k8sruntime.Object
	for i := range 500 {
		objs = append(objs, secret(fmt.Sprintf("foreign-%d", i), "1"))
	}
	client := metadatafake.NewSimpleMetadataClient(scheme, objs...)
	told := make(chan cache.ObjectName, 100)
	refs := NewReferences(client, AllNamespaces, func(owner cache.ObjectName) { told <- owner })
	owner := cache.NewObjectName("ns", "set")
	wanted := Reference{Secret, cache.NewObjectName("ns", "wanted")}
	refs.Set(owner, []Reference{wanted})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go refs.Run(ctx)
	wait(t, "the first list", refs.HasSynced)
	if n := len(refs.stores[Secret].seen); n != 0 {
		t.Errorf("%d foreign objects are kept", n)
	}
	if _, known := refs.Get(wanted); known {
		t.Error("known before it was seen or learnt")
	}
	refs.Learn(wanted, Seen{})
	if seen, known := refs.Get(wanted); !known || seen.Exists {
		t.Error("its absence was not learnt")
	}
	secrets := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace("ns").(metadatafake.MetadataClient)
	if _, err := secrets.CreateFake(secret("wanted", "7"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != owner {
		t.Errorf("told %v", got)
	}
	if seen, _ := refs.Get(wanted); !seen.Exists || seen.ResourceVersion != "7" {
		t.Errorf("seen %+v", seen)
	}
	if err := secrets.Delete(ctx, "wanted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != owner {
		t.Errorf("told %v", got)
	}
	if seen, _ := refs.Get(wanted); seen.Exists {
		t.Error("still there after its deletion")
	}
	refs.Forget(owner)
	if len(refs.stores[Secret].seen)+len(refs.stores[Secret].owners)+len(refs.stores[Secret].refs) != 0 {
		t.Error("something is kept of what nobody refers to")
	}
	runtime.KeepAlive(client)
}
