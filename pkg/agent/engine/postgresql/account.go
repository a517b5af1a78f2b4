// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// ensureChannel makes the account that standbys log in with what it should be, and
// changes nothing if it is so already. It is written with a local commit: standbys
// may be waiting for just this account.
func (e *Engine) ensureChannel(ctx context.Context, conn *pgx.Conn, channel engine.ChannelAccount) error {
	if channel.User == "" {
		return nil
	}
	const query = `SELECT coalesce(rolpassword, ''), rolcanlogin AND rolreplication AND coalesce(rolvaliduntil = 'infinity', true)
FROM pg_catalog.pg_authid WHERE rolname = $1`
	var stored string
	var able bool
	err := conn.QueryRow(ctx, query, channel.User).Scan(&stored, &able)
	if err == nil && able && verifies(stored, channel.Password) {
		return nil
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	own, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer disconnect(ctx, own)
	return ensure(ctx, own, channelAccounts(channel), func(exists map[string]bool, major int) ([]string, error) {
		return channelStatements(major, channel, exists[channel.User])
	})
}

func channelAccounts(channel engine.ChannelAccount) engine.Accounts {
	return engine.Accounts{Accounts: []engine.Account{{Purpose: engine.PurposeReplication, User: channel.User, Password: engine.Secret(channel.Password)}}}
}

func channelStatements(major int, channel engine.ChannelAccount, exists bool) ([]string, error) {
	statements, err := accountStatements(major, channelAccounts(channel).Accounts[0], exists)
	if exists {
		statements = append(statements, "ALTER ROLE "+identifier(channel.User)+" VALID UNTIL 'infinity'")
	}
	return append(append([]string(nil), quiet...), statements...), err
}

// verifies says whether a verifier, as the server keeps it, is one of the password.
func verifies(stored, password string) bool {
	rest, ok := strings.CutPrefix(stored, "SCRAM-SHA-256$")
	if !ok || !ascii(password) {
		return false
	}
	parameters, _, ok := strings.Cut(rest, "$")
	if !ok {
		return false
	}
	count, encoded, _ := strings.Cut(parameters, ":")
	iterations, err := strconv.Atoi(count)
	if err != nil || iterations < 1 {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	v, err := saltedVerifier(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare([]byte(v), []byte(stored)) == 1
}
