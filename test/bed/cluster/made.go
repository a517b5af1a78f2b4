// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/images"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// made is what a bed is made of: binaries by component, and images.
type made struct {
	binaries  map[string]string
	pause     images.Image
	databases []images.Image
	programs  []images.Image // the project's own, which change often
	// programsErr says why they could not be built. A source tree that does not compile is no reason
	// to be without a cluster.
	programsErr error
}

// stored are the images that nodes start with; the others are loaded into them one by one.
func (m made) stored() []images.Image { return append([]images.Image{m.pause}, m.databases...) }
func (m made) all() []images.Image    { return append(m.stored(), m.programs...) }

// build makes everything that is not in the cache: programs in one lane, which the processors bound,
// root filesystems in another, which the network does.
func (b *Bed) build(ctx context.Context) (made, error) {
	m := made{binaries: map[string]string{}}
	err := parallel(ctx,
		func(ctx context.Context) error {
			var err error
			m.databases, err = images.Databases(ctx, b.report)
			return err
		},
		func(ctx context.Context) error {
			for _, name := range []string{"kube", "containerd", "coredns", "csi"} {
				var err error
				if m.binaries[name], err = build.Component(ctx, b.report, name); err != nil {
					return err
				}
			}
			var err error
			m.pause, err = images.FromBinary(filepath.Join(m.binaries["kube"], "pause"), "/pause", images.PauseReference)
			if err != nil {
				return err
			}
			m.programs, m.programsErr = Programs(ctx, b.report)
			return ctx.Err()
		},
	)
	return m, err
}

// Programs builds the images of the project's own programs that the source tree has.
func Programs(ctx context.Context, report *progress.Reporter) ([]images.Image, error) {
	var all []images.Image
	for _, build := range []func(context.Context, *progress.Reporter) (images.Image, error){images.Agent, images.Operator} {
		image, err := build(ctx, report)
		if errors.Is(err, fs.ErrNotExist) {
			report.Printf("no image: %v", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, image)
	}
	return all, nil
}
