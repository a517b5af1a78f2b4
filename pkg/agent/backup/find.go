// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
)

// List returns the backups in the folder of l, the newest first, and what is wrong
// with those whose manifest cannot be used.
func List(ctx context.Context, store Store, l Location) (manifests []*Manifest, bad []error, err error) {
	objects, err := store.List(ctx, l.Folder, false)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range objects {
		name, ok := strings.CutSuffix(path.Base(o.Key), ManifestSuffix)
		if !ok || !validName(name) {
			continue
		}
		m, err := readManifest(ctx, store, Location{Bucket: l.Bucket, Folder: l.Folder, Name: name})
		switch ReasonOf(err) {
		case "":
			if err != nil {
				return nil, nil, err
			}
			manifests = append(manifests, m)
		case ReasonNotFound: // removed meanwhile
		case ReasonManifest:
			bad = append(bad, err)
		default:
			return nil, nil, err
		}
	}
	slices.SortFunc(manifests, newest)
	return manifests, bad, nil
}

func newest(a, b *Manifest) int {
	if c := b.Created.Compare(a.Created); c != 0 {
		return c
	}
	if c := b.Completed.Compare(a.Completed); c != 0 {
		return c
	}
	return strings.Compare(b.Name(), a.Name())
}

// Find returns the backup a source means: the newest one in a folder, or the one
// whose name, manifest or file is named. In a folder it prefers scope's own backups;
// if there are none it takes another's only if there is no doubt whose. A name means
// that backup, whatever the scope.
func Find(ctx context.Context, store Store, l Location, scope Scope) (*Manifest, error) {
	for _, candidate := range candidates(l) {
		m, err := readManifest(ctx, store, candidate)
		if err == nil || ReasonOf(err) != ReasonNotFound {
			return m, err
		}
	}
	folder := l
	if !l.IsFolder() {
		folder = Location{Bucket: l.Bucket, Folder: l.Folder + l.Name + "/"}
	}
	all, bad, err := List(ctx, store, folder)
	if err != nil {
		return nil, err
	}
	m, err := pick(all, scope)
	if e, ok := errors.AsType[*Error](err); ok {
		e.Endpoint = store.Endpoint()
		e.message = l.String() + " " + e.message
		if len(bad) > 0 {
			e.message += "; " + bad[0].Error()
		}
	}
	return m, err
}

// candidates are the backups that l may name.
func candidates(l Location) []Location {
	var out []Location
	add := func(folder, name string) {
		if validName(name) {
			out = append(out, Location{Bucket: l.Bucket, Folder: folder, Name: name})
		}
	}
	if l.Name != "" {
		name, _ := strings.CutSuffix(l.Name, ManifestSuffix)
		add(l.Folder, name)
	}
	// The objects of a backup lie below its name.
	if folder := strings.TrimSuffix(l.Folder, "/"); folder != "" {
		parent, name := path.Split(folder)
		add(parent, name)
	}
	return out
}

// pick chooses among the backups of one folder, the newest first.
func pick(all []*Manifest, scope Scope) (*Manifest, error) {
	var kind []*Manifest
	for _, m := range all {
		if scope.Kind == "" || m.Kind == scope.Kind {
			kind = append(kind, m)
		}
	}
	if len(kind) == 0 {
		return nil, failure(ReasonNotFound, "", nil, "holds no complete backup")
	}
	for _, m := range kind {
		if matches(scope.Cluster, m.Cluster) && matches(scope.Namespace, m.Namespace) && matches(scope.Set, m.Set) {
			return m, nil
		}
	}
	for _, m := range kind[1:] {
		if m.Cluster != kind[0].Cluster || m.Namespace != kind[0].Namespace || m.Set != kind[0].Set {
			return nil, failure(ReasonAmbiguous, "", nil, "holds backups of several sets, none of %s/%s: name one, such as %s", scope.Namespace, scope.Set, kind[0].location)
		}
	}
	return kind[0], nil
}

func matches(want, is string) bool { return want == "" || want == is }

// Chain returns what it takes to restore m: its full backup, then each incremental
// one, m last.
func Chain(ctx context.Context, store Store, m *Manifest) ([]*Manifest, error) {
	chain := []*Manifest{m}
	for m.Base != nil {
		l := m.location
		l.Name = m.Base.Name
		base, err := readManifest(ctx, store, l)
		switch {
		case ReasonOf(err) == ReasonNotFound:
			return nil, failure(ReasonChain, store.Endpoint(), nil, "the backup %s continues %s, which is not there", m.location, m.Base.Name)
		case err != nil:
			return nil, err
		case base.ID != m.Base.ID:
			return nil, failure(ReasonChain, store.Endpoint(), nil, "the backup %s continues another one than what is called %s now", m.location, m.Base.Name)
		case slices.ContainsFunc(chain, func(c *Manifest) bool { return c.ID == base.ID }):
			return nil, failure(ReasonChain, store.Endpoint(), nil, "the backup %s continues itself", m.location)
		}
		chain = append(chain, base)
		m = base
	}
	slices.Reverse(chain)
	return chain, nil
}
