// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestSessionsOfPostgreSQLThatAreBroken(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{name: "a commit that is acknowledged"},
		{name: "a standby refuses", err: &pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "25006"}},
		{name: "the server speaks another language", err: &pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: "25006"}},
		{name: "a commit that is on the primary only", err: fmt.Errorf("row 1: %w", unreplicatedError{&pgconn.Notice{Code: notReplicated}})},
		{name: "the server shuts down", err: &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"}, want: true},
		{name: "the server crashes", err: &pgconn.PgError{SeverityUnlocalized: "PANIC", Code: "XX000"}, want: true},
		{name: "the connection ends", err: io.ErrUnexpectedEOF, want: true},
		{name: "no answer", err: context.DeadlineExceeded, want: true},
		{name: "nobody listens", err: errors.New("connection refused"), want: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := PostgreSQL.broken(tc.err); got != tc.want {
				t.Errorf("broken: %v, want %v", got, tc.want)
			}
		})
	}
}
