// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/json"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/operation"
)

// partial is the marker of a backup that is being written or removed: what there is
// to remove if nobody goes on with it.
type partial struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Scope
	// Unit that writes or removes it.
	Unit        string                `json:"unit"`
	Created     time.Time             `json:"created"`
	Base        *Base                 `json:"base,omitempty"`
	Compression operation.Compression `json:"compression"`
	Encrypted   bool                  `json:"encrypted"`
	Files       []string              `json:"files"`
}

// Sweep removes what earlier runs of the unit left in the folder of l. A unit does one
// operation at a time: what it has not finished, it will not.
func Sweep(ctx context.Context, store Store, l Location, scope Scope, unit string) error {
	partials, err := listPartials(ctx, store, l)
	if err != nil {
		return err
	}
	for at, p := range partials {
		if p.Scope.Cluster != scope.Cluster || p.Namespace != scope.Namespace || p.Unit != unit {
			continue
		}
		_, err := readManifest(ctx, store, at)
		switch {
		case err == nil:
			err = store.Delete(ctx, partialKey(at)) // the backup is complete
		case ReasonOf(err) == ReasonNotFound:
			err = removeFiles(ctx, store, at, p.Compression, p.Encrypted, p.Files)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listPartials returns the markers in a folder that can be read.
func listPartials(ctx context.Context, store Store, l Location) (map[Location]partial, error) {
	objects, err := store.List(ctx, l.Folder, false)
	if err != nil {
		return nil, err
	}
	out := map[Location]partial{}
	for _, o := range objects {
		name, ok := strings.CutSuffix(path.Base(o.Key), partialSuffix)
		if !ok {
			continue
		}
		raw, err := readSmall(ctx, store, o.Key)
		if ReasonOf(err) == ReasonNotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		var p partial
		if json.Unmarshal(raw, &p) == nil && p.Version == Version && codecs[p.Compression] != nil {
			out[Location{Bucket: l.Bucket, Folder: l.Folder, Name: name}] = p
		}
	}
	return out, nil
}

var objectNumber = regexp.MustCompile(`^(\.[0-9]{4})?$`)

// removeFiles removes the objects of files, then the marker. Only keys that such a
// file has are touched: a prefix may be a folder of somebody's.
func removeFiles(ctx context.Context, store Store, l Location, compression operation.Compression, encrypted bool, files []string) error {
	for _, name := range files {
		if !cleanKey(name) {
			continue
		}
		first := objectKey(l, name, compression, encrypted, 0)
		objects, err := store.List(ctx, first, false)
		if err != nil {
			return err
		}
		// One more than there are may be half uploaded.
		keys, n := []string{first}, 0
		for _, o := range objects {
			if number, ok := strings.CutPrefix(o.Key, first); ok && objectNumber.MatchString(number) {
				keys = append(keys, o.Key)
				n++
			}
		}
		if n > 0 {
			keys = append(keys, objectKey(l, name, compression, encrypted, n))
		}
		for _, key := range keys {
			if err := store.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return store.Delete(ctx, partialKey(l))
}

// readSmall reads a whole object of at most MaxManifest bytes.
func readSmall(ctx context.Context, store Store, key string) ([]byte, error) {
	r, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, MaxManifest+1))
	if err == nil && len(raw) > MaxManifest {
		err = failure(ReasonManifest, store.Endpoint(), nil, "%s is larger than %d bytes", path.Base(key), MaxManifest)
	}
	return raw, err
}

func readManifest(ctx context.Context, store Store, l Location) (*Manifest, error) {
	raw, err := readSmall(ctx, store, manifestKey(l))
	if err != nil {
		return nil, err
	}
	return DecodeManifest(raw, l)
}
