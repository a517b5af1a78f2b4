// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// maxUserLength of PostgreSQL, in bytes.
const maxUserLength = 63

// initialMark is the comment on the roles that the agent made: a database with
// only these is virgin.
const initialMark = "made by unit-agent"

// quiet are the settings of a session that says passwords: no log, no statistics
// and no view of activity shows its statements. The last three are of modules
// that need not be there; a superuser may set them all the same.
var quiet = []string{
	"SET client_encoding = 'UTF8'",
	"SET log_statement = 'none'",
	"SET log_min_error_statement = 'panic'",
	"SET log_min_duration_statement = -1",
	"SET log_duration = off",
	"SET track_activities = off",
	"SET password_encryption = 'scram-sha-256'",
	"SET default_transaction_read_only = off",
	"SET pg_stat_statements.track = 'none'",
	"SET pg_stat_statements.track_utility = off",
	"SET pgaudit.log = 'none'",
}

// agentStatements make the agent's own role. It has no password: no method that
// asks for one lets it in.
func agentStatements(exists bool) []string {
	name := identifier(engine.AgentUser)
	return append(createRole(engine.AgentUser, exists),
		"ALTER ROLE "+name+" LOGIN SUPERUSER REPLICATION PASSWORD NULL VALID UNTIL 'infinity' CONNECTION LIMIT -1",
		"ALTER ROLE "+name+" RESET ALL",
	)
}

// accountStatements make one role of the user's, or set its password again.
func accountStatements(major int, a engine.Account, exists bool) ([]string, error) {
	password, ok, err := verifier(a.Password.Reveal())
	if err != nil {
		return nil, err
	}
	if !ok {
		password = a.Password.Reveal()
	}
	name := identifier(a.User)
	statements := createRole(a.User, exists)
	alter := "ALTER ROLE " + name + " LOGIN"
	if attributes := roleAttributes(a.Purpose); attributes != "" {
		alter += " " + attributes
	}
	statements = append(statements, alter+" PASSWORD "+literal(password))
	return append(statements, grants(major, a.Purpose, name)...), nil
}

func createRole(user string, exists bool) []string {
	if exists {
		return nil
	}
	return []string{
		"CREATE ROLE " + identifier(user),
		"COMMENT ON ROLE " + identifier(user) + " IS " + literal(initialMark),
	}
}

func roleAttributes(purpose engine.Purpose) string {
	switch purpose {
	case engine.PurposeSuperuser, engine.PurposeAdmin:
		return "SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS"
	case engine.PurposeReplication:
		return "REPLICATION"
	case engine.PurposeProvision:
		return "CREATEDB CREATEROLE"
	default:
		return ""
	}
}

// rewindFunctions are what pg_rewind calls on its source.
var rewindFunctions = []string{
	"pg_catalog.pg_ls_dir(text, boolean, boolean)",
	"pg_catalog.pg_stat_file(text, boolean)",
	"pg_catalog.pg_read_binary_file(text)",
	"pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
}

// grants of a purpose, beyond attributes. Those of functions hold in the
// database postgres, which pg_rewind connects to.
func grants(major int, purpose engine.Purpose, name string) []string {
	switch purpose {
	case engine.PurposeMonitor:
		return []string{"GRANT pg_monitor TO " + name}
	case engine.PurposeReplication:
		var statements []string
		for _, f := range rewindFunctions {
			statements = append(statements, "GRANT EXECUTE ON FUNCTION "+f+" TO "+name)
		}
		return statements
	case engine.PurposeProvision:
		// CREATE DATABASE ... OWNER needs a member of the owner. Since 16 who creates
		// a role can become one; before, CREATEROLE may grant itself any role.
		if major >= 16 {
			return []string{"ALTER ROLE " + name + " SET createrole_self_grant = 'set, inherit'"}
		}
	}
	return nil
}

// checkAccounts refuses what the server would accept to nobody's good.
func checkAccounts(accounts engine.Accounts) error {
	for _, a := range accounts.Accounts {
		switch {
		case a.User == "" || strings.ContainsRune(a.User, 0):
			return fmt.Errorf("account %q (%s): not a role name", a.User, a.Purpose)
		case len(a.User) > maxUserLength:
			return fmt.Errorf("account %q (%s): PostgreSQL allows role names of %d bytes at most", a.User, a.Purpose, maxUserLength)
		case strings.HasPrefix(a.User, "pg_"):
			return fmt.Errorf("account %q (%s): role names that begin with pg_ are PostgreSQL's own", a.User, a.Purpose)
		case a.User == engine.AgentUser:
			return fmt.Errorf("account %q (%s): the name is the agent's own", a.User, a.Purpose)
		case a.Password == "":
			return fmt.Errorf("account %q (%s): its password in the Secret is empty", a.User, a.Purpose)
		case strings.ContainsRune(a.Password.Reveal(), 0):
			return fmt.Errorf("account %q (%s): its password has a NUL byte, which no client can send", a.User, a.Purpose)
		}
	}
	return nil
}

// allStatements make all accounts. exists says which roles the database has.
func allStatements(major int, accounts engine.Accounts, exists map[string]bool) ([]string, error) {
	statements := append([]string(nil), quiet...)
	statements = append(statements, agentStatements(exists[engine.AgentUser])...)
	made := map[string]bool{}
	for _, a := range accounts.Accounts {
		s, err := accountStatements(major, a, exists[a.User] || made[a.User])
		if err != nil {
			return nil, err
		}
		made[a.User] = true
		statements = append(statements, s...)
	}
	return statements, nil
}

// secrets are the passwords, raw and as statements hold them.
func secrets(accounts engine.Accounts) []string {
	var s []string
	for _, a := range accounts.Accounts {
		s = append(s, literal(a.Password.Reveal()), a.Password.Reveal())
	}
	return s
}
