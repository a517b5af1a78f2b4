// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spdx/tools-golang/json"
)

func hashOf(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// checkModules checks that the list of a program of this tree has what go.mod says.
func checkModules(t *testing.T, list []byte) {
	t.Helper()
	document, err := json.Read(bytes.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	purls := map[string]bool{}
	for _, p := range document.Packages {
		purls[p.PackageExternalReferences[0].Locator] = true
	}
	if len(document.Relationships) != len(document.Packages) {
		t.Errorf("%d relationships of %d packages", len(document.Relationships), len(document.Packages))
	}
	if version := strings.TrimPrefix(runtime.Version(), "go"); !purls["pkg:golang/stdlib@"+version] {
		t.Errorf("Go %s is not in it", version)
	}
	// go.mod says which version of what the agent talks to the operator with.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "google.golang.org/grpc" {
			if purl := "pkg:golang/google.golang.org/grpc@" + fields[1]; !purls[purl] {
				t.Errorf("%s is not in it", purl)
			}
			return
		}
	}
	t.Error("go.mod does not name google.golang.org/grpc")
}
