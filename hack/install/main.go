// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command install writes what people install with one kubectl apply each: crds.yaml, the
// kinds and what guards them, and install.yaml, the operator with its rights and packages.
// They are the files that artifacts/crds/Kustomization and artifacts/Kustomization list,
// in their order, with the images named.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// The images as artifacts/deployment has them.
const (
	operatorPlaceholder = "upmio/unit-operator:dev"
	agentPlaceholder    = "upmio/unit-agent:dev"
)

type options struct {
	artifacts, out string
	operator       string
	agent          string
}

func main() {
	var o options
	flag.StringVar(&o.artifacts, "artifacts", "artifacts", "the `DIRECTORY` of what is installed")
	flag.StringVar(&o.out, "out", "dist", "the `DIRECTORY` to write to")
	flag.StringVar(&o.operator, "operator-image", "", "the `IMAGE` of unit-operator, by digest")
	flag.StringVar(&o.agent, "agent-image", "", "the `IMAGE` of unit-agent, by digest")
	flag.Parse()
	if err := write(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(o options) error {
	if o.operator == "" || o.agent == "" {
		return errors.New("-operator-image and -agent-image are needed: make dist REGISTRY=registry.example.com/team")
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	crds, err := render(filepath.Join(o.artifacts, "crds"))
	if err != nil {
		return err
	}
	install, err := render(o.artifacts)
	if err != nil {
		return err
	}
	for placeholder, image := range map[string]string{operatorPlaceholder: o.operator, agentPlaceholder: o.agent} {
		if n := bytes.Count(install, []byte(placeholder)); n != 1 {
			return fmt.Errorf("%s stands %d times in what is installed, want once", placeholder, n)
		}
		install = bytes.Replace(install, []byte(placeholder), []byte(image), 1)
	}
	if err := os.WriteFile(filepath.Join(o.out, "crds.yaml"), crds, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "install.yaml"), install, 0o644)
}

// render is one stream of the files that a directory's Kustomization lists, and those of
// directories that it lists.
func render(dir string) ([]byte, error) {
	path := filepath.Join(dir, "Kustomization")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// Whatever else kustomize can do, it would not be done here.
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(content, &kustomization); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var stream bytes.Buffer
	for _, resource := range kustomization.Resources {
		resource = filepath.Join(dir, resource)
		info, err := os.Stat(resource)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var documents []byte
		if info.IsDir() {
			documents, err = render(resource)
		} else {
			documents, err = os.ReadFile(resource)
		}
		if err != nil {
			return nil, err
		}
		documents = bytes.TrimPrefix(documents, []byte("---\n"))
		stream.WriteString("---\n")
		stream.Write(bytes.TrimSuffix(documents, []byte("\n")))
		stream.WriteString("\n")
	}
	return stream.Bytes(), nil
}
