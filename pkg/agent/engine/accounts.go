// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// AgentUser is the account by which the agent logs in, through the socket and by
// operating-system identity. It has no password.
const AgentUser = "unit_agent"

// Purpose is what an account is for, hence what it is granted.
type Purpose string

const (
	// PurposeSuperuser is root (MySQL) or postgres (PostgreSQL): everything.
	PurposeSuperuser Purpose = "superuser"
	// PurposeAdmin (ADM_USER) may do everything, with grant option.
	PurposeAdmin Purpose = "admin"
	// PurposeMonitor (MON_USER) may read what monitoring reads.
	PurposeMonitor Purpose = "monitor"
	// PurposeReplication (REPL_USER) may replicate.
	PurposeReplication Purpose = "replication"
	// PurposeProvision (PROV_USER) may create databases and accounts.
	PurposeProvision Purpose = "provision"
)

// Account is one account to create.
type Account struct {
	Purpose  Purpose
	User     string
	Password Secret
}

// Secret is a password. It prints as stars, so that no format verb and no
// logger can leak it.
type Secret string

// String is not the password.
func (Secret) String() string { return "***" }

// GoString is not the password.
func (Secret) GoString() string { return "***" }

// MarshalJSON is not the password.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// MarshalLog is not the password.
func (Secret) MarshalLog() any { return "***" }

// Reveal is the password.
func (s Secret) Reveal() string { return string(s) }

// Accounts to create besides the agent's own.
type Accounts struct {
	// Accounts in a fixed order. Two may have the same User (the document's
	// Secrets use one key for two purposes): the user gets the grants of both.
	Accounts []Account
	// Missing names the users that the environment asks for and the Secret lacks.
	Missing []string
}

// superuser names, by type, the account that the images call so.
var superuser = map[string]struct{ user, passwordVariable string }{
	"mysql":      {"root", "MYSQL_ROOT_PASSWORD"},
	"postgresql": {"postgres", "POSTGRES_PASSWORD"},
}

// LoadAccounts reads the accounts to create: those named by ADM_USER, MON_USER,
// REPL_USER and PROV_USER with their passwords from the Secret, and the
// superuser with MYSQL_ROOT_PASSWORD or POSTGRES_PASSWORD, else from the Secret's
// key root or postgres if it has one. The content of a key is taken as it is,
// final newline included.
func LoadAccounts(env Env) (Accounts, error) {
	var accounts Accounts
	if su, ok := superuser[env.Type]; ok {
		if password := env.Lookup(su.passwordVariable); password != "" {
			accounts.Accounts = append(accounts.Accounts, Account{PurposeSuperuser, su.user, Secret(password)})
		} else if password, found, err := secretKey(env, su.user); err != nil {
			return Accounts{}, err
		} else if found {
			accounts.Accounts = append(accounts.Accounts, Account{PurposeSuperuser, su.user, password})
		}
	}
	for _, a := range []struct {
		variable string
		purpose  Purpose
	}{
		{"ADM_USER", PurposeAdmin},
		{"MON_USER", PurposeMonitor},
		{"REPL_USER", PurposeReplication},
		{"PROV_USER", PurposeProvision},
	} {
		user := env.Lookup(a.variable)
		if user == "" {
			continue
		}
		password, found, err := secretKey(env, user)
		if err != nil {
			return Accounts{}, err
		}
		if !found {
			accounts.Missing = append(accounts.Missing, user)
			continue
		}
		accounts.Accounts = append(accounts.Accounts, Account{a.purpose, user, password})
	}
	return accounts, nil
}

// secretKey reads one key of the mounted Secret. A name that is no key of a
// Secret (a path, a dot directory) is one the Secret lacks.
func secretKey(env Env, key string) (Secret, bool, error) {
	if env.SecretDir == "" || key == "." || key == ".." || filepath.Base(key) != key {
		return "", false, nil
	}
	content, err := os.ReadFile(filepath.Join(env.SecretDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading the Secret's key %s: %w", key, err)
	}
	return Secret(content), true, nil
}
