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
	if err := a.sameMajor(ctx, m.EngineVersion); err != nil {
		return nil, err
	}
	chain, err := backup.Chain(ctx, from.store, m)
	if err != nil {
		return nil, withReason(err)
	}
	until, err := endOf(chain)
	if err != nil {
		return nil, err
	}
	var size int64
	for _, link := range chain {
		if err := errors.Join(link.CheckEncrypted(from.encrypted), link.CheckKey(from.key)); err != nil {
			return nil, withReason(err)
		}
		size += link.Size()
	}
	need := size
	switch {
	case len(chain) == 1:
	case ofWAL(m):
		// What the WAL changes may be as much as the WAL.
		need += size - chain[0].Size()
	default:
		// The links and what is made of them lie side by side.
		need += chain[0].Size()
	}
	result, err := a.replaceServer(ctx, op, replacement{
		overwrite: p.Overwrite, need: need + need/10, until: until,
		build: func(ctx context.Context) error {
			return a.assemble(ctx, op, from, chain, &reporter{op: op, text: "unpacking the backup", total: size})
		},
	})
	if err != nil {
		return nil, err
	}
	result["source"] = m.Location().String()
	result["message"] = "restored from " + m.Location().String() + result["message"]
	return result, nil
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

// assemble makes the data directory of a chain.
func (a restore) assemble(ctx context.Context, op operations.Op, from source, chain []*backup.Manifest, progress *reporter) error {
	if len(chain) == 1 || ofWAL(chain[1]) {
		return from.unpackWithWAL(ctx, chain, a.sideData(), progress)
	}
	args := []string{"--no-sync", "--output=" + a.sideData()}
	var links []string
	for i, link := range chain {
		dir := filepath.Join(a.sideDir(), fmt.Sprintf("link-%d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := from.unpack(ctx, link, baseFile, dir, progress); err != nil {
			return err
		}
		links = append(links, dir)
	}
	op.Progress("combining the backups", progress.done, progress.total)
	cmd, err := a.tool(ctx, op, nil, "pg_combinebackup", append(args, links...)...)
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
