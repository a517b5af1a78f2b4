// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// database is what a dump of a database does not say unless it makes the database
// itself, under the name it had.
type database struct {
	Name       string            `json:"name"`
	Owner      string            `json:"owner"`
	Encoding   string            `json:"encoding"`
	Collate    string            `json:"collate"`
	Ctype      string            `json:"ctype"`
	Provider   string            `json:"provider,omitempty"` // c, i, b; before 15 there is c only
	Locale     string            `json:"locale,omitempty"`
	Rules      string            `json:"icuRules,omitempty"` // since 16
	Limit      int               `json:"connectionLimit"`
	Template   bool              `json:"isTemplate,omitempty"`
	Closed     bool              `json:"closed,omitempty"` // it takes no connections
	Comment    string            `json:"comment,omitempty"`
	ACL        bool              `json:"acl"` // false: nobody granted or revoked anything
	Grants     []grant           `json:"grants,omitempty"`
	Settings   []databaseSetting `json:"settings,omitempty"`
	SizeOnDisk int64             `json:"sizeOnDisk"`
}

type grant struct {
	Grantee   string `json:"grantee"` // empty for PUBLIC
	Privilege string `json:"privilege"`
	Option    bool   `json:"option"`
}

type databaseSetting struct {
	Role  string `json:"role"` // empty for all
	Name  string `json:"name"`
	Value string `json:"value"`
}

// describe the databases that a backup holds: those that are named, or all but the
// server's own templates. leftOut are those that none can hold, and why.
func describe(ctx context.Context, conn *pgx.Conn, names []string) (chosen []database, leftOut []string, err error) {
	major, err := postgresql.MajorOf(conn)
	if err != nil {
		return nil, nil, err
	}
	broken, err := list(ctx, conn, "SELECT datname::text FROM pg_database WHERE datconnlimit = -2 ORDER BY 1")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range broken {
		why := name + " (it is half dropped: DROP DATABASE removes the rest)"
		if slices.Contains(names, name) {
			return nil, nil, operations.Failed(operation.ReasonUnknownDatabase, "the server cannot open %s", why)
		}
		leftOut = append(leftOut, why)
	}
	locale, rules := "'c', ''", "''"
	switch {
	case major >= 17:
		locale = "d.datlocprovider::text, coalesce(d.datlocale, '')"
	case major >= 15:
		locale = "d.datlocprovider::text, coalesce(d.daticulocale, '')"
	}
	if major >= 16 {
		rules = "coalesce(d.daticurules, '')"
	}
	rows, err := conn.Query(ctx, `SELECT d.datname::text, pg_get_userbyid(d.datdba)::text, pg_encoding_to_char(d.encoding)::text,
		d.datcollate::text, d.datctype::text, `+locale+`, `+rules+`, d.datconnlimit, d.datistemplate, NOT d.datallowconn,
		coalesce(shobj_description(d.oid, 'pg_database'), ''), d.datacl IS NOT NULL, pg_database_size(d.oid)
		FROM pg_database d WHERE d.datconnlimit <> -2 AND NOT (d.datname IN ('template0', 'template1') AND d.datistemplate) ORDER BY 1`)
	if err != nil {
		return nil, nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d database, err error) {
		err = row.Scan(&d.Name, &d.Owner, &d.Encoding, &d.Collate, &d.Ctype, &d.Provider, &d.Locale, &d.Rules, &d.Limit, &d.Template, &d.Closed, &d.Comment, &d.ACL, &d.SizeOnDisk)
		return d, err
	})
	if err != nil {
		return nil, nil, err
	}
	chosen, missing := choose(all, names)
	if len(missing) > 0 {
		return nil, nil, operations.Failed(operation.ReasonUnknownDatabase, "the server has no database %s", strings.Join(missing, ", "))
	}
	for i := range chosen {
		d := &chosen[i]
		rows, err := conn.Query(ctx, `SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
			FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1 ORDER BY 1, 2`, d.Name)
		if err != nil {
			return nil, nil, err
		}
		if d.Grants, err = pgx.CollectRows(rows, pgx.RowToStructByPos[grant]); err != nil {
			return nil, nil, err
		}
		rows, err = conn.Query(ctx, `SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_get_userbyid(s.setrole)::text END,
			split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
			FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE d.datname = $1 ORDER BY 1, 2`, d.Name)
		if err != nil {
			return nil, nil, err
		}
		if d.Settings, err = pgx.CollectRows(rows, pgx.RowToStructByPos[databaseSetting]); err != nil {
			return nil, nil, err
		}
	}
	return chosen, leftOut, nil
}

// choose those that are named, all if none is.
func choose(all []database, names []string) (chosen []database, missing []string) {
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(d database) bool { return d.Name == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		chosen = append(chosen, all[i])
	}
	return chosen, missing
}

// dumpFile of a database in a backup.
func dumpFile(name string) string { return "databases/" + url.PathEscape(name) + ".dump" }

// createStatement makes an empty database like d.
func (d database) createStatement(name string) string {
	s := "CREATE DATABASE " + postgresql.Identifier(name) + " TEMPLATE template0 ENCODING " + postgresql.Literal(d.Encoding) +
		" LC_COLLATE " + postgresql.Literal(d.Collate) + " LC_CTYPE " + postgresql.Literal(d.Ctype)
	switch d.Provider {
	case "i":
		s += " LOCALE_PROVIDER icu ICU_LOCALE " + postgresql.Literal(d.Locale)
		if d.Rules != "" {
			s += " ICU_RULES " + postgresql.Literal(d.Rules)
		}
	case "b":
		s += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + postgresql.Literal(d.Locale)
	}
	return s
}

// statements give the database name what d has alongside its content. Roles that the
// server lacks are left out.
func (d database) statements(name string, roles map[string]bool) []string {
	db := postgresql.Identifier(name)
	// That it takes no connections is settled when it is in its place.
	out := []string{fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d IS_TEMPLATE %t", db, d.Limit, d.Template)}
	if roles[d.Owner] {
		out = append(out, "ALTER DATABASE "+db+" OWNER TO "+postgresql.Identifier(d.Owner))
	}
	if d.Comment != "" {
		out = append(out, "COMMENT ON DATABASE "+db+" IS "+postgresql.Literal(d.Comment))
	}
	if d.ACL {
		out = append(out, "REVOKE ALL ON DATABASE "+db+" FROM PUBLIC")
		for _, g := range d.Grants {
			to := "PUBLIC"
			if g.Grantee != "" {
				if !roles[g.Grantee] {
					continue
				}
				to = postgresql.Identifier(g.Grantee)
			}
			if !slices.Contains([]string{"CREATE", "CONNECT", "TEMPORARY"}, g.Privilege) {
				continue
			}
			s := "GRANT " + g.Privilege + " ON DATABASE " + db + " TO " + to
			if g.Option && g.Grantee != "" {
				s += " WITH GRANT OPTION"
			}
			out = append(out, s)
		}
	}
	for _, set := range d.Settings {
		value, err := written(set.Name, set.Value)
		if err != nil {
			continue
		}
		switch {
		case set.Role == "":
			out = append(out, "ALTER DATABASE "+db+" SET "+identifier(set.Name)+" = "+value)
		case roles[set.Role]:
			out = append(out, "ALTER ROLE "+postgresql.Identifier(set.Role)+" IN DATABASE "+db+" SET "+identifier(set.Name)+" = "+value)
		}
	}
	return out
}
