// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/images"
	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// storeRecipe is part of a store's key: raise it when the way stores are made changes.
const storeRecipe = "1"

// ensureStore returns a containerd root directory that holds the images, imported and unpacked, and
// nothing else. It is made once and kept in the cache; nodes get copies of it whose files are hard
// links: containerd never changes content and unpacked layers in place, and overlayfs copies what a
// container changes. So an image is imported once, not once per node and start.
func (b *Bed) ensureStore(ctx context.Context, all []images.Image) (string, error) {
	inputs := []string{storeRecipe, filepath.Base(b.settings.Binaries["containerd"])}
	for _, image := range all {
		inputs = append(inputs, image.Key)
	}
	key, err := build.Key(nil, inputs...)
	if err != nil {
		return "", err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "images", "store-"+key)
	if isDir(dir) {
		return dir, nil
	}
	err = b.report.Step(ctx, fmt.Sprintf("importing %d images (some 10 s each)", len(all)), func(ctx context.Context) error {
		return build.Locked(ctx, "image-store", func() error {
			if isDir(dir) {
				return nil
			}
			if err := removeStores(filepath.Dir(dir)); err != nil {
				return err
			}
			return b.makeStore(ctx, all, dir)
		})
	})
	return dir, err
}

// removeStores deletes earlier stores. Nodes that were made from them keep the files they link to.
func removeStores(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "store-*"))
	for _, path := range old {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// makeStore runs a containerd of its own on a directory beside dir, and renames that.
func (b *Bed) makeStore(ctx context.Context, all []images.Image, dir string) (err error) {
	root, err := os.MkdirTemp(filepath.Dir(dir), ".store-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	run, err := os.MkdirTemp("", "unit-operator-store-") // a short path, for sockets
	if err != nil {
		return err
	}
	defer os.RemoveAll(run)
	bin := b.settings.Binaries["containerd"]
	c := ctr{program: filepath.Join(bin, "ctr"), socket: filepath.Join(run, "containerd.sock")}
	config := filepath.Join(run, "containerd.toml")
	if err := render("containerd.toml", config, containerdConfig{Root: root, State: filepath.Join(run, "state"), Socket: c.socket, StoreOnly: true}); err != nil {
		return err
	}
	child, err := proc.StartChild("containerd", run, filepath.Join(run, "log"), filepath.Join(bin, "containerd"), "-c", config)
	if err != nil {
		return err
	}
	defer func() {
		child.Stop(daemonGrace) // before its directories are renamed or removed
		err = errors.Join(err, machine.Unmount(root), machine.Unmount(run))
		if err == nil {
			err = os.Rename(root, dir)
		}
	}()
	if err := c.waitAnswer(ctx, child.Ended); err != nil {
		return err
	}
	for _, image := range all {
		if err := c.load(ctx, image.Archive); err != nil {
			return errors.Join(err, child.Ended())
		}
	}
	return nil
}

// cloneStore makes the containerd root of a node from a store, unless the node has one.
func cloneStore(ctx context.Context, store, root string) error {
	if isDir(root) {
		return nil
	}
	tmp := root + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	link := "--link"
	if !sameFilesystem(store, filepath.Dir(root)) {
		link = "--reflink=auto" // slower, but right
	}
	if _, err := machine.Run(ctx, "cp", "--archive", link, store, tmp); err != nil {
		return err
	}
	if err := unshare(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, root)
}

// unshare turns the databases, which containerd does change in place, into files of their own. They are
// the files directly in the directories of containerd's plugins.
func unshare(root string) error {
	paths, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

func sameFilesystem(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
