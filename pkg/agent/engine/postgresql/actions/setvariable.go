// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// setVariable sets variables of the running server, and for its next starts.
type setVariable struct{ unit }

type assignment struct {
	setting
	value     string
	statement string
	// undo puts back what ALTER SYSTEM had set before.
	undo string
	// has is true of a variable nobody can set that has the value already.
	has bool
}

const noneChanged = "no variable is changed"

// Run implements operations.Action.
func (a setVariable) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.SetVariable](op)
	if err != nil {
		return nil, err
	}
	conn, err := a.session(ctx, home)
	if err != nil {
		return nil, err
	}
	defer postgresql.Disconnect(ctx, conn)
	assignments, err := assign(ctx, conn, p.Variables)
	if err != nil {
		return nil, err
	}
	op.Progress("setting variables", 0, 0)
	// A cancelled operation leaves all or none.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	// Values may be passwords.
	if err := execute(ctx, conn, "SET log_statement = 'none'", "SET log_min_error_statement = 'panic'", "SET log_min_duration_statement = -1", "SET track_activities = off"); err != nil {
		return nil, err
	}
	if err := alterAll(ctx, conn, assignments); err != nil {
		return nil, err
	}
	if err := reload(ctx, conn); err != nil {
		return nil, err
	}
	return report(ctx, conn, assignments)
}

// assign looks the variables up; nothing is changed yet.
func assign(ctx context.Context, conn *pgx.Conn, variables map[string]operation.Value) ([]*assignment, error) {
	before, err := altered(ctx, conn)
	if err != nil {
		return nil, err
	}
	var out []*assignment
	for _, given := range slices.Sorted(maps.Keys(variables)) {
		name := strings.ToLower(given)
		if operation.OwnedVariable(operation.PostgreSQL, name) {
			return nil, operations.Failed("OwnedVariable", "%s belongs to the operator and cannot be set; %s", name, noneChanged)
		}
		a := &assignment{}
		row := conn.QueryRow(ctx, "SELECT name, vartype, coalesce(unit, ''), coalesce(enumvals, '{}'), context, coalesce(setting, '') FROM pg_settings WHERE lower(name) = $1", name)
		err := row.Scan(&a.name, &a.kind, &a.unit, &a.enum, &a.context, &a.current)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, operations.Failed("UnknownVariable", "the server has no variable %s; %s", name, noneChanged)
		}
		if err != nil {
			return nil, err
		}
		a.value = text(variables[given], a.setting)
		if err := loadable(ctx, conn, a.name, a.value); err != nil {
			return nil, err
		}
		if a.context == "internal" {
			if !strings.EqualFold(a.value, a.current) {
				return nil, operations.Failed("ReadOnlyVariable", "%s cannot be set and has another value; %s", a.name, noneChanged)
			}
			a.has = true
		} else if a.statement, err = alter(a.name, a.value); err != nil {
			return nil, operations.Failed("Refused", "the value of %s: %w; %s", a.name, err, noneChanged)
		}
		a.undo = reset(a.name)
		if old, ok := before[strings.ToLower(a.name)]; ok {
			if a.undo, err = alter(a.name, old); err != nil {
				return nil, fmt.Errorf("the value that ALTER SYSTEM has set for %s before: %w", a.name, err)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// altered is what ALTER SYSTEM has set so far.
func altered(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	rows, err := conn.Query(ctx, `SELECT name, coalesce(setting, '') FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' AND name IS NOT NULL ORDER BY seqno`)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		out[strings.ToLower(name)] = value
		return nil
	})
	return out, err
}

// alterAll sets them all or none: ALTER SYSTEM takes part in no transaction, and
// checks the value of each when it is its turn.
func alterAll(ctx context.Context, conn *pgx.Conn, assignments []*assignment) error {
	for i, a := range assignments {
		if a.has {
			continue
		}
		err := execute(ctx, conn, a.statement)
		if err == nil {
			continue
		}
		for _, done := range assignments[:i] {
			if !done.has {
				if err := execute(ctx, conn, done.undo); err != nil {
					return fmt.Errorf("taking %s back: %w", done.name, err)
				}
			}
		}
		refused, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			return err
		}
		message := refused.Message
		if refused.Hint != "" {
			message += " (" + refused.Hint + ")"
		}
		var secrets []string
		if confidential(a.name) {
			secrets = []string{a.value}
		}
		return operations.Failed("Refused", "the server refuses the value of %s: %s; %s", a.name, child.Redact(message, secrets...), noneChanged)
	}
	return nil
}

// confidential is true of variables whose values may hold a password.
func confidential(name string) bool {
	for _, word := range []string{"password", "secret", "conninfo", "command", "passphrase"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// reload lets the server read its configuration and waits until this session has.
func reload(ctx context.Context, conn *pgx.Conn) error {
	// As a number: the way to write a time may be what is set.
	const loaded = "SELECT extract(epoch FROM pg_conf_load_time())::text"
	var before string
	if err := conn.QueryRow(ctx, loaded).Scan(&before); err != nil {
		return err
	}
	if err := execute(ctx, conn, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	for {
		var now string
		if err := conn.QueryRow(ctx, loaded).Scan(&now); err != nil {
			return err
		}
		if now != before {
			return nil
		}
		select {
		case <-ctx.Done():
			return operations.Failed("NotReloaded", "the variables are recorded, but the server has not read its configuration: its log says why")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// report reads what came of it.
func report(ctx context.Context, conn *pgx.Conn, assignments []*assignment) (map[string]string, error) {
	var applied, restart, notes []string
	for _, a := range assignments {
		var pending bool
		var source string
		err := conn.QueryRow(ctx, "SELECT pending_restart, source FROM pg_settings WHERE name = $1", a.name).Scan(&pending, &source)
		if err != nil {
			return nil, err
		}
		switch {
		case pending:
			restart = append(restart, a.name)
			continue
		case !a.has && source == "command line":
			notes = append(notes, fmt.Sprintf("%s is recorded, but the server's command line says otherwise", a.name))
			continue
		}
		applied = append(applied, a.name)
	}
	result := map[string]string{}
	var sentences []string
	if len(applied) > 0 {
		result["applied"] = strings.Join(applied, ",")
		sentences = append(sentences, "set: "+strings.Join(applied, ", "))
	}
	if len(restart) > 0 {
		result["restartRequired"] = strings.Join(restart, ",")
		sentences = append(sentences, "recorded, and in force after the next restart: "+strings.Join(restart, ", "))
	}
	result["message"] = strings.Join(append(sentences, notes...), "; ")
	return result, nil
}
