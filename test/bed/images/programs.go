// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// References of the project's own images, built from the source tree.
const (
	AgentReference    = "docker.io/upmio/unit-agent:dev"
	OperatorReference = "docker.io/upmio/unit-operator:dev"
	// PauseReference is the sandbox container's image.
	PauseReference = "docker.io/upmio/bed-pause:1"
)

// Agent builds the image of cmd/unit-agent as the source tree is now.
func Agent(ctx context.Context, report *progress.Reporter) (Image, error) {
	return program(ctx, report, "unit-agent", AgentReference)
}

// Operator builds the image of cmd/unit-operator as the source tree is now.
func Operator(ctx context.Context, report *progress.Reporter) (Image, error) {
	return program(ctx, report, "unit-operator", OperatorReference)
}

// program compiles ./cmd/NAME (Go's own cache makes that quick when nothing changed) into an image that
// holds nothing else. The error is fs.ErrNotExist if the source tree has no such command.
func program(ctx context.Context, report *progress.Reporter, name, reference string) (image Image, err error) {
	root, err := build.Root()
	if err != nil {
		return Image{}, err
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", name)); err != nil {
		return Image{}, err
	}
	tmp, err := os.MkdirTemp("", "unit-operator-image-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(tmp)
	err = report.Step(ctx, "building the "+name+" image", func(ctx context.Context) error {
		binary := filepath.Join(tmp, name)
		// Without version control's stamp: a commit alone must not change the image.
		if err := build.Go(ctx, root, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd/"+name); err != nil {
			return err
		}
		image, err = FromBinary(binary, "/"+name, reference)
		return err
	})
	return image, err
}

// FromBinary makes an image that holds one static program, at path, and runs it.
func FromBinary(binary, path, reference string) (Image, error) {
	key, err := build.Key([]string{binary}, recipe, path, reference)
	if err != nil {
		return Image{}, err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return Image{}, err
	}
	dir := filepath.Join(cache, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Image{}, err
	}
	image := Image{References: []string{reference}, Key: key}
	image.Archive = filepath.Join(dir, fmt.Sprintf("%s-%s.tar", filepath.Base(path), key))
	if _, err := os.Stat(image.Archive); err == nil {
		return image, nil
	}
	if err := removeOld(dir, filepath.Base(path)); err != nil {
		return Image{}, err
	}
	layer, err := os.CreateTemp(dir, ".layer-")
	if err != nil {
		return Image{}, err
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	if err := writeProgramLayer(layer, binary, path); err != nil {
		return Image{}, err
	}
	config := Config{User: "65532:65532", Env: []string{"PATH=" + defaultPath}, Entrypoint: []string{path}}
	tmp := layer.Name() + ".tar"
	defer os.Remove(tmp)
	if err := writeArchive(tmp, layer.Name(), config, image.References); err != nil {
		return Image{}, err
	}
	return image, os.Rename(tmp, image.Archive)
}

// removeOld deletes the archives of a program's earlier builds, of which every change makes one.
func removeOld(dir, name string) error {
	old, err := filepath.Glob(filepath.Join(dir, name+"-*.tar"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func writeProgramLayer(file *os.File, binary, path string) error {
	layer := tar.NewWriter(file)
	const passwd = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"
	for _, entry := range []struct {
		header tar.Header
		data   string
	}{
		{header: tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}},
		{header: tar.Header{Name: "etc/passwd", Mode: 0o644}, data: passwd},
		{header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}},
	} {
		entry.header.Size = int64(len(entry.data))
		if err := layer.WriteHeader(&entry.header); err != nil {
			return err
		}
		if _, err := layer.Write([]byte(entry.data)); err != nil {
			return err
		}
	}
	program, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return err
	}
	if err := layer.WriteHeader(&tar.Header{Name: path[1:], Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := program.WriteTo(layer); err != nil {
		return err
	}
	return layer.Close()
}
