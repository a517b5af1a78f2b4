// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command packages writes artifacts/packages from the sources beside it: one file
// per package, directly in the directory, because kubectl apply -f reads no
// subdirectories.
//
//	go run ./hack/packages [-o DIR]
package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

func main() {
	sources := flag.String("sources", "hack/packages", "directory of packages.yaml, pod.yaml and the families' directories")
	output := flag.String("o", "artifacts/packages", "directory to write; its other .yaml files are removed")
	flag.Parse()
	if err := run(*sources, *output); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

// family is an entry of packages.yaml.
type family struct {
	Type         string            `json:"type"`
	Files        map[string]string `json:"files"`
	Ports        []port            `json:"ports"`
	SocketDir    string            `json:"socketDir"`
	ConfigDir    string            `json:"configDir"`
	SharedMemory bool              `json:"sharedMemory"`
	GracePeriod  int               `json:"gracePeriod"`
	Versions     []string          `json:"versions"`
	Editions     []edition         `json:"editions"`
}

type port struct {
	Name string `json:"name"`
	Port int    `json:"port"`
}

type edition struct {
	Edition    string `json:"edition"`
	Image      string `json:"image"`
	PullSecret string `json:"pullSecret"`
	UID        int    `json:"uid"`
}

// pod is what pod.yaml is made with.
type pod struct {
	family
	edition
}

func run(sources, output string) error {
	content, err := os.ReadFile(filepath.Join(sources, "packages.yaml"))
	if err != nil {
		return err
	}
	var families []family
	if err := yaml.UnmarshalStrict(content, &families); err != nil {
		return err
	}
	podTemplate, err := template.ParseFiles(filepath.Join(sources, "pod.yaml"))
	if err != nil {
		return err
	}
	podTemplate.Option("missingkey=error")
	files := map[string][]byte{}
	for _, f := range families {
		for _, e := range f.Editions {
			for _, version := range f.Versions {
				name := packageName(f.Type, e.Edition, version)
				content, err := render(sources, name, pod{f, e}, podTemplate)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				files[name+".yaml"] = content
			}
		}
	}
	files["Kustomization"] = kustomization(slices.Sorted(maps.Keys(files)))
	return write(output, files)
}

// kustomization lists packages for artifacts/Kustomization and hack/install. Its name has
// no extension, so that kubectl apply -f of the directory does not read it.
func kustomization(names []string) []byte {
	var b bytes.Buffer
	b.WriteString("# What sets of mysql, postgresql and proxysql are made from.\n")
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "  - %s\n", name)
	}
	return b.Bytes()
}

func packageName(unitType, edition, version string) string {
	return strings.Join(slices.DeleteFunc([]string{unitType, edition, version}, func(s string) bool { return s == "" }), "-")
}

// render is one package: its ConfigMaps before the PodTemplate, so that it is
// complete once the PodTemplate is seen.
func render(sources, name string, p pod, podTemplate *template.Template) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Made by go run ./hack/packages; the sources are in hack/packages.\n")
	metadata := func(apiVersion, kind, name string) {
		fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n  namespace: upm-system\n  labels:\n", apiVersion, kind, name)
		fmt.Fprintf(&b, "    unit-operator.io/package: \"true\"\n    unit-operator.io/type: %s\n", p.Type)
	}
	data := func(key, file string) error {
		content, err := os.ReadFile(filepath.Join(sources, p.Type, file))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "  %s: |\n%s", key, indent(string(content), 4))
		return nil
	}
	metadata("v1", "ConfigMap", name+"-config-template")
	b.WriteString("data:\n")
	for _, key := range slices.Sorted(maps.Keys(p.Files)) {
		if err := data(key, p.Files[key]); err != nil {
			return nil, err
		}
	}
	b.WriteString(separator)
	metadata("v1", "ConfigMap", name+"-config-value")
	b.WriteString("data:\n")
	if err := data(p.Type, "values.yaml"); err != nil {
		return nil, err
	}
	b.WriteString(separator)
	metadata("v1", "PodTemplate", name)
	b.WriteString("template:\n")
	var spec bytes.Buffer
	if err := podTemplate.Execute(&spec, p); err != nil {
		return nil, err
	}
	b.WriteString(indent(spec.String(), 2))
	return b.Bytes(), nil
}

// separator of documents. kubectl takes the line end before the dashes away, and
// with it that of a block of text: hence the empty line.
const separator = "\n---\n"

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", by))
		}
		b.WriteString(line)
	}
	return b.String()
}

// write replaces the .yaml files of a directory.
func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, keep := files[filepath.Base(path)]; !keep {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
