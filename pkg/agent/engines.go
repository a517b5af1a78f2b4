// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/engine/proxysql"
)

// NewEngine is the engine of the unit's type.
func NewEngine(env engine.Env) (engine.Engine, error) {
	switch env.Type {
	case "mysql":
		return mysql.New(env), nil
	case "postgresql":
		return postgresql.New(env), nil
	case "proxysql":
		return proxysql.New(env), nil
	}
	return nil, fmt.Errorf("environment variable UNIT_TYPE is %q: want mysql, postgresql or proxysql", env.Type)
}
