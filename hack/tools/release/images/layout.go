// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation that names an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// billType is the media type of a list of what a program was built from.
const billType = types.MediaType("application/spdx+json")

// Build compiles a program of a tree for platforms, and writes to the directory out:
//
//	NAME/                    OCI layout: an index of all platforms, and the lists that refer to them
//	NAME.digest              digest of that index
//	NAME-OS-ARCH.tar         for docker load
//	NAME-OS-ARCH.spdx.json   what it was built from
//
// It returns the digest.
func Build(ctx context.Context, tree string, program Program, platforms []v1.Platform, r Release, out string) (v1.Hash, error) {
	tmp, err := os.MkdirTemp("", "unit-operator-images-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(tmp)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var bills []v1.Image
	for _, platform := range platforms {
		path := filepath.Join(tmp, program.Name)
		if err := compile(ctx, tree, program, platform, r, path); err != nil {
			return v1.Hash{}, err
		}
		binary, err := os.ReadFile(path)
		if err != nil {
			return v1.Hash{}, err
		}
		image, err := makeImage(program, platform, r, binary)
		if err != nil {
			return v1.Hash{}, err
		}
		list, err := bill(program, platform, r, binary)
		if err != nil {
			return v1.Hash{}, err
		}
		descriptor, err := partial.Descriptor(image)
		if err != nil {
			return v1.Hash{}, err
		}
		attached, err := attach(list, *descriptor)
		if err != nil {
			return v1.Hash{}, err
		}
		bills = append(bills, attached)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
		if err := writeFiles(filepath.Join(out, fmt.Sprintf("%s-%s-%s", program.Name, platform.OS, platform.Architecture)), program, r, image, list); err != nil {
			return v1.Hash{}, err
		}
	}
	index = mutate.Annotations(index, program.labels(r)).(v1.ImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	if err := writeLayout(filepath.Join(out, program.Name), r, index, bills); err != nil {
		return v1.Hash{}, err
	}
	return digest, os.WriteFile(filepath.Join(out, program.Name+".digest"), []byte(digest.String()+"\n"), 0o644)
}

// attach makes an artifact of a list that refers to an image.
func attach(list []byte, subject v1.Descriptor) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), billType)
	artifact, err := mutate.AppendLayers(base, static.NewLayer(list, billType))
	if err != nil {
		return nil, err
	}
	subject.Platform = nil
	return mutate.Subject(artifact, subject).(v1.Image), nil
}

// writeFiles writes what a platform has besides its part of the layout.
func writeFiles(path string, program Program, r Release, image v1.Image, list []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tag, err := name.NewTag(program.repository() + ":" + r.Version)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(path+".tar", tag, image); err != nil {
		return err
	}
	return os.WriteFile(path+".spdx.json", list, 0o644)
}

// writeLayout writes a layout in place of an older one.
func writeLayout(dir string, r Release, index v1.ImageIndex, bills []v1.Image) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: r.Version})); err != nil {
		return err
	}
	for _, b := range bills {
		if err := path.AppendImage(b); err != nil {
			return err
		}
	}
	return nil
}
