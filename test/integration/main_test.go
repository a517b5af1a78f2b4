// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	clientset "github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/cluster"
)

const (
	operatorNamespace = "upm-system"
	root              = "../.."
	// timeout is well beyond what the operator lets pass before it looks again at what the
	// API server has refused, on a machine that does other things too.
	timeout = 3 * time.Minute
)

// env is the cluster all tests of this package share, each in a namespace of its
// own. nil when no API server can be had here and none is required.
var (
	env     *environment
	skipped string
)

type environment struct {
	config *rest.Config // cluster-admin
	kube   kubernetes.Interface
	upm    clientset.Interface
	dyn    dynamic.Interface
	light  *cluster.Light
	token  string // of the operator's service account
	// provided are objects that tests made because an example refers to them.
	provided sync.Map

	mu     sync.Mutex
	mapper meta.RESTMapper
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if os.Getenv("UNIT_OPERATOR_REQUIRE_CLUSTER") == "" && !build.Built("kube") {
		skipped = "no API server here: run `make test`, which builds one, or set UNIT_OPERATOR_REQUIRE_CLUSTER=1"
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "unit-operator-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	operatorDir = dir
	light, err := cluster.StartLight(ctx, cluster.LightOptions{})
	if err != nil {
		fmt.Fprintf(os.Stderr, "starting the control plane: %v\n", err)
		return 1
	}
	defer func() { _ = light.Stop() }()
	if env, err = newEnvironment(ctx, light); err != nil {
		fmt.Fprintf(os.Stderr, "preparing the cluster: %v\n", err)
		return 1
	}
	chosen := runInParallel(6)
	code := m.Run()
	if code != 0 || chosen {
		return code
	}
	if err := rbacGrantsWhatTheCodeCallsAndNothingElse(); err != nil {
		fmt.Printf("--- FAIL: RBAC grants what the code calls and nothing else\n%v\n", err)
		return 1
	}
	return 0
}

// runInParallel lets so many tests run in parallel, unless the command line says how
// many: they wait for an operator most of the time. chosen says that somebody has chosen
// which tests run.
func runInParallel(tests int) (chosen bool) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["test.parallel"] {
		_ = flag.Set("test.parallel", strconv.Itoa(tests)) // a number
	}
	return given["test.run"] || given["test.skip"] || given["test.list"]
}

func newEnvironment(ctx context.Context, light *cluster.Light) (*environment, error) {
	cfg := rest.CopyConfig(light.Config)
	cfg.QPS, cfg.Burst = -1, 0
	e := &environment{config: cfg, light: light}
	var err error
	if e.kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if e.upm, err = clientset.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if e.dyn, err = dynamic.NewForConfig(cfg); err != nil {
		return nil, err
	}
	for _, dir := range []string{"crds", "rbac", "packages"} {
		if err := e.applyDir(ctx, filepath.Join(root, "artifacts", dir)); err != nil {
			return nil, fmt.Errorf("applying artifacts/%s: %w", dir, err)
		}
	}
	tr, err := e.kube.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(ctx, "unit-operator", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	e.token = tr.Status.Token
	return e, nil
}

// require skips the test where no API server can be had.
func require(t testing.TB) *environment {
	t.Helper()
	if env == nil {
		t.Skip(skipped)
	}
	return env
}

// namespace makes a namespace that goes with the test.
func (e *environment) namespace(t testing.TB, prefix string) string {
	t.Helper()
	ns, err := e.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		e.abandon(ctx, ns.Name)
	})
	// Pods need the default service account, which a controller makes.
	eventually(t, "the namespace's default service account", func(ctx context.Context) error {
		_, err := e.kube.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return ns.Name
}

// abandon deletes a namespace whose operator is gone or may be: it takes off the
// finalizers that only an operator would.
func (e *environment) abandon(ctx context.Context, ns string) {
	for _, resource := range []string{"unitsets", "units"} {
		client := e.dyn.Resource(v1alpha2.SchemeGroupVersion.WithResource(resource)).Namespace(ns)
		_ = client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		for _, o := range list.Items {
			_, _ = client.Patch(ctx, o.GetName(), types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		}
	}
	_ = e.kube.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{})
}

// applyDir applies every YAML file directly in dir, as kubectl apply -f dir does.
func (e *environment) applyDir(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	if len(files) == 0 {
		return fmt.Errorf("no YAML file in %s", dir)
	}
	var objs []*unstructured.Unstructured
	for _, f := range files {
		o, err := readObjects(f)
		if err != nil {
			return err
		}
		objs = append(objs, o...)
	}
	// Namespaces and CRDs first, as several files may depend on them.
	sort.SliceStable(objs, func(i, j int) bool { return rank(objs[i]) < rank(objs[j]) })
	for _, o := range objs {
		if err := e.apply(ctx, o); err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

func rank(o *unstructured.Unstructured) int {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition":
		return 0
	}
	return 1
}

// apply applies one object, waiting for its kind to be served.
func (e *environment) apply(ctx context.Context, o *unstructured.Unstructured) error {
	deadline := time.Now().Add(timeout)
	for {
		err := e.applyOnce(ctx, o)
		if err == nil || time.Now().After(deadline) || !(meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (e *environment) applyOnce(ctx context.Context, o *unstructured.Unstructured) error {
	m, err := e.mapping(o)
	if err != nil {
		return err
	}
	var ri dynamic.ResourceInterface = e.dyn.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		ns := o.GetNamespace()
		if ns == "" {
			ns = "default"
		}
		ri = e.dyn.Resource(m.Resource).Namespace(ns)
	}
	_, err = ri.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "integration", Force: true})
	return err
}

// mapping finds the resource of an object, asking the API server again when a
// kind is new.
func (e *environment) mapping(o *unstructured.Unstructured) (*meta.RESTMapping, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	gvk := o.GroupVersionKind()
	if e.mapper != nil {
		if m, err := e.mapper.RESTMapping(gvk.GroupKind(), gvk.Version); err == nil {
			return m, nil
		}
	}
	dc, err := discovery.NewDiscoveryClientForConfig(e.config)
	if err != nil {
		return nil, err
	}
	groups, err := restmapper.GetAPIGroupResources(dc)
	if err != nil {
		return nil, err
	}
	e.mapper = restmapper.NewDiscoveryRESTMapper(groups)
	return e.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
}

// readObjects reads the objects of a YAML file.
func readObjects(path string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	dec := utilyaml.NewYAMLOrJSONDecoder(f, 4096)
	var out []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		if err := dec.Decode(o); err != nil {
			if strings.Contains(err.Error(), "EOF") {
				return out, nil
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}

// eventually polls until f returns nil; the last error is what it reports.
func eventually(t testing.TB, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var err error
	for {
		if err = f(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s: %v", timeout, what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
