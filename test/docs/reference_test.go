// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// elsewhere are fields whose content Kubernetes documents.
var elsewhere = []string{
	"spec.template", "spec.volumeClaimTemplates", "spec.env", "spec.resources",
	"spec.agentResources", "spec.imagePullSecrets", "spec.scheduling.tolerations", "spec.scheduling.topologySpreadConstraints",
	// The variables that belong to the operator are its properties.
	"spec.configuration",
	"status.conditions", "status.podIPs",
}

// like says whose section documents the fields that a kind shares with another.
var like = map[string]string{"PostgresReplication": "MysqlReplication"}

func TestTheReferenceNamesEveryFieldAndValue(t *testing.T) {
	sections := sectionsOf(read(t, filepath.Join(root, "docs", "api.md")))
	crds, err := filepath.Glob(filepath.Join(root, "artifacts", "crds", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(crds) != 5 {
		t.Fatalf("found %d CRDs, want 5", len(crds))
	}
	for _, file := range crds {
		var crd struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema schema `json:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, file)), &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		kind := crd.Spec.Names.Kind
		t.Run(kind, func(t *testing.T) {
			section := sections[kind] + sections[like[kind]]
			if sections[kind] == "" {
				t.Fatalf("docs/api.md has no section %s", kind)
			}
			checked := 0
			for _, part := range []string{"spec", "status"} {
				crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties[part].walk(part, func(path, word string) {
					checked++
					if !inCode(section, word) {
						t.Errorf("docs/api.md, section %s, does not name `%s` (%s)", kind, word, path)
					}
				})
			}
			if checked < 10 {
				t.Errorf("only %d fields and values were found in the CRD", checked)
			}
		})
	}
}

func TestTheReferenceNamesEveryCondition(t *testing.T) {
	sections := sectionsOf(read(t, filepath.Join(root, "docs", "api.md")))
	for _, of := range []struct {
		kind, file string
		// blocks of constants, by the first words of their comments.
		blocks []string
		least  int
	}{
		{"UnitSet", "v1alpha2/conditions.go", []string{"Conditions of both kinds", "Conditions of a UnitSet only"}, 20},
		{"Unit", "v1alpha2/conditions.go", []string{"Conditions of both kinds", "Conditions of a Unit only"}, 30},
		{"GrpcCall", "v1alpha1/grpccall_conditions.go", []string{"Conditions of a GrpcCall"}, 5},
	} {
		source := read(t, filepath.Join(root, "pkg", "apis", "upm", filepath.FromSlash(of.file)))
		found := 0
		for _, block := range of.blocks {
			_, text, ok := strings.Cut(source, "\n// "+block)
			if !ok {
				t.Fatalf("%s has no block %q", of.file, block)
			}
			text, _, _ = strings.Cut(text, "\n)\n")
			for _, match := range conditionConstant.FindAllStringSubmatch(text, -1) {
				found++
				if !inCode(sections[of.kind], match[1]) {
					t.Errorf("docs/api.md, section %s, does not name the condition `%s`", of.kind, match[1])
				}
			}
		}
		if found < of.least {
			t.Errorf("only %d conditions of %s were found", found, of.kind)
		}
	}
}

// conditionConstant declares the type of a condition.
var conditionConstant = regexp.MustCompile(`(?m)^\tCondition\w+\s+= "(\w+)"$`)

// schema is what is read of an OpenAPI schema.
type schema struct {
	Properties map[string]schema
	Items      *schema
	Enum       []any
}

// walk calls found with every field and value below a path.
func (s schema) walk(path string, found func(path, word string)) {
	for _, value := range s.Enum {
		if text := fmt.Sprint(value); text != "" {
			found(path, text)
		}
	}
	if s.Items != nil {
		s.Items.walk(path, found)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		below := path + "." + name
		found(below, name)
		if !slices.Contains(elsewhere, below) {
			s.Properties[name].walk(below, found)
		}
	}
}

// inCode says whether a word stands between backquotes, or in an example.
func inCode(text, word string) bool {
	pattern := regexp.MustCompile("`[^`\n]*\\b" + regexp.QuoteMeta(word) + "\\b[^`\n]*`")
	return pattern.MatchString(text)
}

// sectionsOf a page by heading of the second level.
func sectionsOf(page string) map[string]string {
	sections := map[string]string{}
	for part := range strings.SplitSeq("\n"+page, "\n## ") {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	return sections
}

var yamlFence = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestExamplesAreObjectsOfTheAPI(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.Install, v1alpha2.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	kinds := map[string]bool{}
	for _, page := range markdown(t) {
		for i, match := range yamlFence.FindAllStringSubmatch(read(t, page), -1) {
			for document := range strings.SplitSeq(match[1], "\n---\n") {
				if !strings.Contains(document, "apiVersion: upm.syntropycloud.io/") {
					continue
				}
				_, gvk, err := decoder.Decode([]byte(document), nil, nil)
				if err != nil {
					t.Errorf("%s, example %d: %v", page, i+1, err)
					continue
				}
				kinds[gvk.Kind] = true
			}
		}
	}
	want := []string{"GrpcCall", "MysqlReplication", "PostgresReplication", "Unit", "UnitSet"}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) {
		t.Errorf("there are examples of %q, want %q", got, want)
	}
}

func TestTheRunbookHasARowForEveryReason(t *testing.T) {
	runbook := sectionsOf(read(t, filepath.Join(root, "docs", "replication.md")))["Runbook"]
	rows := map[string]bool{}
	for line := range strings.Lines(runbook) {
		if cell, ok := strings.CutPrefix(line, "| "); ok {
			cell, _, _ = strings.Cut(cell, " | ")
			for _, word := range codeWord.FindAllStringSubmatch(cell, -1) {
				rows[word[1]] = true
			}
		}
	}
	for _, of := range []struct {
		file, prefix string
		least        int
	}{
		{"pkg/replication/mysql/states.go", "Reason", 30},
		{"pkg/apis/upm/v1alpha1/replication_conditions.go", "Replication", 14},
		{"pkg/controller/replication/conditions.go", "reasonO", 1},
	} {
		constant := regexp.MustCompile(`(?m)^\t` + of.prefix + `\w+\s+= "(\w+)"$`)
		found := constant.FindAllStringSubmatch(read(t, filepath.Join(root, filepath.FromSlash(of.file))), -1)
		if len(found) < of.least {
			t.Errorf("only %d constants of %s were found in %s, want at least %d", len(found), of.prefix, of.file, of.least)
		}
		for _, match := range found {
			if !rows[match[1]] {
				t.Errorf("docs/replication.md, Runbook, has no row for `%s` (%s)", match[1], of.file)
			}
		}
	}
	for _, phase := range []string{topology.PhasePreparing, topology.PhaseFencing, topology.PhaseOpening} {
		if !inCode(runbook, phase) {
			t.Errorf("docs/replication.md, Runbook, does not name the phase `%s`, which is a reason of Ready", phase)
		}
	}
}

// codeWord is one word between backquotes.
var codeWord = regexp.MustCompile("`(\\w+)`")
