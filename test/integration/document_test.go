// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/upmio/unit-operator/test/apidoc"
)

// Every UnitSet and Unit of the API's documentation, as written, becomes the
// objects that its prose promises and no others.
func TestTheDocumentsExamplesBecomeWhatItsProsePromises(t *testing.T) {
	const path = root + "/../shared/api-documentation.md"
	if _, err := os.Stat(path); os.IsNotExist(err) {
		t.Skip("the API's documentation does not lie beside this repository (../shared/api-documentation.md)")
	}
	e := require(t)
	examples, err := apidoc.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, e.config, e.token)
	startOperator(t, operatorOptions{host: p.URL()})
	checked := 0
	for _, example := range examples {
		if !hasKind(example.Objects, "UnitSet", "Unit") {
			continue
		}
		checked++
		t.Run(example.Heading, func(t *testing.T) {
			t.Parallel()
			e.checkPromises(t, example.In)
		})
	}
	if checked < 8 {
		t.Errorf("only %d examples with a UnitSet or a Unit", checked)
	}
}

// The same for the samples of this repository.
func TestTheSamplesBecomeWhatTheDocumentationPromises(t *testing.T) {
	e := require(t)
	files, err := filepath.Glob(filepath.Join(root, "artifacts", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, e.config, e.token)
	startOperator(t, operatorOptions{host: p.URL()})
	checked := 0
	for _, file := range files {
		objects, err := readObjects(file)
		if err != nil {
			t.Fatal(err)
		}
		if !hasKind(objects, "UnitSet", "Unit") {
			continue
		}
		checked++
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			e.checkPromises(t, func(namespace string) []*unstructured.Unstructured {
				var in []*unstructured.Unstructured
				for _, o := range objects {
					c := o.DeepCopy()
					c.SetNamespace(namespace)
					in = append(in, c)
				}
				return in
			})
		})
	}
	if checked < 8 {
		t.Errorf("only %d samples with a UnitSet or a Unit", checked)
	}
}

func hasKind(objects []*unstructured.Unstructured, kinds ...string) bool {
	for _, o := range objects {
		for _, kind := range kinds {
			if o.GetKind() == kind {
				return true
			}
		}
	}
	return false
}
