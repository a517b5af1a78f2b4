// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/proxysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// assignment is one variable with the value it gets and the one it has.
type assignment struct{ name, value, before, runtime string }

// Run implements operations.Action.
func (a setVariable) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, ok := op.Params().(*operation.SetVariable)
	if !ok {
		return nil, fmt.Errorf("parameters of %s are %T", op.Action(), op.Params())
	}
	var result map[string]string
	err := a.server().Admin(ctx, func(conn *sql.Conn) error {
		assignments, err := a.assign(ctx, conn, p.Variables)
		if err != nil {
			return err
		}
		op.Progress("setting variables", 0, 0)
		result, err = apply(ctx, conn, assignments)
		return err
	})
	return result, err
}

// assign looks the variables up; nothing is changed yet.
func (a setVariable) assign(ctx context.Context, conn *sql.Conn, variables map[string]operation.Value) ([]*assignment, error) {
	accounts, err := engine.LoadAccounts(a.Env)
	if err != nil {
		return nil, err
	}
	monitored := slices.ContainsFunc(accounts.Accounts, func(a engine.Account) bool { return a.Purpose == engine.PurposeMonitor })
	var out []*assignment
	for _, given := range slices.Sorted(maps.Keys(variables)) {
		name := strings.ToLower(given)
		switch {
		case operation.OwnedVariable(operation.ProxySQL, name):
			return nil, operations.Failed("OwnedVariable", "%s belongs to the operator and cannot be set; no variable is changed", name)
		case monitored && (name == "mysql-monitor_username" || name == "mysql-monitor_password"):
			return nil, operations.Failed("OwnedVariable", "%s follows MON_USER and the unit's Secret and cannot be set; no variable is changed", name)
		case scopeOf(name) == "":
			return nil, operations.Failed("UnknownVariable", "%s is of no known group of variables: names begin with mysql-, pgsql- or admin-; no variable is changed", name)
		}
		x := &assignment{name: name}
		for table, to := range map[string]*string{"global_variables": &x.before, "runtime_global_variables": &x.runtime} {
			*to, err = read(ctx, conn, table, name)
			if errors.Is(err, sql.ErrNoRows) {
				return nil, operations.Failed("UnknownVariable", "the server has no variable %s; no variable is changed", name)
			}
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
		}
		x.value = written(variables[given], x.runtime)
		out = append(out, x)
	}
	return out, nil
}

// apply sets them in memory, loads them, looks what the server made of them, and
// saves them.
func apply(ctx context.Context, conn *sql.Conn, assignments []*assignment) (map[string]string, error) {
	// What was begun is finished or taken back, cancelled or not: a cancelled
	// operation leaves no variable behind that nobody saved.
	ctx = context.WithoutCancel(ctx)
	if err := load(ctx, conn, assignments, func(x *assignment) string { return x.value }); err != nil {
		return nil, errors.Join(err, load(ctx, conn, assignments, func(x *assignment) string { return x.before }))
	}
	var applied, restart, refused, notes []string
	for _, x := range assignments {
		now, err := read(ctx, conn, "runtime_global_variables", x.name)
		switch {
		case err != nil:
			return nil, errors.Join(err, load(ctx, conn, assignments, func(x *assignment) string { return x.before }))
		case same(now, x.value):
			applied = append(applied, x.name)
		case slices.Contains(atStart, x.name):
			restart = append(restart, x.name)
		case now == x.runtime:
			refused = append(refused, x.name)
		default:
			applied = append(applied, x.name)
			if !confidential(x.name) {
				notes = append(notes, fmt.Sprintf("the server made %s of %s", now, x.name))
			}
		}
	}
	if len(refused) > 0 {
		err := load(ctx, conn, assignments, func(x *assignment) string { return x.before })
		return nil, errors.Join(operations.Failed("Refused", "the server does not take the value of %s; no variable is changed", strings.Join(refused, ", ")), err)
	}
	// A variable that waits for a restart lies in memory only if the server left it
	// there when it loaded the others.
	for _, scope := range scopes(assignments) {
		for _, x := range assignments {
			if scopeOf(x.name) == scope && slices.Contains(restart, x.name) {
				if err := write(ctx, conn, x.name, x.value); err != nil {
					return nil, err
				}
			}
		}
		if _, err := conn.ExecContext(ctx, "SAVE "+scope+" VARIABLES TO DISK"); err != nil {
			return nil, fmt.Errorf("SAVE %s VARIABLES TO DISK: %w", scope, err)
		}
	}
	result := map[string]string{}
	var sentences []string
	if len(applied) > 0 {
		result["applied"] = strings.Join(applied, ",")
		sentences = append(sentences, "set: "+strings.Join(applied, ", "))
	}
	if len(restart) > 0 {
		result["restartRequired"] = strings.Join(restart, ",")
		sentences = append(sentences, "saved, and in force after the next restart: "+strings.Join(restart, ", "))
	}
	result["message"] = strings.Join(append(sentences, notes...), "; ")
	return result, nil
}

// load gives all variables a value in memory and brings their groups to runtime.
func load(ctx context.Context, conn *sql.Conn, assignments []*assignment, value func(*assignment) string) error {
	for _, x := range assignments {
		if err := write(ctx, conn, x.name, value(x)); err != nil {
			return err
		}
	}
	for _, scope := range scopes(assignments) {
		if _, err := conn.ExecContext(ctx, "LOAD "+scope+" VARIABLES TO RUNTIME"); err != nil {
			return fmt.Errorf("LOAD %s VARIABLES TO RUNTIME: %w", scope, err)
		}
	}
	return nil
}

func write(ctx context.Context, conn *sql.Conn, name, value string) error {
	_, err := conn.ExecContext(ctx, "UPDATE global_variables SET variable_value = "+proxysql.Literal(value)+" WHERE variable_name = "+proxysql.Literal(name))
	if err != nil {
		// Its message may quote the statement, and with it a password.
		return fmt.Errorf("setting %s failed", name)
	}
	return nil
}

func read(ctx context.Context, conn *sql.Conn, table, name string) (string, error) {
	var value sql.NullString
	err := conn.QueryRowContext(ctx, "SELECT variable_value FROM "+table+" WHERE variable_name = "+proxysql.Literal(name)).Scan(&value)
	return value.String, err
}
