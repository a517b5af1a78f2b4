// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/upmio/unit-operator/test/bed/images"
)

// loaded are the keys of the images that a node has, by reference.
type loaded map[string]string

func (n Node) loadedFile() string { return n.path("images.json") }

func (n Node) loaded() (loaded, error) {
	l := loaded{}
	data, err := os.ReadFile(n.loadedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	return l, json.Unmarshal(data, &l)
}

func (l loaded) has(image images.Image) bool {
	for _, reference := range image.References {
		if l[reference] != image.Key {
			return false
		}
	}
	return true
}

func (n Node) setLoaded(l loaded, all ...images.Image) error {
	for _, image := range all {
		for _, reference := range image.References {
			l[reference] = image.Key
		}
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(n.loadedFile(), data, 0o644)
}

// load imports those images that the node does not have in this version.
func (n Node) load(ctx context.Context, all []images.Image) error {
	l, err := n.loaded()
	if err != nil {
		return err
	}
	for _, image := range all {
		if l.has(image) {
			continue
		}
		if err := n.ctr().load(ctx, image.Archive); err != nil {
			return err
		}
		if err := n.setLoaded(l, image); err != nil {
			return err
		}
	}
	return nil
}

// LoadImages imports images into every node, those that the nodes have in this version aside.
func (b *Bed) LoadImages(ctx context.Context, all ...images.Image) error {
	if !b.exists() {
		return ErrNotUp
	}
	return b.eachNode(ctx, func(ctx context.Context, n Node) error { return n.load(ctx, all) })
}

// LoadArchive imports a docker or OCI archive of images into every node.
func (b *Bed) LoadArchive(ctx context.Context, path string) error {
	if !b.exists() {
		return ErrNotUp
	}
	return b.report.Step(ctx, "loading "+path, func(ctx context.Context) error {
		return b.eachNode(ctx, func(ctx context.Context, n Node) error { return n.ctr().load(ctx, path) })
	})
}

func (b *Bed) eachNode(ctx context.Context, f func(context.Context, Node) error) error {
	var all []func(context.Context) error
	for _, n := range b.Nodes() {
		all = append(all, func(ctx context.Context) error { return f(ctx, n) })
	}
	return parallel(ctx, all...)
}
