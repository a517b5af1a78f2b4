// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// recipe is part of every key: raise it when the way images are made changes.
const recipe = "1"

// Databases makes the database images that are not in the cache, and returns them all. It needs root.
func Databases(ctx context.Context, report *progress.Reporter) ([]Image, error) {
	var all []Image
	for _, d := range databases {
		image, err := d.ensure(ctx, report)
		if err != nil {
			return nil, fmt.Errorf("%s image: %w", d.kind, err)
		}
		all = append(all, image)
	}
	return all, nil
}

// Others are the names that Other takes, sorted.
func Others() []string { return slices.Sorted(maps.Keys(others)) }

// Other is Databases for one image that the bed does not run, by its name among Others.
func Other(ctx context.Context, report *progress.Reporter, name string) (Image, error) {
	d, ok := others[name]
	if !ok {
		return Image{}, fmt.Errorf("there is no other image %q, but: %s", name, strings.Join(Others(), ", "))
	}
	image, err := d.ensure(ctx, report)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", name, err)
	}
	return image, nil
}

// ensure returns the image from the cache, or makes it.
func (d database) ensure(ctx context.Context, report *progress.Reporter) (Image, error) {
	var program string
	if d.program != nil {
		var err error
		if program, err = d.program(ctx, report); err != nil {
			return Image{}, err
		}
	}
	key, err := d.key(program)
	if err != nil {
		return Image{}, err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return Image{}, err
	}
	dir := filepath.Join(cache, "images", d.kind+"-"+key)
	if image, err := read(dir); err == nil {
		return image, nil
	}
	title := fmt.Sprintf("making the %s image from Debian %s (some 60 s)", d.kind, d.rootfs.Suite)
	err = report.Step(ctx, title, func(ctx context.Context) error {
		return build.Locked(ctx, "image-"+d.kind, func() error {
			if _, err := read(dir); err == nil {
				return nil
			}
			return d.make(ctx, key, program, dir)
		})
	})
	if err != nil {
		return Image{}, err
	}
	return read(dir)
}

func (d database) key(program string) (string, error) {
	var files []string
	if program != "" {
		files = append(files, program)
	}
	config, err := d.config("0.0.0").encode("")
	if err != nil {
		return "", err
	}
	return build.Key(files, recipe, d.repository, fmt.Sprint(d.rootfs), string(config))
}

// make builds in a directory beside dir and renames it, so that dir is whole or absent.
func (d database) make(ctx context.Context, key, program, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	layer, versionFile := filepath.Join(tmp, "layer.tar"), filepath.Join(tmp, "version")
	rootfs := d.rootfs
	rootfs.Env = []string{"UNIT_OPERATOR_PROGRAM=" + program, "UNIT_OPERATOR_VERSION=" + versionFile}
	if d.versionPackage != "" {
		rootfs.After += `chroot "$1" dpkg-query -W -f '${Version}' ` + d.versionPackage + ` > "$UNIT_OPERATOR_VERSION"` + "\n"
	} else {
		rootfs.After += `chroot "$1" ` + d.kind + ` --version > "$UNIT_OPERATOR_VERSION"` + "\n"
	}
	if err := rootfs.Write(ctx, layer); err != nil {
		return err
	}
	said, err := os.ReadFile(versionFile)
	if err != nil {
		return err
	}
	version := upstream(string(said))
	if d.versionPackage == "" {
		if version, err = d.versionOf(string(said)); err != nil {
			return err
		}
	}
	image := Image{Type: d.kind, Version: version, Key: key, Archive: filepath.Join(dir, "image.tar")}
	for _, tag := range tags(version) {
		image.References = append(image.References, d.repository+":"+tag)
	}
	if err := writeArchive(filepath.Join(tmp, "image.tar"), layer, d.config(version), image.References); err != nil {
		return err
	}
	if err := errors.Join(os.Remove(layer), os.RemoveAll(versionFile)); err != nil {
		return err
	}
	data, err := json.MarshalIndent(image, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, "image.json"), data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

func read(dir string) (Image, error) {
	var image Image
	data, err := os.ReadFile(filepath.Join(dir, "image.json"))
	if err != nil {
		return image, err
	}
	return image, json.Unmarshal(data, &image)
}
