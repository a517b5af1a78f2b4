// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
)

// globals are what a server has alongside its databases, as its catalog knows it.
type globals struct {
	Roles       []role           `json:"roles"`
	Memberships []membership     `json:"memberships"`
	Settings    []roleSetting    `json:"settings,omitempty"`
	Parameters  []parameterGrant `json:"parameters,omitempty"`
}

type role struct {
	Name        string `json:"name"`
	Superuser   bool   `json:"superuser"`
	Inherit     bool   `json:"inherit"`
	CreateRole  bool   `json:"createRole"`
	CreateDB    bool   `json:"createDB"`
	Login       bool   `json:"login"`
	Replication bool   `json:"replication"`
	BypassRLS   bool   `json:"bypassRLS"`
	Limit       int    `json:"connectionLimit"`
	// Verifier of the password; empty if it has none, or it may not be read.
	Verifier   string `json:"verifier,omitempty"`
	ValidUntil string `json:"validUntil,omitempty"`
	Comment    string `json:"comment,omitempty"`
}

// membership of a role in another, whoever granted it: a restored one is granted by the
// server's first superuser, as those that a superuser grants are.
type membership struct {
	Role    string `json:"role"`
	Member  string `json:"member"`
	Admin   bool   `json:"admin"`
	Inherit bool   `json:"inherit"` // since 16
	Set     bool   `json:"set"`     // since 16
	// Options: the server distinguishes what a membership allows.
	Options bool `json:"options"`
}

type roleSetting struct {
	Role  string `json:"role"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// parameterGrant allows a role to set a parameter; since 15.
type parameterGrant struct {
	Parameter string `json:"parameter"`
	Grantee   string `json:"grantee"`
	Privilege string `json:"privilege"`
	Option    bool   `json:"option"`
}

// Roles by the catalog that has passwords, or by the view that hides them.
const rolesQuery = `SELECT rolname::text, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
	coalesce(CASE WHEN rolpassword <> '********' THEN rolpassword END, ''), coalesce(rolvaliduntil::text, ''), coalesce(shobj_description(oid, 'pg_authid'), '')
	FROM %CATALOG% WHERE rolname !~ '^pg_' ORDER BY 1`

// noPrivilege is the SQLSTATE of who may not.
const noPrivilege = "42501"

// readGlobals of a server.
func readGlobals(ctx context.Context, conn *pgx.Conn) (globals, error) {
	var g globals
	major, err := postgresql.MajorOf(conn)
	if err != nil {
		return g, err
	}
	// Dates are read as they are written.
	if err := execute(ctx, conn, "SET DateStyle = 'ISO'"); err != nil {
		return g, err
	}
	if g.Roles, err = collect[role](ctx, conn, strings.Replace(rolesQuery, "%CATALOG%", "pg_authid", 1)); sqlState(err) == noPrivilege {
		g.Roles, err = collect[role](ctx, conn, strings.Replace(rolesQuery, "%CATALOG%", "pg_roles", 1))
	}
	if err != nil {
		return g, err
	}
	options := "false, false, false"
	if major >= 16 {
		options = "bool_or(inherit_option), bool_or(set_option), true"
	}
	if g.Memberships, err = collect[membership](ctx, conn, `SELECT r.rolname::text, m.rolname::text, bool_or(admin_option), `+options+`
		FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member WHERE m.rolname !~ '^pg_' GROUP BY 1, 2 ORDER BY 1, 2`); err != nil {
		return g, err
	}
	if g.Settings, err = collect[roleSetting](ctx, conn, `SELECT r.rolname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
		FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c WHERE s.setdatabase = 0 ORDER BY 1, 2`); err != nil {
		return g, err
	}
	if major >= 15 {
		g.Parameters, err = collect[parameterGrant](ctx, conn, `SELECT p.parname, r.rolname::text, a.privilege_type, a.is_grantable
			FROM pg_parameter_acl p, aclexplode(p.paracl) a JOIN pg_roles r ON r.oid = a.grantee ORDER BY 1, 2, 3`)
	}
	return g, err
}

func collect[T any](ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// sqlState of a server's error; empty if it is another's.
func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// missing are the statements that make the roles a server of the version lacks, with
// what they were granted and what was granted of them. The roles it has keep their
// passwords and attributes.
func (g globals) missing(exists map[string]bool, major int) []string {
	made := map[string]bool{}
	var out []string
	for _, r := range g.Roles {
		if !exists[r.Name] {
			made[r.Name] = true
			out = append(out, r.statements()...)
		}
	}
	for _, s := range g.Settings {
		if value, err := written(s.Name, s.Value); err == nil && made[s.Role] {
			out = append(out, "ALTER ROLE "+postgresql.Identifier(s.Role)+" SET "+identifier(s.Name)+" = "+value)
		}
	}
	there := func(name string) bool { return exists[name] || made[name] }
	for _, m := range g.Memberships {
		// A predefined role may be one of a newer server.
		if (made[m.Role] || made[m.Member]) && there(m.Role) && there(m.Member) {
			out = append(out, m.statement(major))
		}
	}
	for _, p := range g.Parameters {
		if major < 15 || !made[p.Grantee] || p.Privilege != "SET" && p.Privilege != "ALTER SYSTEM" {
			continue
		}
		s := "GRANT " + p.Privilege + " ON PARAMETER " + identifier(p.Parameter) + " TO " + postgresql.Identifier(p.Grantee)
		if p.Option {
			s += " WITH GRANT OPTION"
		}
		out = append(out, s)
	}
	return out
}

func (r role) statements() []string {
	name := postgresql.Identifier(r.Name)
	attribute := func(yes bool, word string) string {
		if yes {
			return " " + word
		}
		return " NO" + word
	}
	s := "CREATE ROLE " + name + " WITH" + attribute(r.Superuser, "SUPERUSER") + attribute(r.Inherit, "INHERIT") + attribute(r.CreateRole, "CREATEROLE") +
		attribute(r.CreateDB, "CREATEDB") + attribute(r.Login, "LOGIN") + attribute(r.Replication, "REPLICATION") + attribute(r.BypassRLS, "BYPASSRLS") +
		" CONNECTION LIMIT " + strconv.Itoa(r.Limit)
	if r.Verifier != "" {
		s += " PASSWORD " + postgresql.Literal(r.Verifier)
	}
	if r.ValidUntil != "" {
		s += " VALID UNTIL " + postgresql.Literal(r.ValidUntil)
	}
	out := []string{s}
	if r.Comment != "" {
		out = append(out, "COMMENT ON ROLE "+name+" IS "+postgresql.Literal(r.Comment))
	}
	return out
}

func (m membership) statement(major int) string {
	s := "GRANT " + postgresql.Identifier(m.Role) + " TO " + postgresql.Identifier(m.Member)
	switch {
	case major >= 16 && m.Options:
		word := func(yes bool) string { return strings.ToUpper(strconv.FormatBool(yes)) }
		s += " WITH ADMIN " + word(m.Admin) + ", INHERIT " + word(m.Inherit) + ", SET " + word(m.Set)
	case m.Admin:
		s += " WITH ADMIN OPTION"
	}
	return s
}
