// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// physical restores a whole server: a full backup, with the incremental ones that
// continue it.
func (a restore) physical(ctx context.Context, op operations.Op, p *operation.Restore, from source) (map[string]string, error) {
	m := from.manifest
	if p.TargetDatabase != "" || len(p.Databases) > 0 {
		return nil, operations.Failed(operation.ReasonInvalidParameters, "the backup %s is a physical one and holds the whole server: targetDatabase and databases take a logical backup", m.Location())
	}
	chain, until, err := a.restorable(ctx, from)
	if err != nil {
		return nil, err
	}
	size, need, err := from.needs(chain)
	if err != nil {
		return nil, err
	}
	return a.replaceServer(ctx, op, replacement{
		overwrite: p.Overwrite, need: need + need/10, until: until,
		result: map[string]string{"source": m.Location().String(), "message": "restored from " + m.Location().String()},
		build: func(ctx context.Context) error {
			return a.assemble(ctx, op, from, chain, a.sideDir(), &reporter{op: op, text: "unpacking the backup", total: size})
		},
	})
}

// restorable says what a physical backup is made of, the oldest first, and where its WAL
// ends. It fails where the unit's programs cannot run the server that was copied.
func (u unit) restorable(ctx context.Context, from source) (chain []*backup.Manifest, until lsn, err error) {
	if err = u.sameMajor(ctx, from.manifest.EngineVersion); err != nil {
		return nil, until, err
	}
	if chain, err = backup.Chain(ctx, from.store, from.manifest); err != nil {
		return nil, until, withReason(err)
	}
	until, err = endOf(chain)
	return chain, until, err
}

// needs of a chain that the key opens: the size of its files, and the room for what is made
// of them.
func (from source) needs(chain []*backup.Manifest) (size, need int64, err error) {
	for _, link := range chain {
		if err := errors.Join(link.CheckEncrypted(from.encrypted), link.CheckKey(from.key)); err != nil {
			return 0, 0, withReason(err)
		}
		size += link.Size()
	}
	switch {
	case len(chain) == 1:
		return size, size, nil
	case ofWAL(from.manifest):
		// What the WAL changes may be as much as the WAL.
		return size, 2*size - chain[0].Size(), nil
	}
	// The links and what is made of them lie side by side.
	return size, size + chain[0].Size(), nil
}

// sameMajor fails if this server's programs cannot run a database of the version.
func (u unit) sameMajor(ctx context.Context, version string) error {
	major, err := u.server().Major(ctx)
	if err != nil {
		return err
	}
	if theirs, _, _ := strings.Cut(version, "."); theirs != fmt.Sprint(major) {
		return operations.Failed("WrongVersion", "it is a server of version %s, and this one is of version %d: logical copies cross versions", version, major)
	}
	return nil
}

// assemble makes the data directory of a chain, data in side.
func (u unit) assemble(ctx context.Context, op operations.Op, from source, chain []*backup.Manifest, side string, progress *reporter) error {
	data := filepath.Join(side, "data")
	if len(chain) == 1 || ofWAL(chain[1]) {
		return from.unpackWithWAL(ctx, chain, data, progress)
	}
	args := []string{"--no-sync", "--output=" + data}
	var links []string
	for i, link := range chain {
		dir := filepath.Join(side, fmt.Sprintf("link-%d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := from.unpack(ctx, link, baseFile, dir, progress); err != nil {
			return err
		}
		links = append(links, dir)
	}
	op.Progress("combining the backups", progress.done, progress.total)
	cmd, err := u.tool(ctx, op, nil, "pg_combinebackup", append(args, links...)...)
	if err != nil {
		return err
	}
	if err := pipe.Run(ctx, cmd, nil, nil); err != nil {
		return err
	}
	for _, dir := range links {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
