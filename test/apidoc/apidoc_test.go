// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apidoc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestParse(t *testing.T) {
	const fence = "```"
	tests := []struct {
		name, markdown string
		want           []Example // Objects aside
		objects        string    // YAML of all objects, one document each
	}{
		{
			name: "a block with three objects and one --- line",
			markdown: "# 🎯 Use Cases\n## A\n" + fence + "yaml\n# Secret\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n\n# ConfigMap\n" +
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {apiVersion: x}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n" + fence,
			want: []Example{{Heading: "Use Cases > A", Line: 3}},
			objects: "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n---\n" +
				"apiVersion: v1\ndata:\n  apiVersion: x\nkind: ConfigMap\nmetadata:\n  name: b\n---\n" +
				"apiVersion: v1\nkind: Secret\nmetadata:\n  name: c\n",
		},
		{
			name:     "parameters become a GrpcCall of the heading's action",
			markdown: "# GrpcCall\n### Parameters\n#### clone\n" + fence + "yaml\nparameters:\n  sourcePort: \"3306\"\n" + fence,
			want:     []Example{{Heading: "GrpcCall > Parameters > clone", Line: 4, Fragment: true}},
			objects: "apiVersion: upm.syntropycloud.io/v1alpha1\nkind: GrpcCall\nmetadata:\n  name: clone\n  namespace: default\n" +
				"spec:\n  action: clone\n  parameters:\n    sourcePort: \"3306\"\n  targetUnit: mysql-cluster-0\n  ttlSecondsAfterFinished: 3600\n  type: mysql\n",
		},
		{
			name:     "any other fragment is laid into a UnitSet",
			markdown: "# A\n## B\n# C\n" + fence + "yaml\nmetadata:\n  labels: {a: b}\nspec:\n  units: 2\n" + fence,
			want:     []Example{{Heading: "C", Line: 4, Fragment: true}},
			objects: "apiVersion: upm.syntropycloud.io/v1alpha2\nkind: UnitSet\nmetadata:\n  labels:\n    a: b\n  name: mysql-cluster\n  namespace: default\n" +
				"spec:\n  type: mysql\n  units: 2\n  version: 8.0.41\n",
		},
		{
			name:     "blocks of other languages are left alone, and what looks like a heading in them too",
			markdown: "# A\n" + fence + "bash\n# Check\nkubectl get\n" + fence + "\n" + fence + "\n# x\n" + fence + "\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(test.markdown)
			if err != nil {
				t.Fatal(err)
			}
			var objects []string
			for i := range got {
				for _, object := range got[i].Objects {
					raw, err := yaml.Marshal(object.Object)
					if err != nil {
						t.Fatal(err)
					}
					objects = append(objects, string(raw))
				}
				got[i].Objects = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("examples (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.objects, strings.Join(objects, "---\n")); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, markdown := range map[string]string{
		"a block without an end":    "# A\n```yaml\na: b\n",
		"a block that is no YAML":   "# A\n```yaml\na: [\n```\n",
		"a key that occurs twice":   "# A\n```yaml\napiVersion: v1\nkind: A\nkind: B\n```\n",
		"a block with no object":    "# A\n```yaml\n# nothing\n```\n",
		"an object without a kind ": "# A\n```yaml\napiVersion: v1\n```\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parse(markdown); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

// TestDocument reads the API's documentation itself, where it lies beside this
// repository.
func TestDocument(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "api-documentation.md")
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("the API's documentation does not lie beside this repository (../shared/api-documentation.md)")
	}
	if err != nil {
		t.Fatal(err)
	}
	examples, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(string(content), "```yaml\n"); len(examples) != want {
		t.Errorf("got %d examples, the document has %d blocks of YAML", len(examples), want)
	}
	kinds := map[string]int{}
	for _, example := range examples {
		for _, object := range example.In("ns") {
			kinds[object.GetKind()]++
			if object.GetNamespace() != "ns" {
				t.Errorf("%s: namespace %q, want ns", example.Heading, object.GetNamespace())
			}
		}
	}
	for _, kind := range []string{"GrpcCall", "UnitSet", "Unit", "MysqlReplication", "PostgresReplication", "Secret", "NetworkPolicy"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among the examples: %s", kind, fmt.Sprint(kinds))
		}
	}
	count := strings.Count(string(content), "\napiVersion:")
	for _, example := range examples {
		if example.Fragment {
			count++
		}
	}
	total := 0
	for _, n := range kinds {
		total += n
	}
	if total != count {
		t.Errorf("got %d objects, the document has %d", total, count)
	}
}
