// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// split cuts what pg_dumpall wrote into statements: comments and the commands of psql
// go, what is in quotes stays whole.
func split(script string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(script); i++ {
		c := script[i]
		switch {
		case c == '-' && strings.HasPrefix(script[i:], "--"), c == '\\' && strings.TrimSpace(b.String()) == "":
			for i+1 < len(script) && script[i+1] != '\n' {
				i++
			}
		case c == '\'' || c == '"':
			escapes := c == '\'' && i > 0 && (script[i-1] == 'E' || script[i-1] == 'e') && (i < 2 || !isWord(script[i-2]))
			j := i + 1
			for ; j < len(script); j++ {
				if escapes && script[j] == '\\' {
					j++
				} else if script[j] == c {
					if j+1 < len(script) && script[j+1] == c {
						j++
						continue
					}
					break
				}
			}
			j = min(j, len(script)-1)
			b.WriteString(script[i : j+1])
			i = j
		case c == ';':
			if s := strings.TrimSpace(b.String()); s != "" {
				out = append(out, s)
			}
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	if s := strings.TrimSpace(b.String()); s != "" {
		out = append(out, s)
	}
	return out
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

const namePattern = `("(?:[^"]|"")+"|[^\s",;()]+)`

var (
	createRole   = regexp.MustCompile(`^CREATE ROLE ` + namePattern + `$`)
	alterRole    = regexp.MustCompile(`(?s)^ALTER ROLE ` + namePattern + ` (?:WITH|SET|RESET|IN DATABASE) .*$`)
	roleDatabase = regexp.MustCompile(`(?s)^ALTER ROLE ` + namePattern + ` IN DATABASE `)
	commentRole  = regexp.MustCompile(`(?s)^COMMENT ON ROLE ` + namePattern + ` IS .*$`)
	grantRole    = regexp.MustCompile(`(?s)^GRANT ` + namePattern + ` TO ` + namePattern + `(?: .*)?$`)
)

// unquote an identifier as SQL has it.
func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// missingRoles are the statements that make the roles a server lacks. The roles it has
// keep their passwords, attributes and memberships.
func missingRoles(statements []string, exists map[string]bool) []string {
	var out []string
	made := map[string]bool{}
	of := func(m []string, i int) bool { return m != nil && made[unquote(m[i])] }
	for _, s := range statements {
		if m := createRole.FindStringSubmatch(s); m != nil {
			if name := unquote(m[1]); !exists[name] && !strings.HasPrefix(name, "pg_") {
				made[name] = true
				out = append(out, s)
			}
			continue
		}
		switch {
		case roleDatabase.MatchString(s): // the database's description has it
		case of(alterRole.FindStringSubmatch(s), 1), of(commentRole.FindStringSubmatch(s), 1), of(grantRole.FindStringSubmatch(s), 2):
			out = append(out, s)
		}
	}
	return out
}

// maxGlobals bounds what is read of roles.
const maxGlobals = 64 << 20

// restoreRoles makes the roles of a backup that the server lacks.
func restoreRoles(ctx context.Context, conn *pgx.Conn, from io.Reader) error {
	script, err := io.ReadAll(bufio.NewReader(io.LimitReader(from, maxGlobals+1)))
	if err != nil {
		return withReason(err)
	}
	if len(script) > maxGlobals {
		return operations.Failed("TooLarge", "the roles of the backup take more than %d bytes", maxGlobals)
	}
	exists, err := roles(ctx, conn)
	if err != nil {
		return err
	}
	statements := missingRoles(split(string(bytes.ToValidUTF8(script, nil))), exists)
	for _, s := range append(append([]string{"BEGIN"}, statements...), "COMMIT") {
		if err := execute(ctx, conn, s); err != nil {
			refused, ok := errors.AsType[*pgconn.PgError](err)
			if !ok {
				return err
			}
			// The statement may have a verifier in it; its message has none of it.
			return operations.Failed("RolesRefused", "the server refuses the roles of the backup (SQLSTATE %s): %s", refused.Code, withoutQuoted(refused.Message))
		}
	}
	return nil
}

var quoted = regexp.MustCompile(`SCRAM-SHA-256\$\S+|md5[0-9a-f]{32}`)

func withoutQuoted(message string) string { return quoted.ReplaceAllString(message, "***") }

// roles that a server has.
func roles(ctx context.Context, conn *pgx.Conn) (map[string]bool, error) {
	names, err := list(ctx, conn, "SELECT rolname::text FROM pg_roles")
	exists := map[string]bool{}
	for _, name := range names {
		exists[name] = true
	}
	return exists, err
}

// quietSession is one whose statements are in no log.
func (u unit) quietSession(ctx context.Context, database string) (*pgx.Conn, error) {
	conn, err := u.session(ctx, database)
	if err != nil {
		return nil, err
	}
	if err := execute(ctx, conn, postgresql.Quiet()...); err != nil {
		postgresql.Disconnect(ctx, conn)
		return nil, err
	}
	return conn, nil
}
