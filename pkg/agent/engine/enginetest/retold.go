// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"io"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

// Retold is the address of a backup like the full one at an address, with files that alter
// has changed: each of its hashes is right, its content is not what was backed up.
func Retold(t *testing.T, address string, alter func(file string, content []byte) []byte) string {
	t.Helper()
	ctx := t.Context()
	l, err := backup.ParseLocation(address)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	store, err := backup.Open(ctx, l, backup.Credentials{})
	must(err)
	m, err := backup.Find(ctx, store, l, backup.Scope{})
	must(err)
	l.Name += "-retold"
	w, err := backup.Create(ctx, backup.CreateOptions{Store: store, Location: l, Compression: m.Compression, Meta: m.Meta})
	must(err)
	for _, f := range m.Files {
		r, err := m.Open(ctx, store, f.Name, nil)
		must(err)
		content, err := io.ReadAll(r)
		must(err)
		must(r.Close())
		to, err := w.File(f.Name)
		must(err)
		_, err = to.Write(alter(f.Name, content))
		must(err)
		must(to.Close())
	}
	_, err = w.Commit(ctx)
	must(err)
	return l.String()
}
