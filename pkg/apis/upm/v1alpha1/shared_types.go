// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// UnitType names the engine of a unit.
// +kubebuilder:validation:Enum=mysql;postgresql;proxysql
type UnitType string

const (
	// UnitTypeMySQL is a MySQL server.
	UnitTypeMySQL UnitType = "mysql"
	// UnitTypePostgreSQL is a PostgreSQL server.
	UnitTypePostgreSQL UnitType = "postgresql"
	// UnitTypeProxySQL is a ProxySQL proxy.
	UnitTypeProxySQL UnitType = "proxysql"
)
