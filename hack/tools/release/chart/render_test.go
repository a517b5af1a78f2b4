// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	root = "../../../.."
	dir  = root + "/charts/unit-operator"
)

type object = map[string]any

// rendered are the objects that the chart makes, by kind, namespace and name.
func rendered(t *testing.T, c *chart.Chart, namespace string, values object) map[string]object {
	t.Helper()
	all, err := render(c, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]object{}
	for file, content := range all {
		if strings.HasSuffix(file, ".yaml") {
			add(t, objects, file, content)
		}
	}
	return objects
}

func render(c *chart.Chart, namespace string, values object) (map[string]string, error) {
	release := common.ReleaseOptions{Name: "databases", Namespace: namespace, IsInstall: true}
	if values == nil {
		values = object{}
	}
	top, err := commonutil.ToRenderValues(c, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(c, top)
}

func add(t *testing.T, objects map[string]object, file, content string) {
	t.Helper()
	for document := range strings.SplitSeq("\n"+content, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%s: %v\n%s", file, err, document)
		}
		if o == nil {
			continue
		}
		key := keyOf(o)
		if objects[key] != nil {
			t.Errorf("%s makes %s once more", file, key)
		}
		objects[key] = o
	}
}

func keyOf(o object) string {
	namespace, _ := at(o, "metadata", "namespace").(string)
	return o["kind"].(string) + " " + namespace + "/" + at(o, "metadata", "name").(string)
}

// at is a field of an object.
func at(o object, path ...string) any {
	for i, name := range path {
		if i == len(path)-1 {
			return o[name]
		}
		below, ok := o[name].(object)
		if !ok {
			return nil
		}
		o = below
	}
	return nil
}

// source is the chart as it is in the tree.
func source(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// containerOf is the operator's container.
func containerOf(t *testing.T, deployment object) object {
	t.Helper()
	containers, ok := at(deployment, "spec", "template", "spec", "containers").([]any)
	if !ok || len(containers) != 1 {
		t.Fatalf("no container in %v", deployment)
	}
	return containers[0].(object)
}

// argsOf are the operator's arguments.
func argsOf(t *testing.T, objects map[string]object) []string {
	t.Helper()
	for _, o := range objects {
		if o["kind"] == "Deployment" {
			var args []string
			for _, a := range containerOf(t, o)["args"].([]any) {
				args = append(args, a.(string))
			}
			return args
		}
	}
	t.Fatal("no Deployment")
	return nil
}
