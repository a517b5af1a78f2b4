// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/test/apidoc"
)

// TestDocument creates every example of the API's documentation as it is written.
func TestDocument(t *testing.T) {
	const path = root + "/../shared/api-documentation.md"
	if _, err := os.Stat(path); os.IsNotExist(err) {
		t.Skip("the API's documentation does not lie beside this repository (../shared/api-documentation.md)")
	}
	e := needCluster(t)
	examples, err := apidoc.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		t.Run(fmt.Sprintf("line %d: %s", example.Line, example.Heading), func(t *testing.T) {
			for _, object := range example.In(e.namespace(t)) {
				if _, err := e.client(t, object).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: strict}); err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
	}
}
