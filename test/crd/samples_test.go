// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/upmio/unit-operator/artifacts"
)

// TestSamples creates every object of artifacts/samples.
func TestSamples(t *testing.T) {
	e := needCluster(t)
	err := fs.WalkDir(artifacts.Samples, "samples", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		t.Run(path, func(t *testing.T) {
			content, err := fs.ReadFile(artifacts.Samples, path)
			if err != nil {
				t.Fatal(err)
			}
			namespace := e.namespace(t)
			decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
			for {
				object := &unstructured.Unstructured{}
				if err := decoder.Decode(object); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				object.SetNamespace(namespace)
				if _, err := e.client(t, object).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: strict}); err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
