// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestWhatIsPushedIsWhatWasBuilt(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	out, tree := t.TempDir(), small(t)
	for _, program := range Programs {
		built, err := Build(t.Context(), tree, program, Platforms, release, out)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := Push(t.Context(), out, program, strings.TrimPrefix(server.URL, "http://")+"/team")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(reference.String(), "/team/"+program.Name+"@"+built.String()) {
			t.Errorf("pushed %s, built %s", reference, built)
		}
		tagged, err := remote.Index(reference.Context().Tag(release.Version))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(tagged); err != nil {
			t.Error(err)
		}
		if digest, err := tagged.Digest(); err != nil || digest != built {
			t.Errorf("the tag leads to %s, %v", digest, err)
		}
		manifest, err := tagged.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range manifest.Manifests {
			referrers, err := remote.Referrers(reference.Context().Digest(image.Digest.String()))
			if err != nil {
				t.Fatal(err)
			}
			found, err := referrers.IndexManifest()
			if err != nil || len(found.Manifests) != 1 || found.Manifests[0].ArtifactType != string(billType) {
				t.Errorf("%s has the referrers %+v, %v", image.Platform, found, err)
			}
		}
	}
}

func TestNothingToPush(t *testing.T) {
	_, err := Push(t.Context(), t.TempDir(), Programs[0], "registry.example.com/team")
	if err == nil || !strings.Contains(err.Error(), "make images") {
		t.Errorf("it says %v", err)
	}
}
