// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package actions are the operations of a ProxySQL unit: set-variable, by its admin
// interface.
//
// Invariant: variables are set all or none, in memory, at runtime and on disk. A
// value that the server did not take is taken back everywhere.
package actions

import (
	"github.com/upmio/unit-operator/pkg/agent/engine/proxysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// New are the actions by name.
func New(deps operations.Deps) map[string]operations.Action {
	return map[string]operations.Action{operation.ActionSetVariable: setVariable{deps}}
}

// setVariable sets variables of the running server, and for its next starts.
type setVariable struct{ operations.Deps }

func (a setVariable) server() *proxysql.Engine { return a.Engine.(*proxysql.Engine) }
