// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Numbers of the server's errors about variables.
const (
	errUnknownVariable = 1193
	errSessionVariable = 1228
	errWrongValue      = 1231
	errWrongType       = 1232
	errReadOnly        = 1238
)

// setVariable sets variables of the running server, and for its next starts.
type setVariable struct{ unit }

// assignment is one variable on its way into a SET.
type assignment struct {
	name    string
	value   operation.Value
	current string
	forms   []string
	// scope is GLOBAL, PERSIST or PERSIST_ONLY.
	scope string
	// done: the server has the value and will not take it, which is as good.
	done bool
}

// Run implements operations.Action. All variables are set in one statement: the
// server checks them all before it changes one. What a variable wants is learnt from
// its refusals, each of which names it.
func (a setVariable) Run(ctx context.Context, op operations.Op) (map[string]string, error) {
	p, err := params[*operation.SetVariable](op)
	if err != nil {
		return nil, err
	}
	s, err := a.session(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	scope, err := persistScope(ctx, s)
	if err != nil {
		return nil, err
	}
	assignments, err := assign(ctx, s, p.Variables, scope)
	if err != nil {
		return nil, err
	}
	op.Progress("setting variables", 0, 0)
	for {
		statement := setStatement(assignments)
		if statement == "" {
			break
		}
		err := s.exec(ctx, statement)
		if err == nil {
			break
		}
		if err := adapt(assignments, err); err != nil {
			return nil, err
		}
	}
	return report(ctx, s, assignments, scope)
}

// persistScope is PERSIST, or GLOBAL where the server knows nothing better.
func persistScope(ctx context.Context, s *session) (string, error) {
	_, err := s.value(ctx, "SELECT @@global.persisted_globals_load")
	switch {
	case err == nil:
		return "PERSIST", nil
	case number(err) == errUnknownVariable:
		return "GLOBAL", nil
	}
	return "", err
}

var namePattern = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$`)

func assign(ctx context.Context, s *session, variables map[string]operation.Value, scope string) ([]*assignment, error) {
	var out []*assignment
	for _, given := range slices.Sorted(maps.Keys(variables)) {
		name := strings.ReplaceAll(strings.ToLower(given), "-", "_")
		if !namePattern.MatchString(name) {
			return nil, operations.Failed("UnknownVariable", "%q is no name of a variable", given)
		}
		if operation.OwnedVariable(operation.MySQL, name) {
			return nil, operations.Failed("OwnedVariable", "%s belongs to the operator and cannot be set", name)
		}
		rows, err := s.rows(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name = ?", name)
		if err != nil {
			return nil, err
		}
		if len(rows) != 1 {
			return nil, operations.Failed("UnknownVariable", "the server has no global variable %s", name)
		}
		current := rows[0].byName["Value"]
		out = append(out, &assignment{
			name: name, value: variables[given], current: current,
			forms: forms(variables[given], current), scope: scope,
		})
	}
	return out, nil
}

func setStatement(assignments []*assignment) string {
	var parts []string
	for _, a := range assignments {
		if !a.done {
			parts = append(parts, a.scope+" "+a.name+" = "+a.forms[0])
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "SET " + strings.Join(parts, ", ")
}

var variableInError = regexp.MustCompile(`[Vv]ariable '([^']+)'`)

// adapt makes of a refusal the next attempt, or the failure.
func adapt(assignments []*assignment, err error) error {
	refused, ok := errors.AsType[*driver.MySQLError](err)
	if !ok {
		return err
	}
	i := -1
	if m := variableInError.FindStringSubmatch(refused.Message); m != nil {
		i = slices.IndexFunc(assignments, func(a *assignment) bool { return !a.done && strings.EqualFold(a.name, m[1]) })
	}
	if i < 0 {
		return operations.Failed("Refused", "the server refuses the variables, none is changed: %s", withoutValues(refused, assignments))
	}
	a := assignments[i]
	switch {
	case (refused.Number == errWrongType || refused.Number == errWrongValue) && len(a.forms) > 1:
		a.forms = a.forms[1:]
		return nil
	case refused.Number == errReadOnly && same(a.value, a.current):
		a.done = true
		return nil
	case refused.Number == errReadOnly && a.scope == "PERSIST":
		a.scope = "PERSIST_ONLY"
		a.forms = forms(a.value, a.current)
		return nil
	case refused.Number == errReadOnly:
		return operations.Failed("ReadOnlyVariable",
			"%s can be set by the configuration alone, and has another value; no variable is changed", a.name)
	case refused.Number == errSessionVariable:
		return operations.Failed("SessionVariable", "%s is a variable of sessions, not of the server; no variable is changed", a.name)
	}
	return operations.Failed("Refused", "the server refuses a value, none is changed: %s", withoutValues(refused, assignments))
}

// withoutValues is the server's sentence without what may be a password.
func withoutValues(err *driver.MySQLError, assignments []*assignment) string {
	var secret []string
	for _, a := range assignments {
		if confidential(a.name) {
			secret = append(secret, a.value.Text)
		}
	}
	return child.Redact(err.Error(), secret...)
}

func confidential(name string) bool {
	return strings.Contains(name, "password") || strings.Contains(name, "secret")
}

// report reads what came of it: servers round.
func report(ctx context.Context, s *session, assignments []*assignment, scope string) (map[string]string, error) {
	var applied, restart, notes []string
	for _, a := range assignments {
		if a.scope == "PERSIST_ONLY" && !same(a.value, a.current) {
			restart = append(restart, a.name)
			continue
		}
		applied = append(applied, a.name)
		now, err := s.value(ctx, "SELECT @@global."+a.name)
		if err != nil {
			return nil, err
		}
		if now != "" && !switched(now, a) && !confidential(a.name) {
			notes = append(notes, fmt.Sprintf("the server made %s of %s", now, a.name))
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
		sentences = append(sentences, "recorded, and in force after the next restart: "+strings.Join(restart, ", "))
	}
	sentences = append(sentences, notes...)
	if scope == "GLOBAL" {
		sentences = append(sentences, "this server cannot persist variables: they last until its next restart, the configuration makes them last")
	}
	result["message"] = strings.Join(sentences, "; ")
	return result, nil
}

// switched is same for SELECT's way to show booleans, 0 and 1.
func switched(now string, a *assignment) bool {
	if isSwitch(a.current) {
		on, ok := asSwitch(now)
		return !ok || same(a.value, on)
	}
	return same(a.value, now)
}
