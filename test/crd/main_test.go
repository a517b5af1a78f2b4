// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	clientset "github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/cluster"
)

const (
	root = "../.."
	crds = root + "/artifacts/crds"
)

// env is the control plane that all tests of the package share; nil if there is
// none.
var env *environment

type environment struct {
	light   *cluster.Light
	kube    kubernetes.Interface
	upm     clientset.Interface
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
	installation
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("UNIT_OPERATOR_REQUIRE_CLUSTER") == "" && !build.Built("kube") {
		return m.Run()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	light, err := cluster.StartLight(ctx, cluster.LightOptions{WithoutControllerManager: true})
	if err != nil {
		fmt.Fprintf(os.Stderr, "starting the control plane: %v\n", err)
		return 1
	}
	defer func() { _ = light.Stop() }()
	if env, err = newEnvironment(ctx, light); err != nil {
		fmt.Fprintf(os.Stderr, "preparing the control plane: %v\n", err)
		return 1
	}
	return m.Run()
}

// newEnvironment installs the CRDs as a user does: by a plain kubectl apply.
func newEnvironment(ctx context.Context, light *cluster.Light) (*environment, error) {
	e := &environment{light: light}
	var err error
	if e.kube, err = kubernetes.NewForConfig(light.Config); err != nil {
		return nil, err
	}
	if e.upm, err = clientset.NewForConfig(light.Config); err != nil {
		return nil, err
	}
	if e.dynamic, err = dynamic.NewForConfig(light.Config); err != nil {
		return nil, err
	}
	e.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(e.kube.Discovery()))
	for _, args := range [][]string{
		{"apply", "-f", crds, "-f", "testdata/servicemonitors.yaml"},
		{"wait", "--for=condition=Established", "--timeout=30s", "-f", crds, "-f", "testdata/servicemonitors.yaml"},
	} {
		if _, err := e.kubectl(ctx, args...); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// kubectl runs the kubectl that belongs to the control plane.
func (e *environment) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.light.Kubectl, append([]string{"--kubeconfig", e.light.Kubeconfig}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(e.light.Dir, "home"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// needCluster skips a test where there is no API server.
func needCluster(t *testing.T) *environment {
	t.Helper()
	if env == nil {
		t.Skip("no API server here: run `make test`, which builds one, or set UNIT_OPERATOR_REQUIRE_CLUSTER=1")
	}
	return env
}

// namespace makes a namespace for one test.
func (e *environment) namespace(t *testing.T) string {
	t.Helper()
	created, err := e.kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "crd-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

// client is the dynamic client for an object's kind and namespace.
func (e *environment) client(t *testing.T, object *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	kind := object.GroupVersionKind()
	mapping, err := e.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	resource := e.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return resource
	}
	return resource.Namespace(object.GetNamespace())
}

// strict is what kubectl asks for: unknown and repeated fields are errors.
const strict = metav1.FieldValidationStrict
