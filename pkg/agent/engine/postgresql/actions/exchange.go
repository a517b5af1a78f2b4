// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Phases of an exchange of databases.
const (
	// phaseLoad: temporary databases may be there.
	phaseLoad = "load"
	// phaseExchange: they may have taken the place of the old ones.
	phaseExchange = "exchange-databases"
	// phaseDrop: they have, for good.
	phaseDrop = "drop-replaced"
)

// place is one database's way: from a temporary name to its own, and the old one out
// of it.
type place struct {
	Target    string `json:"target"`
	Temporary string `json:"temporary"`
	Old       string `json:"old"`
	// Closed: the new one takes no connections; WasClosed: the old one took none.
	Closed    bool `json:"closed,omitempty"`
	WasClosed bool `json:"wasClosed,omitempty"`
}

// loading is what to load.
type loading struct {
	databases []loaded
	// roles makes the roles that the databases need.
	roles    func(ctx context.Context) error
	progress *reporter
}

type loaded struct {
	database database
	target   string
	load     func(ctx context.Context, temporary string) error
}

// exchangeDatabases loads databases alongside those that are there and exchanges them in
// one transaction.
func (u unit) exchangeDatabases(ctx context.Context, op operations.Op, l loading, overwrite bool) (map[string]string, error) {
	var places []place
	var targets []string
	var size int64
	for i, d := range l.databases {
		size += d.database.SizeOnDisk
		if slices.Contains([]string{"template0", "template1"}, d.target) {
			return nil, operations.Failed(operation.ReasonInvalidParameters, "%s is a template of the server's own", d.target)
		}
		targets = append(targets, d.target)
		places = append(places, place{
			Target: d.target, Temporary: fmt.Sprintf("unit_agent_new_%d", i), Old: fmt.Sprintf("unit_agent_old_%d", i),
		})
	}
	occupied, err := u.occupied(ctx, targets)
	if err != nil {
		return nil, err
	}
	if err := u.findClosed(ctx, places, l.databases); err != nil {
		return nil, err
	}
	if len(occupied) > 0 && !overwrite {
		return nil, operations.Failed(operation.ReasonWouldOverwrite, "the server has %s, with content: overwrite \"true\" replaces it", strings.Join(occupied, ", "))
	}
	if err := u.space(size); err != nil {
		return nil, err
	}
	if err := op.SetPhase(phaseLoad, places); err != nil {
		return nil, err
	}
	if err := u.loadAndExchange(ctx, op, l, places); err != nil {
		if ctx.Err() != nil {
			return nil, err // Abandon cleans up
		}
		if phase, _ := op.Phase(); phase == phaseDrop {
			return u.dropReplaced(ctx, op)
		}
		return nil, withCleanup(err, u.giveUpDatabases(ctx, op))
	}
	return u.dropReplaced(ctx, op)
}

// withCleanup keeps the reason of the failure.
func withCleanup(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return operations.Failed(operations.ReasonOf(err), "%w; and cleaning up failed: %w", err, cleanup)
}

func (u unit) loadAndExchange(ctx context.Context, op operations.Op, l loading, places []place) error {
	conn, err := u.quietSession(ctx, home)
	if err != nil {
		return err
	}
	defer func() { postgresql.Disconnect(ctx, conn) }()
	if err := u.dropAll(ctx, conn, places); err != nil {
		return err
	}
	if err := l.roles(ctx); err != nil {
		return err
	}
	exists, err := roles(ctx, conn)
	if err != nil {
		return err
	}
	for i, d := range l.databases {
		l.progress.text = "restoring database " + d.target
		op.Progress(l.progress.text, l.progress.done, l.progress.total)
		if err := execute(ctx, conn, d.database.createStatement(places[i].Temporary)); err != nil {
			return operations.Failed("DatabaseRefused", "making a database for %s: %w", d.target, err)
		}
		if err := d.load(ctx, places[i].Temporary); err != nil {
			return fmt.Errorf("loading %s: %w", d.target, err)
		}
		if err := execute(ctx, conn, d.database.statements(places[i].Temporary, exists)...); err != nil {
			return operations.Failed("DatabaseRefused", "the properties of %s: %w", d.target, err)
		}
	}
	if err := u.accountsIn(ctx, places); err != nil {
		return err
	}
	if err := dropBroken(ctx, conn, places); err != nil {
		return err
	}
	if err := op.SetPhase(phaseExchange, places); err != nil {
		return err
	}
	op.Progress("exchanging the databases", l.progress.done, l.progress.total)
	// Once clients are let in the only way is forward: that is recorded before.
	release := func() error { return op.SetPhase(phaseDrop, places) }
	if err := u.rename(ctx, places, release, func(p place) [2]string { return [2]string{p.Target, p.Old} }, func(p place) [2]string { return [2]string{p.Temporary, p.Target} }); err != nil {
		return operations.Failed("NotExchanged", "the restored databases could not take their places: %w", err)
	}
	return nil
}

// accountsIn gives the unit's accounts what they are granted in a database postgres
// that takes the place of the old one.
func (u unit) accountsIn(ctx context.Context, places []place) error {
	i := slices.IndexFunc(places, func(p place) bool { return p.Target == "postgres" })
	if i < 0 {
		return nil
	}
	accounts, err := u.accounts()
	if err != nil {
		return err
	}
	conn, err := u.session(ctx, places[i].Temporary)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	return postgresql.EnsureAccountsOn(ctx, conn, accounts)
}

// rename databases in one transaction, from a database that none of them is. Nobody may
// be connected to any of them; those that must move get no new connections meanwhile.
func (u unit) rename(ctx context.Context, places []place, release func() error, steps ...func(place) [2]string) error {
	// Half way there is nothing to stop at, and templates must be free again soon.
	ctx = context.WithoutCancel(ctx)
	conn, err := u.quietSession(ctx, "template1")
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	existing, err := list(ctx, conn, "SELECT datname::text FROM pg_database")
	if err != nil {
		return err
	}
	var moves [][2]string
	for _, step := range steps {
		for _, p := range places {
			move := step(p)
			if i := slices.Index(existing, move[0]); i >= 0 {
				existing[i] = move[1]
				moves = append(moves, move)
			}
		}
	}
	var names []string
	for _, m := range moves {
		names = append(names, m[0])
	}
	before := connectionsIn(places, moves, false)
	if err := allowConnections(ctx, conn, names, func(string) bool { return false }); err != nil {
		return errors.Join(err, allowConnections(ctx, conn, names, before))
	}
	if err := u.move(ctx, conn, moves, names); err != nil {
		return errors.Join(err, allowConnections(ctx, conn, names, before))
	}
	if err := release(); err != nil {
		return err
	}
	// The new names of what was moved may be met again.
	names = nil
	for _, m := range moves {
		names = append(names, m[1])
	}
	return allowConnections(ctx, conn, names, connectionsIn(places, moves, true))
}

// connectionsIn says which databases take connections, before their moves or after.
func connectionsIn(places []place, moves [][2]string, after bool) func(name string) bool {
	closed := map[string]bool{}
	// By the names that they have when they are all alongside each other.
	for _, p := range places {
		closed[p.Temporary], closed[p.Old] = p.Closed, p.WasClosed
	}
	returning := slices.ContainsFunc(places, func(p place) bool {
		return slices.ContainsFunc(moves, func(m [2]string) bool { return m[0] == p.Old })
	})
	for _, p := range places {
		// In the place is the old one before an exchange and after one back.
		if closed[p.Target] = p.Closed; after == returning {
			closed[p.Target] = p.WasClosed
		}
	}
	return func(name string) bool { return !closed[name] }
}

func allowConnections(ctx context.Context, conn *pgx.Conn, names []string, allowed func(name string) bool) error {
	for _, name := range names {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
			return err
		}
		if exists {
			if err := execute(ctx, conn, fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", postgresql.Identifier(name), allowed(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

// findClosed notes which databases take no connections, of those that are there and of
// those that replace them.
func (u unit) findClosed(ctx context.Context, places []place, databases []loaded) error {
	conn, err := u.session(ctx, home)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	closed, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE NOT datallowconn")
	if err != nil {
		return err
	}
	for i := range places {
		places[i].Closed, places[i].WasClosed = databases[i].database.Closed, slices.Contains(closed, places[i].Target)
	}
	return nil
}

// dropBroken removes targets that are half dropped already: they can be neither renamed
// nor opened.
func dropBroken(ctx context.Context, conn *pgx.Conn, places []place) error {
	broken, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE datconnlimit = -2")
	if err != nil {
		return err
	}
	for _, p := range places {
		if slices.Contains(broken, p.Target) {
			if err := execute(ctx, conn, "DROP DATABASE "+postgresql.Identifier(p.Target)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u unit) move(ctx context.Context, conn *pgx.Conn, moves [][2]string, names []string) error {
	// The server waits for what it terminates when it renames.
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1)", names); err != nil {
		return err
	}
	statements := []string{"BEGIN"}
	for _, m := range moves {
		statements = append(statements, "ALTER DATABASE "+postgresql.Identifier(m[0])+" RENAME TO "+postgresql.Identifier(m[1]))
	}
	if err := execute(ctx, conn, append(statements, "COMMIT")...); err != nil {
		return errors.Join(err, execute(ctx, conn, "ROLLBACK"))
	}
	return nil
}

// dropAll removes what the temporary and old names mean.
func (u unit) dropAll(ctx context.Context, conn *pgx.Conn, places []place) error {
	templates, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE datistemplate AND datconnlimit <> -2")
	if err != nil {
		return err
	}
	for _, p := range places {
		for _, name := range []string{p.Temporary, p.Old} {
			if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
				return err
			}
			if slices.Contains(templates, name) {
				if err := execute(ctx, conn, "ALTER DATABASE "+postgresql.Identifier(name)+" IS_TEMPLATE false"); err != nil {
					return err
				}
			}
			if err := u.dropSubscriptions(ctx, conn, name); err != nil {
				return err
			}
			if err := execute(ctx, conn, "DROP DATABASE IF EXISTS "+postgresql.Identifier(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropSubscriptions of a database, with which it cannot be dropped. Their slots at the
// publisher stay: those in the database that took its place have the same.
func (u unit) dropSubscriptions(ctx context.Context, conn *pgx.Conn, database string) error {
	names, err := list(ctx, conn, "SELECT subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = $1 ORDER BY 1", database)
	if err != nil || len(names) == 0 {
		return err
	}
	if err := execute(ctx, conn, "ALTER DATABASE "+postgresql.Identifier(database)+" ALLOW_CONNECTIONS true"); err != nil {
		return err
	}
	inside, err := u.session(ctx, database)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, inside)
	for _, name := range names {
		subscription := "SUBSCRIPTION " + postgresql.Identifier(name)
		if err := execute(ctx, inside, "ALTER "+subscription+" DISABLE", "ALTER "+subscription+" SET (slot_name = NONE)", "DROP "+subscription); err != nil {
			return err
		}
	}
	return nil
}

func readPlaces(op operations.Op) ([]place, error) {
	_, raw := op.Phase()
	var places []place
	err := json.Unmarshal(raw, &places)
	return places, err
}

// dropReplaced removes the databases that others have replaced.
func (u unit) dropReplaced(ctx context.Context, op operations.Op) (map[string]string, error) {
	ctx = context.WithoutCancel(ctx)
	places, err := readPlaces(op)
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, p := range places {
		targets = append(targets, p.Target)
	}
	result := map[string]string{"databases": strings.Join(targets, ", ")}
	conn, err := u.awaitSession(ctx, "template1")
	if err == nil {
		// The agent may have ended before it let clients in.
		closed := map[string]bool{}
		for _, p := range places {
			closed[p.Target] = p.Closed
		}
		if err := allowConnections(ctx, conn, targets, func(name string) bool { return !closed[name] }); err != nil {
			postgresql.Disconnect(ctx, conn)
			return nil, err
		}
		err = u.dropAll(ctx, conn, places)
		postgresql.Disconnect(ctx, conn)
	}
	if err != nil {
		// The restored databases serve: that is the outcome.
		result["message"] = "; what they replaced is still there as unit_agent_old_<n>: " + err.Error()
	}
	return result, nil
}

// giveUpDatabases goes back to what was before: the old databases in their places,
// nothing alongside them.
func (u unit) giveUpDatabases(ctx context.Context, op operations.Op) error {
	places, err := readPlaces(op)
	if err != nil {
		return err
	}
	if phase, _ := op.Phase(); phase == phaseExchange {
		conn, err := u.awaitSession(ctx, "template1")
		if err != nil {
			return err
		}
		existing, err := list(ctx, conn, "SELECT datname::text FROM pg_database")
		postgresql.Disconnect(ctx, conn)
		if err != nil {
			return err
		}
		// The exchange was one transaction: if one old name is there, or one
		// temporary name is not, it has happened.
		if slices.ContainsFunc(places, func(p place) bool { return !slices.Contains(existing, p.Temporary) }) {
			err = u.rename(ctx, places, func() error { return nil }, func(p place) [2]string { return [2]string{p.Target, p.Temporary} }, func(p place) [2]string { return [2]string{p.Old, p.Target} })
		} else {
			// Only the connections may be forbidden still.
			err = u.reopen(ctx, places)
		}
		if err != nil {
			return err
		}
	}
	conn, err := u.awaitSession(ctx, home)
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	return u.dropAll(ctx, conn, places)
}

func (u unit) reopen(ctx context.Context, places []place) error {
	conn, err := u.session(ctx, "template1")
	if err != nil {
		return err
	}
	defer postgresql.Disconnect(ctx, conn)
	for _, p := range places {
		err := execute(ctx, conn, fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", postgresql.Identifier(p.Target), !p.WasClosed))
		if err != nil && !strings.Contains(err.Error(), "3D000") {
			return err
		}
	}
	return nil
}
