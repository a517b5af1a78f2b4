// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/pipe"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// phaseReplay: a server alongside is made what the backup says. The running one has not
// been touched.
const phaseReplay = "replay"

// freshServer is what the files of a server take that has no databases yet: redo and
// undo logs, its dictionary.
const freshServer = 256 << 20

// restoreReplayed brings back a dump as the binary logs since have changed it. On the
// running server the logs would meet other data, so a fresh server is made alongside it
// that takes the dump and replays them, and it is that server's dump which the running
// one gets: from there on it is a logical restore like any other.
func (a restore) restoreReplayed(ctx context.Context, op operations.Op, p *operation.Restore, m *backup.Manifest, from source) (map[string]string, error) {
	chain, err := from.chain(ctx, m)
	if err != nil {
		return nil, err
	}
	// The databases of the manifest may differ by what came and went in that moment;
	// the plan that counts is made of those that are there after the replay.
	plan, err := planLogical(m, p)
	if err != nil {
		return nil, err
	}
	if err := a.mayLoad(ctx, plan, p.Overwrite); err != nil {
		return nil, err
	}
	// Binary logs lie there alongside what they change.
	r := roomFor(freshServer+chain[0].Size()+2*sizeOf(chain[1:]), a.Env.DataMount, "a larger data storage, on which the binary logs are replayed beside the data")
	if err := r.Check(); err != nil {
		return nil, err
	}
	if err := op.SetPhase(phaseReplay, nil); err != nil {
		return nil, err
	}
	result, err := a.throughScratch(ctx, op, p, chain, from, r)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if cleared := a.clearSide(); cleared != nil && err == nil {
		// The next operation removes it.
		result["message"] += "; the server that replayed it lies beside still: " + cleared.Error()
	} else {
		err = errors.Join(err, cleared)
	}
	return result, err
}

func (a restore) throughScratch(ctx context.Context, op operations.Op, p *operation.Restore, chain []*backup.Manifest, from source, r room) (map[string]string, error) {
	b := beside{data: a.sideData(), scratch: true}
	if err := r.Watched(ctx, func(ctx context.Context) error {
		if err := a.clearSide(); err != nil {
			return err
		}
		p, err := a.scratchOf(ctx, op, b, chain, from)
		if err != nil {
			return err
		}
		return p.stop()
	}); err != nil {
		return nil, err
	}
	return a.loadFromScratch(ctx, op, b, p, chain[len(chain)-1])
}

// scratchOf a chain of logical backups is a server that holds what they do.
func (u unit) scratchOf(ctx context.Context, op operations.Op, b beside, chain []*backup.Manifest, from source) (*private, error) {
	if err := u.makeScratch(ctx, op, b); err != nil {
		return nil, err
	}
	p, err := u.loadScratch(ctx, op, b, chain[0], from)
	if err != nil || len(chain) == 1 {
		return p, err
	}
	if err := p.stop(); err != nil {
		return nil, err
	}
	return u.applyLogs(ctx, op, b, from, chain[1:])
}

// makeScratch initialises an empty server.
func (u unit) makeScratch(ctx context.Context, op operations.Op, b beside) error {
	op.Progress("making a server beside", 0, 0)
	if err := os.MkdirAll(b.tmp(), 0o700); err != nil {
		return err
	}
	mysqld, err := u.Env.Program("mysqld")
	if err != nil {
		return operations.Failed("ToolMissing", "%w", err)
	}
	args, err := u.server().InitializeArgs(ctx, mysqld, b.data, b.tmp())
	if err != nil {
		return err
	}
	return pipe.Run(ctx, operations.Command(ctx, op, mysqld, args...), nil, nil)
}

// loadScratch loads a dump, whose transactions then count as executed: the applier
// skips them. It returns the server that has it.
func (u unit) loadScratch(ctx context.Context, op operations.Op, b beside, full *backup.Manifest, from source) (*private, error) {
	p, err := u.startPrivate(ctx, op, b, replayArgs...)
	if err != nil {
		return nil, err
	}
	if err := doPrivate(ctx, p, func(s *session) error {
		on := u.on(p)
		if err := u.copyTimeZones(ctx, op, on); err != nil {
			return err
		}
		plan, err := planLogical(full, &operation.Restore{})
		if err != nil {
			return err
		}
		l := load{unit: on, plan: plan, dump: from.dump(full), total: fileSize(full, dumpFile), begun: begun{Databases: divide(plan, nil)}}
		if err = l.stream(ctx, op); err == nil {
			err = (&programs{names: l.targets(), final: true}).run(ctx, on, false)
		}
		if err = errors.Join(err, on.clearLoad()); err != nil {
			reason := operations.ReasonOf(err)
			if reason == operations.ReasonFailed {
				reason = "ReplayFailed"
			}
			return operations.Failed(reason, "the dump cannot be loaded into a server beside: %w", err)
		}
		if full.GTIDExecuted != "" {
			if err := s.exec(ctx, "SET GLOBAL gtid_purged = "+mysql.Literal(full.GTIDExecuted)); err != nil {
				return err
			}
		}
		return openChannel(ctx, s)
	}); err != nil {
		return nil, err
	}
	return p, nil
}

// loadFromScratch copies the databases that are wanted from the server alongside to the
// running one. Nothing was changed there before.
func (a restore) loadFromScratch(ctx context.Context, op operations.Op, b beside, p *operation.Restore, m *backup.Manifest) (map[string]string, error) {
	private, err := a.startPrivate(ctx, op, b)
	if err != nil {
		return nil, err
	}
	defer private.kill()
	plan, err := planScratch(ctx, private, p)
	if err != nil {
		return nil, err
	}
	on := a.on(private)
	cmd, err := on.tool(ctx, op, "mysqldump", append(on.local(), dumpArgs{databases: plan.sources()}.arguments()...)...)
	if err != nil {
		return nil, err
	}
	l := loadOf(a.unit, plan, m)
	l.dump = func(ctx context.Context, to io.Writer) error { return pipe.Run(ctx, cmd, nil, to) }
	return l.run(ctx, op, p.Overwrite)
}

// planScratch decides by what the server alongside has.
func planScratch(ctx context.Context, private *private, p *operation.Restore) (logicalPlan, error) {
	s, err := openSession(ctx, private.engine, false)
	if err != nil {
		return logicalPlan{}, err
	}
	defer s.close()
	held, err := databases(ctx, s, nil)
	if err != nil {
		return logicalPlan{}, err
	}
	if len(held) == 0 {
		return logicalPlan{}, operations.Failed("NothingToRestore", "the backup ends with no database at all")
	}
	folded, err := foldsNames(ctx, s)
	if err != nil {
		return logicalPlan{}, err
	}
	wanted := *p
	if folded {
		wanted.Databases = slices.Clone(p.Databases)
		for i, name := range wanted.Databases {
			wanted.Databases[i] = strings.ToLower(name)
		}
	}
	return planOf(held, true, &wanted)
}

// on is the unit as if the private server were its own.
func (u unit) on(p *private) unit {
	u.Engine = p.engine
	return u
}

// timeZones are the tables of named time zones.
var timeZones = []string{"time_zone", "time_zone_leap_second", "time_zone_name", "time_zone_transition", "time_zone_transition_type"}

// copyTimeZones to another server: statements and events that name one fail without.
func (u unit) copyTimeZones(ctx context.Context, op operations.Op, to unit) error {
	s, err := u.session(ctx, false)
	if operations.ReasonOf(err) == operation.ReasonServerNotRunning {
		// A backup is verified where no server is.
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close()
	if n, err := s.value(ctx, "SELECT COUNT(*) FROM mysql.time_zone_name"); err != nil || n == "0" {
		return err
	}
	dump, err := u.tool(ctx, op, "mysqldump", append(append(u.local(), "--single-transaction", "--skip-lock-tables", "--skip-add-locks",
		"--set-gtid-purged=OFF", "--no-tablespaces", "--no-create-info", "mysql"), timeZones...)...)
	if err != nil {
		return err
	}
	client, err := to.tool(ctx, op, "mysql", append(to.local(), "--binary-mode", "mysql")...)
	if err != nil {
		return err
	}
	return runInto(
		func(out io.Writer) error { return pipe.Run(ctx, dump, nil, out) },
		func(in io.Reader) error { return pipe.Run(ctx, client, in, nil) },
	)
}
