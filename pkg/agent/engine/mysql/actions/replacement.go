// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// markerTable lies among the tables that are loaded, and goes with them when they take
// their places: where it is, there the replacement is.
const markerTable = "unit_agent_marker"

// replacement is how far it is.
type replacement int

const (
	pending replacement = iota
	replaced
	tidied
)

// markReplacement makes the marker, last before the phase in which it counts.
func (u unit) markReplacement(ctx context.Context, b begun) error {
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	for _, d := range b.replaced() {
		if err := s.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+mysql.Identifier(d.Old)); err != nil {
			return err
		}
	}
	return s.exec(ctx, "CREATE TABLE "+tableName(b.replaced()[0].Into, markerTable)+" (i INT PRIMARY KEY)")
}

func (u unit) replacementOf(ctx context.Context, b begun) (replacement, error) {
	s, err := u.session(ctx, false)
	if err != nil {
		return pending, err
	}
	defer s.close()
	d := b.replaced()[0]
	in, err := s.column(ctx, "SELECT table_schema FROM information_schema.tables WHERE table_name = ? AND table_schema IN (?, ?)", markerTable, d.Into, d.Old)
	switch {
	case err != nil:
		return pending, err
	case len(in) == 0:
		return tidied, nil
	case in[0] == d.Old:
		return replaced, nil
	}
	return pending, nil
}

// isReplaced says whether the tables that were loaded are in their places.
func (u unit) isReplaced(ctx context.Context, b begun) (bool, error) {
	if err := u.awaitServer(ctx); err != nil {
		return false, err
	}
	r, err := u.replacementOf(ctx, b)
	return r != pending, err
}

// serverLosses are how often a replacement begins anew after the server was lost.
const serverLosses = 5

// replaceDatabases puts the tables that were loaded in the places of the old ones. It
// begins anew where it was interrupted.
func (u unit) replaceDatabases(ctx context.Context, op operations.Op) (map[string]string, error) {
	b, err := readBegun(op)
	if err != nil {
		return nil, err
	}
	for losses := 0; ; losses++ {
		if err := u.awaitServer(ctx); err != nil {
			return nil, err
		}
		err := u.tryReplace(ctx, op, b)
		if err == nil {
			return b.Result, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if serverLost(err) && losses < serverLosses {
			continue
		}
		if done, doneErr := u.isReplaced(ctx, b); doneErr != nil || done {
			// Forward only: the new tables may have been written to.
			return nil, fmt.Errorf("the restored tables are in their places, what else the backup has of %s may be missing: %w", b.Result["databases"], err)
		}
		back := u.putBack(ctx, b)
		if back == nil {
			back = u.giveUp(ctx, b)
		}
		return nil, withCleanup(err, back)
	}
}

func (u unit) tryReplace(ctx context.Context, op operations.Op, b begun) error {
	state, err := u.replacementOf(ctx, b)
	if err != nil {
		return err
	}
	if state == pending {
		op.Progress("exchanging the tables of "+b.Result["databases"], 0, 0)
		if err := u.exchangeTables(ctx, b); err != nil {
			return err
		}
	}
	if state == tidied {
		return u.loaded(ctx, b, nil)
	}
	op.Progress("making what goes with the tables of "+b.Result["databases"], 0, 0)
	left, err := u.completeReplacement(ctx, b)
	if err != nil {
		return err
	}
	return u.loaded(ctx, b, left)
}

// exchangeTables in one statement, under locks on all of them.
func (u unit) exchangeTables(ctx context.Context, b begun) error {
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	var databases []string
	for _, d := range b.replaced() {
		databases = append(databases, d.Target, d.Into)
	}
	for _, c := range b.Children {
		databases = append(databases, c.Schema)
	}
	for {
		moves, err := movesOf(ctx, s, b)
		if err != nil {
			return err
		}
		inTheWay, err := u.inTheWay(ctx, s, b, moves)
		if err != nil {
			return err
		}
		for _, o := range inTheWay {
			if o.Kind != kindView {
				continue
			}
			if err := s.exec(ctx, o.dropStatement()); err != nil {
				return err
			}
		}
		if err := u.insist(ctx, s, databases, func() error { return s.exec(ctx, lockStatement(moves, b.Children)) }, b.tellEnded); err != nil {
			return fmt.Errorf("locking the tables that are replaced: %w", err)
		}
		// Somebody may have made a table in between, which is to go with the others.
		again, err := movesOf(ctx, s, b)
		if err != nil {
			return err
		}
		if !slices.Equal(moves, again) {
			if err := s.exec(ctx, "UNLOCK TABLES"); err != nil {
				return err
			}
			continue
		}
		for _, o := range inTheWay {
			if o.Kind != kindTrigger {
				continue
			}
			if err := s.exec(ctx, o.dropStatement()); err != nil {
				return err
			}
		}
		if err := s.exec(ctx, renameStatement(moves)); err != nil {
			return fmt.Errorf("exchanging the tables: %w", err)
		}
		return s.exec(ctx, "UNLOCK TABLES")
	}
}

// tellEnded notes whose session was ended for a lock.
func (b begun) tellEnded(who string) {
	b.Result["message"] += "; the session of " + who + " was ended for a lock that it held"
}

// move of a table to another database.
type move struct{ from, to, table string }

// movesOf the tables, the old ones first, whose places the others take.
func movesOf(ctx context.Context, s *session, b begun) ([]move, error) {
	var old, loaded []move
	for _, d := range b.replaced() {
		in := func(database string) ([]string, error) {
			return s.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY 1", database)
		}
		there, err := in(d.Target)
		if err != nil {
			return nil, err
		}
		beside, err := in(d.Into)
		if err != nil {
			return nil, err
		}
		for _, table := range there {
			if b.Whole || slices.Contains(beside, table) {
				old = append(old, move{d.Target, d.Old, table})
			}
		}
		for _, table := range beside {
			to := d.Target
			if table == markerTable {
				to = d.Old
			}
			loaded = append(loaded, move{d.Into, to, table})
		}
	}
	return append(old, loaded...), nil
}

func lockStatement(moves []move, children []foreignKey) string {
	var tables []string
	for _, m := range moves {
		tables = append(tables, tableName(m.from, m.table)+" WRITE")
	}
	for _, c := range children {
		if t := tableName(c.Schema, c.Table) + " WRITE"; !slices.Contains(tables, t) {
			tables = append(tables, t)
		}
	}
	return "LOCK TABLES " + strings.Join(tables, ", ")
}

func renameStatement(moves []move) string {
	var steps []string
	for _, m := range moves {
		steps = append(steps, tableName(m.from, m.table)+" TO "+tableName(m.to, m.table))
	}
	return "RENAME TABLE " + strings.Join(steps, ", ")
}

func tableName(database, table string) string {
	return mysql.Identifier(database) + "." + mysql.Identifier(table)
}

// completeReplacement makes what goes with the tables. All of it may be done again.
func (u unit) completeReplacement(ctx context.Context, b begun) (left []string, err error) {
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, c := range b.Children {
		refused, err := c.rejoin(ctx, u, s)
		if err != nil {
			return nil, err
		}
		if refused != "" {
			left = append(left, refused)
		}
	}
	for _, d := range b.replaced() {
		if err := alterLike(ctx, s, d); err != nil {
			return nil, err
		}
		if b.Whole {
			if err := u.dropPrograms(ctx, s, d.Target); err != nil {
				return nil, err
			}
		}
	}
	p := &programs{names: b.targets(), final: true}
	if err := p.run(ctx, u, b.Restored.Logged); err != nil {
		return nil, err
	}
	return append(left, p.notMade()...), nil
}

// alterLike gives a database the character set of the one that its tables came from,
// which is the backup's.
func alterLike(ctx context.Context, s *session, d loading) error {
	rows, err := s.rows(ctx, "SELECT default_character_set_name AS c, default_collation_name AS o FROM information_schema.schemata WHERE schema_name = ?", d.Into)
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.exec(ctx, "ALTER DATABASE "+mysql.Identifier(d.Target)+" CHARACTER SET "+rows[0].byName["c"]+" COLLATE "+rows[0].byName["o"])
}
