// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"context"
	"database/sql"
)

// Of the package actions: what operations need of the engine.

// Literal writes s as a string of the admin interface.
func Literal(s string) string { return literal(s) }

// Admin calls f with a connection to the admin interface.
func (e *Engine) Admin(ctx context.Context, f func(conn *sql.Conn) error) error {
	return e.admin(ctx, f)
}
