// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// childKinds are the kinds the operator makes in a user's namespace.
var childKinds = []schema.GroupVersionResource{
	{Group: "upm.syntropycloud.io", Version: "v1alpha2", Resource: "units"},
	{Version: "v1", Resource: "pods"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "secrets"},
	{Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
}

// group is a service group as a user writes it: Secret, shared ConfigMap, set.
type group struct {
	secret *corev1.Secret
	config *corev1.ConfigMap
	set    *v1alpha2.UnitSet
}

// mysqlGroup is a MySQL set of three with everything a user may ask of it.
func mysqlGroup(ns, name string, units int32) group {
	return group{
		secret: &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-secret"},
			StringData: map[string]string{"root": "root's password", "replication": "replication's"},
		},
		config: &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name + "-config"},
			Data: map[string]string{
				"service_group_uid": "0b7cbc2c-0e38-4e09-a5d3-9f9de2a4d0fb",
				"mysql_ports":       `[{"name":"mysql","containerPort":"3306","protocol":"TCP"}]`,
			},
		},
		set: &v1alpha2.UnitSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"team": "orders"}},
			Spec: v1alpha2.UnitSetSpec{
				Type: v1alpha2.UnitTypeMySQL, Version: "8.0.41", Edition: v1alpha2.EditionCommunity, Units: ptr.To(units),
				SharedConfigName: name + "-config",
				Resources: corev1.ResourceRequirements{
					Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi")},
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("2Gi")},
				},
				Storages:        []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: "10Gi", StorageClassName: "standard"}},
				Secret:          &v1alpha2.SecretInfo{Name: name + "-secret", MountPath: "/SECRET_MOUNT"},
				Env:             []corev1.EnvVar{{Name: "ADM_USER", Value: "root"}, {Name: "ARCH_MODE", Value: "rpl_semi_sync"}},
				ExternalService: &v1alpha2.ExternalServiceSpec{Type: corev1.ServiceTypeNodePort, Annotations: map[string]string{"example.com/a": "b"}},
				UnitService:     &v1alpha2.UnitServiceSpec{Type: corev1.ServiceTypeClusterIP},
			},
		},
	}
}

// create makes the objects of the group in the order a user would.
func (e *environment) create(t testing.TB, g group) {
	t.Helper()
	ctx := t.Context()
	ns := g.set.Namespace
	if g.secret != nil {
		if _, err := e.kube.CoreV1().Secrets(ns).Create(ctx, g.secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if g.config != nil {
		if _, err := e.kube.CoreV1().ConfigMaps(ns).Create(ctx, g.config, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.upm.UpmV1alpha2().UnitSets(ns).Create(ctx, g.set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// settled waits until the set has its units, each with a pod, and nothing has
// changed for a while.
func (e *environment) settled(t testing.TB, ns string, pods int) {
	t.Helper()
	var last string
	same := 0
	eventually(t, fmt.Sprintf("%d pods and no further change in %s", pods, ns), func(ctx context.Context) error {
		list, err := e.kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		now, err := e.versions(ctx, ns)
		if err != nil {
			return err
		}
		if len(list.Items) != pods {
			return fmt.Errorf("%d pods; %s", len(list.Items), e.explain(ctx, ns))
		}
		if now != last {
			changed := cmp.Diff(strings.Split(last, "\n"), strings.Split(now, "\n"))
			last, same = now, 0
			return fmt.Errorf("still changing:\n%s", changed)
		}
		if same++; same < 10 {
			return fmt.Errorf("quiet, but not for long")
		}
		return nil
	})
}

// explain is what the sets and units of ns say of themselves.
func (e *environment) explain(ctx context.Context, ns string) string {
	var b strings.Builder
	say := func(kind, name string, conditions []metav1.Condition) {
		for _, c := range conditions {
			fmt.Fprintf(&b, "\n  %s %s: %s=%s (%s: %s)", kind, name, c.Type, c.Status, c.Reason, c.Message)
		}
	}
	if sets, err := e.upm.UpmV1alpha2().UnitSets(ns).List(ctx, metav1.ListOptions{}); err == nil {
		for _, s := range sets.Items {
			say("set", s.Name, s.Status.Conditions)
		}
	}
	if units, err := e.upm.UpmV1alpha2().Units(ns).List(ctx, metav1.ListOptions{}); err == nil {
		for _, u := range units.Items {
			say("unit", u.Name, u.Status.Conditions)
		}
	}
	return b.String()
}

// versions is a fingerprint of every object of ns.
func (e *environment) versions(ctx context.Context, ns string) (string, error) {
	var b strings.Builder
	for _, gvr := range append([]schema.GroupVersionResource{{Group: "upm.syntropycloud.io", Version: "v1alpha2", Resource: "unitsets"}}, childKinds...) {
		list, err := e.dyn.Resource(gvr).Namespace(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, o := range list.Items {
			fmt.Fprintf(&b, "%s/%s=%s\n", gvr.Resource, o.GetName(), o.GetResourceVersion())
		}
	}
	return b.String(), nil
}

// snapshot is what a namespace holds, without what differs from run to run.
func (e *environment) snapshot(t testing.TB, ns string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, gvr := range childKinds {
		list, err := e.dyn.Resource(gvr).Namespace(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			o := list.Items[i]
			if o.GetName() == "kube-root-ca.crt" {
				continue
			}
			out[gvr.Resource+"/"+o.GetName()] = normalise(o, ns)
		}
	}
	return out
}

// normalise drops what the API server makes up: identities, times, addresses.
func normalise(o unstructured.Unstructured, ns string) any {
	u := o.DeepCopy()
	for _, f := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "namespace", "selfLink"} {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	refs := u.GetOwnerReferences()
	for i := range refs {
		refs[i].UID = ""
	}
	u.SetOwnerReferences(refs)
	// Hashes that cover UIDs and namespaces, and what names a certificate.
	annotations := u.GetAnnotations()
	for _, hash := range []string{"unit-operator.io/applied", "unit-operator.io/leaf", "unit-operator.io/made", v1alpha2.AnnotationTemplateHash} {
		if annotations[hash] != "" {
			annotations[hash] = "HASH"
		}
	}
	u.SetAnnotations(annotations)
	switch u.GetKind() {
	case "Secret":
		if strings.HasSuffix(u.GetName(), "-agent-tls") {
			keys := []any{}
			data, _, _ := unstructured.NestedMap(u.Object, "data")
			for k := range data {
				keys = append(keys, k)
			}
			sort.Slice(keys, func(i, j int) bool { return keys[i].(string) < keys[j].(string) })
			u.Object["data"] = keys
		}
	case "Service":
		for _, f := range []string{"clusterIP", "clusterIPs", "ports", "healthCheckNodePort"} {
			unstructured.RemoveNestedField(u.Object, "spec", f)
		}
	case "PersistentVolumeClaim", "Unit", "Pod", "PodDisruptionBudget":
		delete(u.Object, "status")
	}
	return scrub(u.Object, ns)
}

// scrub replaces the namespace's name and every UID, wherever they stand.
func scrub(v any, ns string) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = scrub(e, ns)
		}
		return x
	case []any:
		for i, e := range x {
			x[i] = scrub(e, ns)
		}
		return x
	case string:
		return uidPattern.ReplaceAllString(strings.ReplaceAll(x, ns, "NAMESPACE"), "UID")
	}
	return v
}

func diffObjects(want, got map[string]any) string {
	return cmp.Diff(want, got)
}

func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
