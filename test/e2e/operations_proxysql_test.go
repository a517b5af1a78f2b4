// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func operationsOfProxySQL(t *testing.T, e *environment) {
	e.smallSet(t, v1alpha2.UnitTypeProxySQL, "ops-proxy", "admin", 1)
	const unit = "ops-proxy-0"
	e.succeeds(t, "set", unit, v1alpha1.UnitTypeProxySQL, v1alpha1.ActionSetVariable, map[string]any{"variables": map[string]any{"mysql-max_connections": "777"}})
	for _, table := range []string{"runtime_global_variables", "disk.global_variables"} {
		got, err := e.exec(t.Context(), opsNamespace, unit, "proxysql", "", "mysql", "-h", "127.0.0.1", "-P", "6032", "-N", "-B", "-e",
			"SELECT variable_value FROM "+table+" WHERE variable_name = 'mysql-max_connections'")
		if err != nil || got != "777" {
			t.Errorf("%s has %q (%v), want 777", table, got, err)
		}
	}
	status := e.call(t, "backup", unit, v1alpha1.UnitTypeProxySQL, v1alpha1.ActionSetVariable, map[string]any{"variables": map[string]any{"no-such_variable": 1}})
	if status.Result != v1alpha1.ResultFailed {
		t.Errorf("an unknown variable: %s: %s", status.Result, status.Message)
	}
}
