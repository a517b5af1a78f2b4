// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// dataFile of a physical backup: a tar of a data directory.
const dataFile = "data.tar"

// copyDir is the side directory of a physical backup.
const copyDir = "backup"

// physicalBackup copies the data directory, or the binary logs since the last one.
type physicalBackup struct{ unit }

// Run implements operations.Action.
func (a physicalBackup) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.PhysicalBackup](op)
	if err != nil {
		return nil, err
	}
	d := destination{
		address: p.Destination, compression: p.Compression, encryption: p.Encryption, retention: p.Retention,
		kind: backup.Physical, backupType: p.BackupType, parallel: p.Parallel,
	}
	store, location, err := open(ctx, op, d.address)
	if err != nil {
		return nil, err
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := d.begin(ctx, op, s, p.Verify, summing{kind: d.kind}); err != nil {
		return nil, err
	}
	if p.BackupType == operation.Incremental {
		return a.incremental(ctx, op, s, store, location, d)
	}
	return a.full(ctx, op, s, store, location, d)
}

// Abandon implements operations.Abandoner. What lies in the store the next backup
// removes.
func (a physicalBackup) Abandon(ctx context.Context, op operations.Op) error {
	if err := a.endClones(ctx); err != nil {
		return err
	}
	return errors.Join(a.clearCopy(), a.clearVerify(op))
}

func (a physicalBackup) full(ctx context.Context, op operations.Op, s *session, store backup.Store, location backup.Location, d destination) (_ map[string]string, err error) {
	if err := clonePlugin(ctx, s); err != nil {
		return nil, err
	}
	if err := cloneable(ctx, s); err != nil {
		return nil, err
	}
	if err := a.endClones(ctx); err != nil {
		return nil, err
	}
	if err := a.clearCopy(); err != nil {
		return nil, err
	}
	side, instead := a.copyPlace()
	size, err := dataSize(a.Env.DataDir())
	if err != nil {
		return nil, err
	}
	room := roomFor(size, filepath.Dir(filepath.Dir(side)), instead)
	if err := room.Check(); err != nil {
		return nil, err
	}
	w, err := a.create(ctx, op, store, location, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }()
	if err := describe(ctx, s, &w.Meta); err != nil {
		return nil, err
	}
	emptied, err := emptiedTables(ctx, s)
	if err != nil {
		return nil, err
	}
	recordLeftOut(&w.Meta, emptied)
	w.Meta.Tool = "CLONE LOCAL"
	defer func() { err = errors.Join(err, a.clearCopy()) }()
	into := filepath.Join(side, "data")
	if err := a.cloneLocal(ctx, op, s, into, room, d.parallel); err != nil {
		return nil, room.Filled(err)
	}
	if err := file(w, dataFile, func(to io.Writer) error {
		total, err := treeSize(into)
		if err != nil {
			return err
		}
		return writeTar(ctx, io.MultiWriter(to, &reporter{op: op, text: "storing the data", total: total}), into)
	}); err != nil {
		return nil, err
	}
	// What is restored to verify the backup needs the room.
	if err := a.clearCopy(); err != nil {
		return nil, err
	}
	result, err := a.commit(ctx, op, s, store, w, d)
	if err == nil && w.Meta.GTIDExecuted != "" {
		result["gtidExecuted"] = w.Meta.GTIDExecuted
	}
	return result, err
}

// describe the server in the manifest. The set of GTIDs is read before the copy
// begins: the copy has at least these, and an incremental backup continues from them.
func describe(ctx context.Context, s *session, m *backup.Meta) error {
	rows, err := s.rows(ctx, "SELECT @@global.version AS version, @@global.server_uuid AS id, @@global.gtid_executed AS gtids")
	if err != nil {
		return err
	}
	r := rows[0].byName
	m.EngineVersion, _, _ = strings.Cut(r["version"], "-")
	m.SystemID, m.GTIDExecuted = r["id"], strings.Join(strings.Fields(r["gtids"]), "")
	return nil
}

// copyPlace is where the copy is made: on a storage named backup if the unit has one,
// else alongside the data.
func (a physicalBackup) copyPlace() (side, instead string) {
	if mount := a.Env.Lookup("BACKUP_MOUNT"); mount != "" {
		return filepath.Join(mount, ".unit-agent", copyDir), "the storage named backup is to be larger"
	}
	return a.Env.SideDir(copyDir), "a larger data storage, a storage named backup, or logical-backup, which needs none"
}

func (a physicalBackup) clearCopy() error {
	side, _ := a.copyPlace()
	for _, dir := range []string{side, a.Env.SideDir(copyDir)} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing the copy: %w", err)
		}
	}
	return nil
}

func treeSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// writeTar writes a directory and removes each of its files once it is written.
func writeTar(ctx context.Context, to io.Writer, dir string) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
		switch {
		case entry.IsDir():
			header.Typeflag, header.Name = tar.TypeDir, name+"/"
			return w.WriteHeader(header)
		case entry.Type().IsRegular():
			header.Typeflag, header.Size = tar.TypeReg, info.Size()
		default:
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// readTar makes a directory of a tar. Names that lead out of it are refused.
func readTar(ctx context.Context, from io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r := tar.NewReader(from)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end of the tar is read too: the sum is known at the
			// end of the file.
			_, err := io.Copy(io.Discard, from)
			return err
		}
		if errors.Is(err, tar.ErrHeader) {
			// Most often it is not what was stored, and the sum says so.
			if _, err := io.Copy(io.Discard, from); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if err := extract(root, r, header); err != nil {
			return fmt.Errorf("unpacking %s: %w", header.Name, err)
		}
	}
}

func extract(root *os.Root, r io.Reader, header *tar.Header) error {
	switch header.Typeflag {
	case tar.TypeDir:
		err := root.Mkdir(strings.TrimSuffix(header.Name, "/"), 0o700)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	case tar.TypeReg:
	default:
		return errors.New("neither a file nor a directory")
	}
	f, err := root.OpenFile(header.Name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, fs.FileMode(header.Mode)&0o700|0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
