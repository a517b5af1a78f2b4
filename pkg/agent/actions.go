// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	mysql "github.com/upmio/unit-operator/pkg/agent/engine/mysql/actions"
	postgresql "github.com/upmio/unit-operator/pkg/agent/engine/postgresql/actions"
	proxysql "github.com/upmio/unit-operator/pkg/agent/engine/proxysql/actions"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// actions make the operations of each type of unit.
var actions = map[string]func(operations.Deps) map[string]operations.Action{
	"mysql":      mysql.New,
	"postgresql": postgresql.New,
	"proxysql":   proxysql.New,
}

// NewActions are the operations of the unit's type; none if it has none.
func NewActions(deps operations.Deps) map[string]operations.Action {
	newActions := actions[deps.Env.Type]
	if newActions == nil {
		return nil
	}
	return newActions(deps)
}
