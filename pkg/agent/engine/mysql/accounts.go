// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// maxUserLength of MySQL, in characters.
const maxUserLength = 32

// grant is privileges on something.
type grant struct {
	privileges []string
	on         string
	option     bool
}

// agentStatements make the agent's own account: it logs in as the operating
// system's user osUser, whose name the server looks up for the uid of the peer.
func agentStatements(osUser string) []string {
	name := accountName(engine.AgentUser, "localhost")
	return []string{
		"CREATE USER IF NOT EXISTS " + name + " IDENTIFIED WITH auth_socket AS " + literal(osUser),
		"ALTER USER " + name + " IDENTIFIED WITH auth_socket AS " + literal(osUser) + " ACCOUNT UNLOCK",
		grantStatement(grant{[]string{"ALL"}, "*.*", true}, name),
	}
}

// closeRoot is for the root@localhost without a password that initialisation
// makes, where nobody gave it one: it becomes a login by operating-system
// identity, which a network connection cannot be.
func closeRoot(osUser string) string {
	return "ALTER USER " + accountName("root", "localhost") + " IDENTIFIED WITH auth_socket AS " + literal(osUser)
}

// accountStatements make one account of the user's. Running them again sets its
// password and unlocks it.
func accountStatements(v version, a engine.Account) []string {
	var statements []string
	for _, host := range hosts(a) {
		name := accountName(a.User, host)
		password := literal(a.Password.Reveal())
		statements = append(statements,
			"CREATE USER IF NOT EXISTS "+name+" IDENTIFIED BY "+password,
			"ALTER USER "+name+" IDENTIFIED BY "+password+" ACCOUNT UNLOCK")
		for _, g := range grants(v, a.Purpose) {
			statements = append(statements, grantStatement(g, name))
		}
	}
	return statements
}

// hosts an account may come from. root has localhost by initialisation, and a
// more specific host hides '%': so whoever may be root has both.
func hosts(a engine.Account) []string {
	if a.User == "root" || a.Purpose == engine.PurposeSuperuser || a.Purpose == engine.PurposeAdmin {
		return []string{"%", "localhost"}
	}
	return []string{"%"}
}

// grants of a purpose.
func grants(v version, purpose engine.Purpose) []grant {
	switch purpose {
	case engine.PurposeSuperuser, engine.PurposeAdmin:
		return []grant{{[]string{"ALL"}, "*.*", true}}
	case engine.PurposeMonitor:
		return []grant{
			{[]string{"PROCESS", "REPLICATION CLIENT"}, "*.*", false},
			{[]string{"SELECT"}, "performance_schema.*", false},
			{[]string{"SELECT", "EXECUTE"}, "sys.*", false},
		}
	case engine.PurposeReplication:
		return []grant{
			{append([]string{"REPLICATION SLAVE", "REPLICATION CLIENT"}, replicationPrivileges(v)...), "*.*", false},
			{[]string{"SELECT"}, "performance_schema.*", false},
		}
	case engine.PurposeProvision:
		return []grant{{append([]string{
			"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES",
			"CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "CREATE VIEW", "SHOW VIEW",
			"CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER", "SHOW DATABASES", "CREATE USER",
		}, rolePrivileges(v)...), "*.*", true}}
	default:
		return nil
	}
}

// replicationPrivileges are what CLONE and group replication need in addition to
// REPLICATION SLAVE, where the server knows them.
func replicationPrivileges(v version) []string {
	var p []string
	if v.atLeast(8, 0, 4) {
		p = append(p, "BACKUP_ADMIN", "CONNECTION_ADMIN")
	}
	if v.atLeast(8, 0, 17) {
		p = append(p, "CLONE_ADMIN")
	}
	if v.atLeast(8, 0, 27) {
		p = append(p, "GROUP_REPLICATION_STREAM")
	}
	return p
}

func rolePrivileges(v version) []string {
	if !v.atLeast(8, 0, 4) {
		return nil
	}
	return []string{"CREATE ROLE", "DROP ROLE"}
}

func grantStatement(g grant, name string) string {
	s := "GRANT " + strings.Join(g.privileges, ", ") + " ON " + g.on + " TO " + name
	if g.option {
		s += " WITH GRANT OPTION"
	}
	return s
}

// checkAccounts refuses what the server would refuse with less to say, or worse,
// accept.
func checkAccounts(accounts engine.Accounts) error {
	for _, a := range accounts.Accounts {
		switch {
		case a.User == "" || !utf8.ValidString(a.User) || strings.ContainsRune(a.User, 0):
			return fmt.Errorf("account %q (%s): not a user name", a.User, a.Purpose)
		case utf8.RuneCountInString(a.User) > maxUserLength:
			return fmt.Errorf("account %q (%s): MySQL allows user names of %d characters at most", a.User, a.Purpose, maxUserLength)
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

// hasUser is true if one of the accounts is the user's.
func hasUser(accounts engine.Accounts, user string) bool {
	return slices.ContainsFunc(accounts.Accounts, func(a engine.Account) bool { return a.User == user })
}

// secrets are the passwords, raw and as statements hold them.
func secrets(accounts engine.Accounts) []string {
	var s []string
	for _, a := range accounts.Accounts {
		s = append(s, literal(a.Password.Reveal()), a.Password.Reveal())
	}
	return s
}
