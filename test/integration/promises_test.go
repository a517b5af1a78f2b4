// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// stockImages are the images a type's pods run, by what the documentation and the
// images' own registries call them.
var stockImages = map[v1alpha2.UnitType]string{
	v1alpha2.UnitTypeMySQL: "mysql", v1alpha2.UnitTypePostgreSQL: "postgres", v1alpha2.UnitTypeProxySQL: "proxysql/proxysql",
}

// checkPromises creates the objects of an example in a namespace of their own and
// checks what its UnitSets and Units become. What follows is written from the
// documentation, not from the operator's code.
func (e *environment) checkPromises(t *testing.T, in func(namespace string) []*unstructured.Unstructured) {
	ns := e.namespace(t, "promise")
	objects := in(ns)
	want := map[string]bool{}
	pods := 0
	var checks []func(*testing.T)
	for _, o := range objects {
		switch o.GetKind() {
		case "UnitSet":
			set := convert[v1alpha2.UnitSet](t, o)
			pods += int(*set.Spec.Units)
			promisesOfSet(set, want)
			e.provideFor(t, objects, ns, set)
			checks = append(checks, func(t *testing.T) { e.checkSet(t, set) })
		case "Unit":
			unit := convert[v1alpha2.Unit](t, o)
			pods++
			promisesOfUnit(unit, want)
			e.provideForUnit(t, objects, ns, unit)
			checks = append(checks, func(t *testing.T) { e.checkUnit(t, unit) })
		case "MysqlReplication":
			r := promisedOfMySQL(convert[v1alpha1.MysqlReplication](t, o))
			r.objects(want)
			checks = append(checks, func(t *testing.T) { e.checkReplication(t, r) })
		case "PostgresReplication":
			r := promisedOfPostgreSQL(convert[v1alpha1.PostgresReplication](t, o))
			r.objects(want)
			checks = append(checks, func(t *testing.T) { e.checkReplication(t, r) })
		case "Secret", "ConfigMap":
			want[plural(o.GetKind())+"/"+o.GetName()] = true
		}
	}
	for _, o := range objects {
		if err := e.apply(t.Context(), o); err != nil && !strings.Contains(o.GetAPIVersion(), "monitoring.coreos.com") {
			t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	e.settled(t, ns, pods)
	// More than one controller makes them, each at its own pace.
	eventually(t, "all that is promised, and nothing else", func(context.Context) error {
		got := map[string]bool{}
		for name := range e.snapshot(t, ns) {
			if strings.HasPrefix(name, "controllerrevisions/") {
				name = name[:strings.LastIndex(name, "-")]
			}
			if _, provided := e.provided.Load(ns + "/" + name); provided {
				continue
			}
			got[name] = true
		}
		if d := cmp.Diff(want, got); d != "" {
			return fmt.Errorf("objects (-promised +made):\n%s", d)
		}
		return nil
	})
	for _, check := range checks {
		check(t)
	}
}

func promisesOfSet(set *v1alpha2.UnitSet, want map[string]bool) {
	name := set.Name
	for i := range int(*set.Spec.Units) {
		unit := fmt.Sprintf("%s-%d", name, i)
		for _, o := range []string{"units/" + unit, "pods/" + unit, "configmaps/" + unit + "-config-value", "secrets/" + unit + "-agent-tls"} {
			want[o] = true
		}
		for _, s := range set.Spec.Storages {
			want["persistentvolumeclaims/"+unit+"-"+s.Name] = true
		}
		if set.Spec.UnitService != nil {
			want["services/"+unit+"-svc"] = true
		}
	}
	want["services/"+name+"-headless-svc"] = true
	want["configmaps/"+name+"-config-template"] = true
	want["controllerrevisions/"+name] = true
	if set.Spec.ExternalService != nil {
		want["services/"+name+"-svc"] = true
	}
	if *set.Spec.Units > 1 {
		want["poddisruptionbudgets/"+name] = true
	}
}

func promisesOfUnit(unit *v1alpha2.Unit, want map[string]bool) {
	for _, o := range []string{"units/" + unit.Name, "pods/" + unit.Name, "secrets/" + unit.Name + "-agent-tls"} {
		want[o] = true
	}
	for _, c := range unit.Spec.VolumeClaimTemplates {
		want["persistentvolumeclaims/"+unit.Name+"-"+c.Name] = true
	}
}

// checkSet looks at each pod and claim of a set, and at its Services.
func (e *environment) checkSet(t *testing.T, set *v1alpha2.UnitSet) {
	t.Helper()
	ctx, ns := t.Context(), set.Namespace
	for i := range int(*set.Spec.Units) {
		pod := e.pod(t, ns, fmt.Sprintf("%s-%d", set.Name, i))
		e.checkPod(t, pod, string(set.Spec.Type), stockImages[set.Spec.Type]+":"+set.Spec.Version)
		if pod.Spec.Hostname != pod.Name || pod.Spec.Subdomain != set.Name+"-headless-svc" {
			t.Errorf("%s: hostname %s, subdomain %s", pod.Name, pod.Spec.Hostname, pod.Spec.Subdomain)
		}
		main := container(pod, string(set.Spec.Type))
		if main == nil {
			continue
		}
		if d := cmp.Diff(defaulted(set.Spec.Resources), main.Resources, quantities); d != "" {
			t.Errorf("%s: resources (-spec +pod):\n%s", pod.Name, d)
		}
		for _, want := range set.Spec.Env {
			if !slices.ContainsFunc(main.Env, func(v corev1.EnvVar) bool { return v.Name == want.Name && v.Value == want.Value }) {
				t.Errorf("%s: env %s=%s is not in its container", pod.Name, want.Name, want.Value)
			}
		}
		for _, s := range set.Spec.Storages {
			checkMount(t, pod, main, s.Name, s.MountPath)
			e.checkClaim(t, ns, pod.Name+"-"+s.Name, s.Size, s.StorageClassName)
		}
		for _, s := range set.Spec.EmptyDir {
			checkMount(t, pod, main, s.Name, s.MountPath)
			v := volume(pod, s.Name)
			if v == nil || v.EmptyDir == nil {
				t.Errorf("%s: volume %s is no emptyDir", pod.Name, s.Name)
			} else if s.Size != "" && (v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.Cmp(resource.MustParse(s.Size)) != 0) {
				t.Errorf("%s: emptyDir %s has the limit %v, want %s", pod.Name, s.Name, v.EmptyDir.SizeLimit, s.Size)
			}
		}
		if s := set.Spec.Secret; s != nil {
			m := mountAt(main, s.MountPath)
			if m == nil || volume(pod, m.Name) == nil || volume(pod, m.Name).Secret == nil || volume(pod, m.Name).Secret.SecretName != s.Name {
				t.Errorf("%s: Secret %s is not mounted at %s", pod.Name, s.Name, s.MountPath)
			}
		}
		for _, preset := range set.Spec.NodeAffinityPreset {
			if !requiresNode(pod, preset.Key, preset.Values) {
				t.Errorf("%s: does not require %s in %v", pod.Name, preset.Key, preset.Values)
			}
		}
		for label, value := range set.Labels {
			if pod.Labels[label] != value {
				t.Errorf("%s: label %s=%q, want %q", pod.Name, label, pod.Labels[label], value)
			}
		}
		if pod.Labels["upm.api/service-group.name"] == "" {
			t.Errorf("%s: no label upm.api/service-group.name, by which the documentation selects", pod.Name)
		}
	}
	if x := set.Spec.ExternalService; x != nil {
		e.checkService(t, ns, set.Name+"-svc", x.Type, x.Annotations)
	}
	if x := set.Spec.UnitService; x != nil {
		for i := range int(*set.Spec.Units) {
			e.checkService(t, ns, fmt.Sprintf("%s-%d-svc", set.Name, i), x.Type, x.Annotations)
		}
	}
	headless, err := e.kube.CoreV1().Services(ns).Get(ctx, set.Name+"-headless-svc", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if headless.Spec.ClusterIP != corev1.ClusterIPNone || !headless.Spec.PublishNotReadyAddresses {
		t.Errorf("%s: clusterIP %s, publishNotReadyAddresses %v", headless.Name, headless.Spec.ClusterIP, headless.Spec.PublishNotReadyAddresses)
	}
	if !slices.ContainsFunc(headless.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == "metrics" }) {
		t.Errorf("%s has no port metrics, which the ServiceMonitor asks for", headless.Name)
	}
	eventually(t, "the status of "+set.Name, func(ctx context.Context) error {
		got, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, set.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if got.Status.Units != *set.Spec.Units || got.Status.ObservedGeneration != got.Generation || got.Status.InUpdate != "false" {
			return fmt.Errorf("%+v", got.Status)
		}
		return nil
	})
}

func (e *environment) checkUnit(t *testing.T, unit *v1alpha2.Unit) {
	t.Helper()
	pod := e.pod(t, unit.Namespace, unit.Name)
	wanted := unit.Spec.Template.Spec.Containers[0]
	e.checkPod(t, pod, wanted.Name, wanted.Image)
	main := container(pod, wanted.Name)
	if main == nil {
		return
	}
	for _, m := range wanted.VolumeMounts {
		checkMount(t, pod, main, m.Name, m.MountPath)
	}
	for _, v := range wanted.Env {
		if !slices.ContainsFunc(main.Env, func(g corev1.EnvVar) bool { return cmp.Equal(g, v) }) {
			t.Errorf("%s: env %s is not what the template says", pod.Name, v.Name)
		}
	}
	for _, c := range unit.Spec.VolumeClaimTemplates {
		class := ""
		if c.Spec.StorageClassName != nil {
			class = *c.Spec.StorageClassName
		}
		e.checkClaim(t, unit.Namespace, unit.Name+"-"+c.Name, c.Spec.Resources.Requests.Storage().String(), class)
	}
	eventually(t, "the phase of "+unit.Name, func(ctx context.Context) error {
		got, err := e.upm.UpmV1alpha2().Units(unit.Namespace).Get(ctx, unit.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if got.Status.Phase != v1alpha2.UnitPending {
			return fmt.Errorf("%q, want Pending: there is no node here", got.Status.Phase)
		}
		return nil
	})
}

// checkPod checks what holds of every pod: the stock image, the agent beside it,
// nothing privileged, no credentials of the API.
func (e *environment) checkPod(t *testing.T, pod *corev1.Pod, engine, image string) {
	t.Helper()
	main := container(pod, engine)
	if main == nil {
		t.Errorf("%s has no container %s", pod.Name, engine)
		return
	}
	if !strings.HasSuffix(main.Image, image) {
		t.Errorf("%s runs %s, want %s", pod.Name, main.Image, image)
	}
	var sidecar *corev1.Container
	for i, c := range pod.Spec.InitContainers {
		if c.Name == "agent" {
			sidecar = &pod.Spec.InitContainers[i]
		}
	}
	if sidecar == nil || sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("%s has no native sidecar agent", pod.Name)
	} else if sidecar.ReadinessProbe != nil || sidecar.Image != main.Image {
		t.Errorf("%s: its agent has a readiness probe, or another image than the database", pod.Name)
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("%s mounts a service account token", pod.Name)
	}
	for _, c := range append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...) {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
			t.Errorf("%s: container %s is not confined: %+v", pod.Name, c.Name, s)
		}
	}
	if p := main.ReadinessProbe; p == nil {
		t.Errorf("%s: its database has no readiness probe", pod.Name)
	}
	if got := pod.Annotations["kubectl.kubernetes.io/default-container"]; got != engine {
		t.Errorf("%s: kubectl exec would go to %q", pod.Name, got)
	}
}

func (e *environment) checkClaim(t *testing.T, ns, name, size, class string) {
	t.Helper()
	claim, err := e.kube.CoreV1().PersistentVolumeClaims(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	if got := claim.Spec.Resources.Requests[corev1.ResourceStorage]; got.Cmp(resource.MustParse(size)) != 0 {
		t.Errorf("claim %s asks for %s, want %s", name, got.String(), size)
	}
	if class != "" && (claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != class) {
		t.Errorf("claim %s has the class %v, want %s", name, claim.Spec.StorageClassName, class)
	}
	if class == "" && claim.Spec.StorageClassName != nil && *claim.Spec.StorageClassName == "" {
		t.Errorf("claim %s switches the default class off", name)
	}
}

func (e *environment) checkService(t *testing.T, ns, name string, kind corev1.ServiceType, annotations map[string]string) {
	t.Helper()
	s, err := e.kube.CoreV1().Services(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	if kind == "" {
		kind = corev1.ServiceTypeClusterIP
	}
	if s.Spec.Type != kind {
		t.Errorf("Service %s is a %s, want %s", name, s.Spec.Type, kind)
	}
	for k, v := range annotations {
		if s.Annotations[k] != v {
			t.Errorf("Service %s: annotation %s=%q, want %q", name, k, s.Annotations[k], v)
		}
	}
	for _, p := range s.Spec.Ports {
		if p.Name == "metrics" || strings.Contains(p.Name, "agent") || strings.Contains(p.Name, "admin") {
			t.Errorf("Service %s publishes the port %s", name, p.Name)
		}
	}
}

func (e *environment) pod(t *testing.T, ns, name string) *corev1.Pod {
	t.Helper()
	pod, err := e.kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// provideFor makes the Secrets and ConfigMaps that a set refers to and its example
// does not bring.
func (e *environment) provideFor(t *testing.T, objects []*unstructured.Unstructured, ns string, set *v1alpha2.UnitSet) {
	t.Helper()
	if s := set.Spec.Secret; s != nil {
		e.provideSecret(t, objects, ns, s.Name)
	}
	if c := set.Spec.CertificateSecret; c != nil {
		e.provideSecret(t, objects, ns, c.Name)
	}
	e.provideConfigMap(t, objects, ns, set.Spec.SharedConfigName, nil)
}

func (e *environment) provideForUnit(t *testing.T, objects []*unstructured.Unstructured, ns string, unit *v1alpha2.Unit) {
	t.Helper()
	for _, v := range unit.Spec.Template.Spec.Volumes {
		if v.Secret != nil {
			e.provideSecret(t, objects, ns, v.Secret.SecretName)
		}
	}
	e.provideConfigMap(t, objects, ns, unit.Spec.SharedConfigName, nil)
	engine := unit.Spec.Template.Spec.Containers[0].Name
	e.provideConfigMap(t, objects, ns, unit.Spec.ConfigTemplateName, map[string]string{engine: "[mysqld]\nport = 3306\n"})
	e.provideConfigMap(t, objects, ns, unit.Spec.ConfigValueName, map[string]string{engine: ""})
}

func (e *environment) provideSecret(t *testing.T, objects []*unstructured.Unstructured, ns, name string) {
	t.Helper()
	if name == "" || brings(objects, "Secret", name) {
		return
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"root": "r", "postgres": "p", "monitor": "m", "replication": "x"}}
	if _, err := e.kube.CoreV1().Secrets(ns).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	e.provided.Store(ns+"/secrets/"+name, true)
}

func (e *environment) provideConfigMap(t *testing.T, objects []*unstructured.Unstructured, ns, name string, data map[string]string) {
	t.Helper()
	if name == "" || brings(objects, "ConfigMap", name) {
		return
	}
	if data == nil {
		data = map[string]string{"service_group_uid": "6fa3ca2a-0ffd-4ca7-8615-e2589f7dd413"}
	}
	if _, err := e.kube.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	e.provided.Store(ns+"/configmaps/"+name, true)
}

func brings(objects []*unstructured.Unstructured, kind, name string) bool {
	return slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
}

func plural(kind string) string { return strings.ToLower(kind) + "s" }

func convert[T any](t *testing.T, o *unstructured.Unstructured) *T {
	t.Helper()
	var out T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// defaulted is what the API server makes of resources: what is limited and not
// requested is requested.
func defaulted(r corev1.ResourceRequirements) corev1.ResourceRequirements {
	out := *r.DeepCopy()
	for name, limit := range r.Limits {
		if _, requested := out.Requests[name]; requested {
			continue
		}
		if out.Requests == nil {
			out.Requests = corev1.ResourceList{}
		}
		out.Requests[name] = limit
	}
	return out
}

var quantities = cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })

func container(pod *corev1.Pod, name string) *corev1.Container {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

func volume(pod *corev1.Pod, name string) *corev1.Volume {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == name {
			return &pod.Spec.Volumes[i]
		}
	}
	return nil
}

func mountAt(c *corev1.Container, path string) *corev1.VolumeMount {
	for i := range c.VolumeMounts {
		if c.VolumeMounts[i].MountPath == path {
			return &c.VolumeMounts[i]
		}
	}
	return nil
}

func checkMount(t *testing.T, pod *corev1.Pod, c *corev1.Container, name, path string) {
	t.Helper()
	if m := mountAt(c, path); m == nil || m.Name != name {
		t.Errorf("%s: %s is not mounted at %s", pod.Name, name, path)
	}
	if volume(pod, name) == nil {
		t.Errorf("%s has no volume %s", pod.Name, name)
	}
}

// requiresNode says whether every alternative of the pod's required node affinity
// asks for the label.
func requiresNode(pod *corev1.Pod, key string, values []string) bool {
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for _, term := range terms {
		if !slices.ContainsFunc(term.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool {
			return r.Key == key && r.Operator == corev1.NodeSelectorOpIn && slices.Equal(r.Values, values)
		}) {
			return false
		}
	}
	return len(terms) > 0
}
