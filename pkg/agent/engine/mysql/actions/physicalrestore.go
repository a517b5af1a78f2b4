// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// restorePhysical unpacks a full backup alongside the data, replays what continues it,
// and exchanges the two.
func (a restore) restorePhysical(ctx context.Context, op operations.Op, p *operation.Restore, m *backup.Manifest, from source) (map[string]string, error) {
	if p.TargetDatabase != "" || len(p.Databases) > 0 {
		return nil, operations.Failed(operation.ReasonInvalidParameters, "a physical backup is restored whole: targetDatabase and databases are for logical ones")
	}
	chain, err := from.chain(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := a.mayReplace(ctx, p.Overwrite, chain[0].EngineVersion); err != nil {
		return nil, err
	}
	room := roomFor(sizeOf(chain), a.Env.DataMount, "a larger data storage, on which the restored data lies beside the old until it serves")
	return a.replace(ctx, op, room, func(ctx context.Context, data string) (built, error) {
		if err := a.unpack(ctx, op, from, chain[0], data); err != nil {
			return built{}, err
		}
		executed, err := a.ready(ctx, op, data, from, chain[1:])
		if err != nil {
			return built{}, err
		}
		where := m.Location().String()
		return built{
			restored: restored{Backup: where, BackupID: m.ID, GTIDExecuted: executed},
			result:   map[string]string{"gtidExecuted": executed, "message": "restored from " + where},
		}, nil
	})
}

// mayReplace fails unless the data of the unit may be replaced by data of a server of
// that version.
func (u unit) mayReplace(ctx context.Context, overwrite bool, version string) error {
	if err := u.mayReplaceMember(overwrite); err != nil {
		return err
	}
	o, err := u.Engine.Observe(ctx)
	if err != nil {
		if !overwrite {
			return operations.Failed(operation.ReasonServerNotRunning, "the server does not answer, so nobody knows whether there is data: overwrite: \"true\" replaces what there is (%w)", err)
		}
		// The version of its spec is all there is to compare.
		o.Version = u.Env.Version
	} else if !o.Virgin && !overwrite {
		return operations.Failed(operation.ReasonWouldOverwrite, "the unit has data: overwrite: \"true\" replaces it")
	}
	if series(o.Version) != series(version) && version != "" {
		return operations.Failed("WrongVersion", "the data is of MySQL %s, the unit is %s: a unit of that series can take it, and be upgraded", version, o.Version)
	}
	return nil
}

// mayReplaceMember fails on a member of a Replication, empty or not, unless it is meant:
// the others would be made anew.
func (u unit) mayReplaceMember(overwrite bool) error {
	if overwrite {
		return nil
	}
	desired, err := u.Store.Desired()
	if err == nil && desired != nil && desired.OwnerUID != "" {
		err = operations.Failed(operation.ReasonWouldOverwrite, "the unit is a member of a Replication, and this replaces the whole server, for all members: overwrite: \"true\" does")
	}
	return err
}

// series is major.minor.
func series(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

func (u unit) unpack(ctx context.Context, op operations.Op, from source, m *backup.Manifest, data string) error {
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	content, err := from.open(ctx, m, dataFile)
	if err != nil {
		return err
	}
	defer content.Close()
	progress := &reporter{op: op, text: "unpacking the backup", total: fileSize(m, dataFile)}
	if err := readTar(ctx, progress.reading(content), data); err != nil {
		return withReason(err)
	}
	// A server of its own has an identity of its own.
	if err := os.Remove(filepath.Join(data, "auto.cnf")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ready makes data that came from elsewhere fit to serve here, by a server that shows
// that it can: what continues it is replayed, it follows nobody, its accounts are the
// unit's. It returns the GTIDs that the data has.
func (u unit) ready(ctx context.Context, op operations.Op, data string, from source, increments []*backup.Manifest) (string, error) {
	op.Progress("starting a private server on the new data", 0, 0)
	p, err := u.serverOf(ctx, op, beside{data: data}, from, increments)
	if err != nil {
		return "", err
	}
	executed, err := u.settle(ctx, p)
	if err != nil {
		p.kill()
		return "", err
	}
	return executed, p.stop()
}

// serverOf is a private server on data that was unpacked, after it has replayed what
// continues it: that it is the one that has spares a stop and a start.
func (u unit) serverOf(ctx context.Context, op operations.Op, b beside, from source, increments []*backup.Manifest) (*private, error) {
	if len(increments) > 0 {
		return u.replay(ctx, op, b, from, increments)
	}
	return u.startPrivate(ctx, op, b)
}

func (u unit) settle(ctx context.Context, p *private) (string, error) {
	s, err := openSession(ctx, p.engine, false)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := forgetSource(ctx, s); err != nil {
		return "", err
	}
	if err := u.adopt(ctx, p); err != nil {
		return "", fmt.Errorf("making the unit's accounts in the new data: %w", err)
	}
	executed, err := s.value(ctx, "SELECT @@global.gtid_executed")
	return strings.Join(strings.Fields(executed), ""), err
}

// forgetSource removes the channels that the data of a replica has.
func forgetSource(ctx context.Context, s *session) error {
	err := s.exec(ctx, "STOP REPLICA", "RESET REPLICA ALL")
	if number(err) == errParse {
		err = s.exec(ctx, "STOP SLAVE", "RESET SLAVE ALL")
	}
	return err
}
