// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// elsewhereInTheChart are flags that the chart sets by something else than flags.
var elsewhereInTheChart = map[string]string{
	"kubeconfig":         "in the cluster it is the service account",
	"operator-namespace": "the release's namespace",
	"namespaces":         "namespaces, which also bind the ClusterRole there",
	"agent-image":        "images",
}

// otherInTheChart are defaults that the Deployment overrules.
var otherInTheChart = map[string]string{"agent-dial": dialPodIP, "v": "2"}

// TestEveryFlagIsAValueOfTheChart: hack/tools/release/chart tests that each value of the
// chart's flags becomes an argument.
func TestEveryFlagIsAValueOfTheChart(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "charts", "unit-operator")
	var values struct {
		Flags map[string]any `json:"flags"`
	}
	var schema struct {
		Properties struct {
			Flags struct {
				Properties map[string]any `json:"properties"`
			} `json:"flags"`
		} `json:"properties"`
	}
	for name, decode := range map[string]func([]byte) error{
		"values.yaml":        func(content []byte) error { return yaml.Unmarshal(content, &values) },
		"values.schema.json": func(content []byte) error { return json.Unmarshal(content, &schema) },
	} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := decode(content); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	flags := map[string]bool{}
	for _, section := range NewOptions().sections() {
		section.flags.VisitAll(func(f *pflag.Flag) {
			if flags[f.Name] = true; elsewhereInTheChart[f.Name] != "" {
				return
			}
			value, ok := values.Flags[f.Name]
			if !ok {
				t.Errorf("--%s is no value of the chart: add it to flags in values.yaml", f.Name)
				return
			}
			want := f.DefValue
			if other, ok := otherInTheChart[f.Name]; ok {
				want = other
			}
			if got := fmt.Sprint(value); got != want {
				t.Errorf("--%s is %q in values.yaml, its default is %q", f.Name, got, want)
			}
			if _, ok := schema.Properties.Flags.Properties[f.Name]; !ok {
				t.Errorf("--%s is not in values.schema.json", f.Name)
			}
		})
	}
	for name := range values.Flags {
		if !flags[name] || elsewhereInTheChart[name] != "" {
			t.Errorf("values.yaml has the flag %s, which the chart does not set", name)
		}
	}
	for name := range schema.Properties.Flags.Properties {
		if !flags[name] {
			t.Errorf("values.schema.json has the flag %s, which there is not", name)
		}
	}
}
