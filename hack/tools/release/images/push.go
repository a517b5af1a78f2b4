// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push sends what Build wrote to dir to REGISTRY/NAME, tagged with its version, and
// returns its reference by digest. Who may do so is in the configuration of docker login.
func Push(ctx context.Context, dir string, program Program, registry string) (name.Digest, error) {
	repository, err := name.NewRepository(registry + "/" + program.Name)
	if err != nil {
		return name.Digest{}, err
	}
	content, version, err := read(filepath.Join(dir, program.Name))
	if err != nil {
		return name.Digest{}, err
	}
	digest, err := content.index.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(repository.Tag(version), content.index, options...); err != nil {
		return name.Digest{}, err
	}
	for _, b := range content.bills {
		d, err := b.Digest()
		if err != nil {
			return name.Digest{}, err
		}
		if err := remote.Write(repository.Digest(d.String()), b, options...); err != nil {
			return name.Digest{}, err
		}
	}
	return repository.Digest(digest.String()), nil
}

// content of a layout.
type content struct {
	index v1.ImageIndex
	bills []v1.Image
}

// read reads a layout of Build, and the version it has the name of.
func read(dir string) (content, string, error) {
	var c content
	var version string
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return c, "", fmt.Errorf("no image in %s: %w (make images)", dir, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return c, "", err
	}
	for _, descriptor := range manifest.Manifests {
		switch {
		case descriptor.MediaType.IsIndex():
			version = descriptor.Annotations[refName]
			if c.index, err = top.ImageIndex(descriptor.Digest); err != nil {
				return c, "", err
			}
		default:
			b, err := top.Image(descriptor.Digest)
			if err != nil {
				return c, "", err
			}
			c.bills = append(c.bills, b)
		}
	}
	if c.index == nil || version == "" {
		return c, "", fmt.Errorf("%s has no index with a name: make images", dir)
	}
	return c, version, nil
}
