// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

func TestHelmHasNothingToSay(t *testing.T) {
	for _, message := range lint.RunAll(dir, nil, "upm-system").Messages {
		if message.Severity >= support.WarningSev {
			t.Error(message)
		}
	}
}

// fitted is what a release changes of any object.
func fitted(o object) {
	metadata := o["metadata"].(object)
	labels := metadata["labels"].(object)
	for _, name := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"} {
		delete(labels, name)
	}
	if len(labels) == 0 {
		delete(metadata, "labels")
	}
}

// TestTheChartInstallsWhatTheFilesInstall compares it with artifacts.
func TestTheChartInstallsWhatTheFilesInstall(t *testing.T) {
	got := rendered(t, source(t), "upm-system", nil)
	want := map[string]object{}
	for _, pattern := range []string{"crds/*.yaml", "guards/*.yaml", "rbac/*.yaml", "packages/*.yaml", "deployment/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, "artifacts", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files of %s, %v", len(files), pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(file) != "out-of-cluster.yaml" {
				add(t, want, file, string(content))
			}
		}
	}
	// Helm makes it: --create-namespace.
	delete(want, "Namespace /upm-system")
	for _, o := range got {
		fitted(o)
		switch o["kind"] {
		case "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
			annotations, _ := at(o, "metadata", "annotations").(object)
			if annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("%s goes with the release", keyOf(o))
			}
			if delete(annotations, "helm.sh/resource-policy"); len(annotations) == 0 {
				delete(o["metadata"].(object), "annotations")
			}
		case "Deployment":
			// Its image and arguments are tested below.
			for _, d := range []object{o, want[keyOf(o)]} {
				container := containerOf(t, d)
				for _, name := range []string{"image", "imagePullPolicy", "args"} {
					delete(container, name)
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("objects (-files +chart):\n%s", diff)
	}
	for key := range want {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			t.Errorf("%s (-files +chart):\n%s", key, diff)
		}
	}
}

// withFlag are values without what takes long to render.
func withFlag(name string, value any) object {
	return object{"flags": object{name: value}, "crds": object{"install": false}, "packages": object{"install": false}}
}

func TestEveryFlagOfTheValuesIsAnArgument(t *testing.T) {
	c := source(t)
	flags := c.Values["flags"].(object)
	if len(flags) < 15 {
		t.Fatalf("only %d flags", len(flags))
	}
	other := map[string]any{
		"agent-dial": "auto", "http-address": "0.0.0.0:9999", "kube-api-qps": 1234567, "kube-api-burst": 2345678,
		"cluster-domain": "example.com", "vmodule": "sync=4,pool=6", "memory-limit": "1Gi",
	}
	for name, value := range flags {
		t.Run(name, func(t *testing.T) {
			set, want := other[name], ""
			switch v := value.(type) {
			case bool:
				set = !v
			case float64:
				if set == nil {
					set = 7
				}
			default:
				if set == nil {
					set = "33s"
				}
			}
			content, err := yaml.Marshal(set)
			if err != nil {
				t.Fatal(err)
			}
			want = "--" + name + "=" + strings.TrimSpace(string(content))
			if got := argsOf(t, rendered(t, c, "upm-system", withFlag(name, set))); !slices.Contains(got, want) {
				t.Errorf("no %s in %q", want, got)
			}
			if name == "http-address" {
				return
			}
			got := argsOf(t, rendered(t, c, "upm-system", withFlag(name, nil)))
			if i := slices.IndexFunc(got, func(a string) bool { return strings.HasPrefix(a, "--"+name+"=") }); i >= 0 {
				t.Errorf("null gives %s", got[i])
			}
		})
	}
	if _, err := render(c, "upm-system", withFlag("kube-api-qqs", 1)); err == nil || !strings.Contains(err.Error(), "kube-api-qqs") {
		t.Errorf("a flag that there is not: %v", err)
	}
}

func TestTheReleasesNamespaceAndImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	objects := rendered(t, source(t), "databases", object{
		"replicas": 3,
		"images": object{
			"registry": "registry.example.com/x", "tag": "v9.9.9",
			"operator": object{"digest": digest}, "pullSecrets": []any{"mirror"},
		},
		"podLabels": object{"team": "data"}, "nodeSelector": object{"kubernetes.io/os": "linux"},
		"flags": object{"http-address": ":9090"},
	})
	deployment := objects["Deployment databases/unit-operator"]
	if deployment == nil {
		t.Fatalf("there are %q", slices.Sorted(maps.Keys(objects)))
	}
	container := containerOf(t, deployment)
	pod := at(deployment, "spec", "template", "spec").(object)
	got := object{
		"image": container["image"], "args": container["args"].([]any)[:2], "replicas": at(deployment, "spec", "replicas"),
		"port": container["ports"].([]any)[0].(object)["containerPort"], "secrets": pod["imagePullSecrets"],
		"nodes": pod["nodeSelector"], "team": at(deployment, "spec", "template", "metadata", "labels").(object)["team"],
	}
	if diff := cmp.Diff(object{
		"image": "registry.example.com/x/unit-operator@" + digest,
		"args":  []any{"--agent-image=registry.example.com/x/unit-agent:v9.9.9", "--operator-namespace=databases"},
		"port":  9090.0, "replicas": 3.0, "secrets": []any{object{"name": "mirror"}},
		"nodes": object{"kubernetes.io/os": "linux"}, "team": "data",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key, o := range objects {
		content, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		// A package says in comments where it is installed.
		if o["kind"] != "ConfigMap" && regexp.MustCompile(`namespace: upm-system`).Match(content) {
			t.Errorf("%s is for upm-system:\n%s", key, content)
		}
	}
}

func TestSomeNamespacesOnly(t *testing.T) {
	objects := rendered(t, source(t), "upm-system", object{"namespaces": []any{"orders", "billing"}})
	if !slices.Contains(argsOf(t, objects), "--namespaces=orders,billing") {
		t.Errorf("arguments are %q", argsOf(t, objects))
	}
	if objects["ClusterRoleBinding /unit-operator"] != nil || objects["ClusterRoleBinding /unit-operator-nodes"] == nil {
		t.Error("of the ClusterRoleBindings only that for nodes may be there")
	}
	for _, namespace := range []string{"orders", "billing"} {
		binding := objects["RoleBinding "+namespace+"/unit-operator-databases"]
		if binding == nil {
			t.Errorf("%s has no RoleBinding", namespace)
		} else if subject := binding["subjects"].([]any)[0].(object); subject["namespace"] != "upm-system" {
			t.Errorf("in %s it binds %v", namespace, subject)
		}
	}
}

func TestMirrorsOfRegistries(t *testing.T) {
	objects := rendered(t, source(t), "upm-system", object{"registries": object{
		"docker.io": "registry.example.com/hub/", "container-registry.oracle.com": "registry.example.com/oracle",
	}})
	images := map[string]int{}
	for _, o := range objects {
		if o["kind"] == "PodTemplate" {
			for _, container := range at(o, "template", "spec", "containers").([]any) {
				images[container.(object)["image"].(string)]++
			}
		}
	}
	var names []string
	for image := range images {
		names = append(names, strings.TrimSuffix(image, ":$(VERSION)"))
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{
		"docker.enterprisedb.com/k8s_enterprise/edb-postgres-extended",
		"registry.example.com/hub/library/mysql",
		"registry.example.com/hub/library/postgres",
		"registry.example.com/hub/proxysql/proxysql",
		"registry.example.com/oracle/mysql/enterprise-server",
		"registry.example.com/proxysql-enterprise",
	}, names); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestPartsThatCanBeLeftOut(t *testing.T) {
	c := source(t)
	all := rendered(t, c, "upm-system", nil)
	count := func(values object, kind string) (n int) {
		objects := all
		if values != nil {
			objects = rendered(t, c, "upm-system", values)
		}
		for _, o := range objects {
			if o["kind"] == kind {
				n++
			}
		}
		return n
	}
	for _, tc := range []struct {
		values object
		kind   string
		want   int
	}{
		{nil, "CustomResourceDefinition", 5},
		{object{"crds": object{"install": false}}, "CustomResourceDefinition", 0},
		{object{"crds": object{"install": false}}, "ValidatingAdmissionPolicy", 0},
		{object{"packages": object{"install": false}}, "PodTemplate", 0},
		{nil, "ClusterRole", 2},
		{object{"rbac": object{"ownerReferences": true}}, "ClusterRole", 3},
		{nil, "PodMonitor", 0},
		{object{"podMonitor": object{"enabled": true, "labels": object{"release": "prometheus"}}}, "PodMonitor", 1},
	} {
		if got := count(tc.values, tc.kind); got != tc.want {
			t.Errorf("%v: %d of %s, want %d", tc.values, got, tc.kind, tc.want)
		}
	}
	monitor := rendered(t, c, "upm-system", object{
		"podMonitor": object{"enabled": true, "labels": object{"release": "prometheus"}}, "packages": object{"install": false},
	})["PodMonitor upm-system/unit-operator"]
	if labels := at(monitor, "metadata", "labels").(object); labels["release"] != "prometheus" {
		t.Errorf("the PodMonitor has the labels %v", labels)
	}
	endpoint := at(monitor, "spec", "podMetricsEndpoints").([]any)[0].(object)
	deployment := all["Deployment upm-system/unit-operator"]
	if port := containerOf(t, deployment)["ports"].([]any)[0].(object); endpoint["port"] != port["name"] {
		t.Errorf("the PodMonitor reads port %v, the container has %v", endpoint["port"], port)
	}
}

func TestAPackedChart(t *testing.T) {
	r := Release{
		Version: "v0.1.0-5-g0123456789ab", Registry: "registry.example.com/other", Date: time.Unix(1_000_000_000, 0),
		OperatorDigest: "sha256:" + strings.Repeat("0a", 32), AgentDigest: "sha256:" + strings.Repeat("1b", 32),
	}
	var files [][]byte
	for range 2 {
		path, err := Pack(dir, t.TempDir(), r)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(path); name != "unit-operator-0.1.0-5-g0123456789ab.tgz" {
			t.Errorf("the file is %s", name)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, content)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("packed twice it is not the same")
	}
	// Helm keeps a release in a Secret: the chart and what it made.
	if len(files[0]) > 400_000 {
		t.Errorf("%d bytes leave no room in the Secret of a release", len(files[0]))
	}
	c, err := loader.LoadArchive(bytes.NewReader(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	objects := rendered(t, c, "upm-system", nil)
	if image := containerOf(t, objects["Deployment upm-system/unit-operator"])["image"]; image != r.Registry+"/unit-operator@"+r.OperatorDigest {
		t.Errorf("the operator's image is %v", image)
	}
	if want := "--agent-image=" + r.Registry + "/unit-agent@" + r.AgentDigest; argsOf(t, objects)[0] != want {
		t.Errorf("the agent's is %s, want %s", argsOf(t, objects)[0], want)
	}
	if len(objects) < 80 {
		t.Errorf("it makes only %d objects", len(objects))
	}
}

func TestVersionsThatHelmTakes(t *testing.T) {
	for release, want := range map[string]string{
		"v0.1.0": "0.1.0", "v0.1.0-5-g0123456789ab": "0.1.0-5-g0123456789ab", "0123456789ab-dirty": "0.0.0-at-0123456789ab-dirty", "dev": "0.0.0-at-dev",
	} {
		if got := version(release); got != want {
			t.Errorf("version(%q) is %q, want %q", release, got, want)
		}
	}
}
