// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// table is a file of cases: merge patches on a base object.
type table struct {
	Base  map[string]any `json:"base"`
	Cases []struct {
		Name string `json:"name"`
		// Patch of a new object, or Pre and then Post of one that exists. Status is
		// written between the two.
		Patch  map[string]any `json:"patch"`
		Pre    map[string]any `json:"pre"`
		Status map[string]any `json:"status"`
		Post   map[string]any `json:"post"`
		// Want is a part of the refusal. Empty: it must be accepted.
		Want string `json:"want"`
	} `json:"cases"`
}

// TestAccept creates whole objects.
func TestAccept(t *testing.T) {
	e := needCluster(t)
	for _, path := range files(t, "accept") {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		decoder := utilyaml.NewYAMLOrJSONDecoder(file, 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			t.Run(filepath.Base(path)+"/"+object.GetName(), func(t *testing.T) {
				object.SetNamespace(e.namespace(t))
				if _, err := e.client(t, object).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: strict}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestRefuse spoils good objects one by one.
func TestRefuse(t *testing.T) {
	e := needCluster(t)
	for _, path := range files(t, "refuse") {
		table := load(t, path)
		namespace := e.namespace(t)
		t.Run(filepath.Base(path), func(t *testing.T) {
			good := patched(t, table.Base, nil)
			good.SetNamespace(namespace)
			dry := metav1.CreateOptions{FieldValidation: strict, DryRun: []string{metav1.DryRunAll}}
			if _, err := e.client(t, good).Create(t.Context(), good, dry); err != nil {
				t.Fatalf("the base object itself: %v", err)
			}
			for _, c := range table.Cases {
				t.Run(c.Name, func(t *testing.T) {
					object := patched(t, table.Base, c.Patch)
					object.SetNamespace(namespace)
					_, err := e.client(t, object).Create(t.Context(), object, dry)
					checkRefusal(t, err, c.Want)
				})
			}
		})
	}
}

// TestTransition changes objects that exist.
func TestTransition(t *testing.T) {
	e := needCluster(t)
	for _, path := range files(t, "transition") {
		table := load(t, path)
		for _, c := range table.Cases {
			t.Run(filepath.Base(path)+"/"+c.Name, func(t *testing.T) {
				object := patched(t, table.Base, c.Pre)
				object.SetNamespace(e.namespace(t))
				client := e.client(t, object)
				created, err := client.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: strict})
				if err != nil {
					t.Fatalf("creating: %v", err)
				}
				if c.Status != nil {
					status := mustJSON(t, map[string]any{"status": c.Status})
					if created, err = client.Patch(t.Context(), object.GetName(), types.MergePatchType, status, metav1.PatchOptions{FieldValidation: strict}, "status"); err != nil {
						t.Fatalf("writing the status: %v", err)
					}
				}
				updated := patched(t, created.Object, c.Post)
				_, err = client.Update(t.Context(), updated, metav1.UpdateOptions{FieldValidation: strict})
				if c.Want != "" {
					checkRefusal(t, err, c.Want)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// checkRefusal wants a sentence for the user, and only a sentence.
func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "":
		t.Error("the case does not say what it wants")
	case err == nil:
		t.Errorf("it was accepted, want a refusal with %q", want)
	case !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err):
		t.Errorf("got %v, want the refusal of an invalid object", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("got  %v\nwant a refusal with %q", err, want)
	case strings.Contains(err.Error(), "failed rule") || strings.Contains(err.Error(), "no such key") || strings.Contains(err.Error(), "budget"):
		t.Errorf("the refusal speaks of CEL, not to the user: %v", err)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no cases in testdata/%s (%v)", dir, err)
	}
	return found
}

func load(t *testing.T, path string) table {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var loaded table
	if err := yaml.UnmarshalStrict(content, &loaded); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(loaded.Cases) == 0 {
		t.Fatalf("%s has no cases", path)
	}
	return loaded
}

// patched lays a JSON merge patch over an object: null removes, lists replace.
func patched(t *testing.T, base, patch map[string]any) *unstructured.Unstructured {
	t.Helper()
	merged := mustJSON(t, base)
	if patch != nil {
		var err error
		if merged, err = jsonpatch.MergePatch(merged, mustJSON(t, patch)); err != nil {
			t.Fatal(err)
		}
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(merged); err != nil {
		t.Fatal(err)
	}
	return object
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
