// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// portraitSkips are catalogs that say nothing of what users have made: statistics of rows,
// dependencies that follow from the rest, and what belongs to another database.
var portraitSkips = []string{"pg_statistic", "pg_statistic_ext_data", "pg_depend", "pg_shdepend", "pg_replication_origin", "pg_subscription_rel", "pg_largeobject"}

// portraitVolatile are columns that a copy need not have alike: places of files, hints,
// and counts of what was dropped since.
var portraitVolatile = []string{
	"pg_class.reltoastrelid", "pg_class.relpages", "pg_class.reltuples", "pg_class.relallvisible", "pg_class.relallfrozen", "pg_class.relhasindex", "pg_class.relhasrules", "pg_class.relhastriggers",
	"pg_class.relhassubclass", "pg_attribute.attcacheoff", "pg_attribute.atthasmissing", "pg_attribute.attmissingval", "pg_index.indcheckxmin",
	"pg_database.datcollversion", "pg_collation.collversion",
	// A dump makes partitions as tables of their own, and attaches them.
	"pg_constraint.conislocal", "pg_constraint.connoinherit",
	// All memberships are granted by the first superuser: see type membership.
	"pg_auth_members.grantor",
}

// portraitDefinitions say what columns hold as trees of nodes, which have numbers in them.
var portraitDefinitions = []string{
	"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE oid >= 16384",
	"SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid >= 16384",
	"SELECT ev_class::regclass || ': ' || pg_get_ruledef(oid) FROM pg_rewrite WHERE oid >= 16384",
	"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
	"SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid >= 16384 AND prokind <> 'a'",
	"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext",
	"SELECT partrelid::regclass || ' partitioned by ' || pg_get_partkeydef(partrelid) FROM pg_partitioned_table",
	"SELECT oid::regclass || ' is for ' || pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition AND relpartbound IS NOT NULL",
	"SELECT adrelid::regclass || '.' || adnum || ' defaults to ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef",
	"SELECT polrelid::regclass || '.' || polname || ' is ' || concat_ws(' with check ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy",
	"SELECT prrelid::regclass || ' where ' || coalesce(pg_get_expr(prqual, prrelid), '') FROM pg_publication_rel",
	"SELECT 'the server''s ' || oid::regprocedure || ' ' || (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(proacl) a) FROM pg_proc WHERE oid < 16384 AND proacl IS NOT NULL",
	"SELECT 'schema public ' || concat_ws(' ', nspowner::regrole, obj_description(oid), (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(nspacl) a)) FROM pg_namespace WHERE nspname = 'public'",
	"SELECT 'large object ' || oid || ' ' || md5(lo_get(oid)) FROM pg_largeobject_metadata",
}

// portrait of a database, or of what a server has beside its databases: a line for each row
// of the catalog that is not the server's own, with the names of what it refers to in the
// place of their numbers, and the sums of all rows of users.
func (p *pod) portrait(database string, shared bool) []string {
	p.t.Helper()
	conn := p.conn(database)
	defer conn.Close(context.Background())
	lines := func(query string, args ...any) []string {
		rows, err := conn.Query(p.t.Context(), query, args...)
		if err != nil {
			p.t.Fatalf("%s: %v", query, err)
		}
		out, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			p.t.Fatalf("%s: %v", query, err)
		}
		return out
	}
	if _, err := conn.Exec(p.t.Context(), "SET search_path = ''"); err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, catalog := range lines("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND (relisshared AND relname <> 'pg_subscription') = $1 AND relname <> ALL ($2)", shared, portraitSkips) {
		out = append(out, lines(portraitQuery(catalog, lines))...)
	}
	if !shared {
		for _, query := range portraitDefinitions {
			out = append(out, lines(query)...)
		}
		for _, table := range lines("SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'm') AND relispopulated AND relnamespace <> 'pg_toast'::regnamespace") {
			out = append(out, table+" holds "+lines(checksumOf(table))[0])
		}
		for _, sequence := range lines("SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 AND relkind = 'S'") {
			out = append(out, sequence+" is at "+lines("SELECT last_value || ' ' || is_called FROM " + sequence)[0])
		}
	}
	out = slices.DeleteFunc(out, func(line string) bool { return strings.Contains(line, "pg_toast") })
	slices.Sort(out)
	return out
}

// portraitQuery of a catalog, by what the catalog says of itself.
func portraitQuery(catalog string, lines func(string, ...any) []string) string {
	refers := map[string]string{}
	for _, fk := range lines("SELECT concat_ws(' ', fkcols[1], pktable::oid, is_array) FROM pg_get_catalog_foreign_keys() WHERE fktable = $1::regclass AND cardinality(fkcols) = 1 AND pkcols = '{oid}'", catalog) {
		column, target, _ := strings.Cut(fk, " ")
		refers[column] = target
	}
	var values []string
	firstNumber, hasOwn, polymorphic, part := "", false, false, "0"
	for _, column := range lines("SELECT attname || ' ' || atttypid::regtype FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", catalog) {
		name, typ, _ := strings.Cut(column, " ")
		at := "t." + name
		if (typ == "oid" || typ == "regproc") && firstNumber == "" {
			firstNumber = at
		}
		hasOwn = hasOwn || name == "oid"
		polymorphic = polymorphic || name == "classoid"
		if name == "objsubid" {
			part = at
		}
		if slices.Contains(portraitVolatile, catalog+"."+name) {
			continue
		}
		target, array, _ := strings.Cut(refers[name], " ")
		var value string
		switch {
		case target != "" && array == "t":
			value = fmt.Sprintf("(SELECT array_agg((SELECT identity FROM pg_identify_object(%s, o::oid, 0)) ORDER BY n) FROM unnest(%s) WITH ORDINALITY u (o, n))", target, at)
		case target != "":
			value = fmt.Sprintf("CASE WHEN %s::oid <> 0 THEN (SELECT identity FROM pg_identify_object(%s, %s::oid, 0)) END", at, target, at)
		case typ == "aclitem[]":
			value = fmt.Sprintf("(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(%s) a)", at)
		case name == "attoptions":
			// Some builds count the changes of a column there.
			value = fmt.Sprintf("(SELECT array_agg(o ORDER BY o) FROM unnest(%s) o WHERE o NOT LIKE 'pg_attver=%%')", at)
		case typ == "oid" || typ == "xid" || typ == "pg_node_tree":
			continue
		default:
			value = at + "::text"
		}
		values = append(values, fmt.Sprintf("'%s', %s", name, value))
	}
	if polymorphic {
		values = append(values, "'object', (SELECT identity FROM pg_identify_object(t.classoid, t.objoid, "+part+"))")
	}
	where := "true"
	switch {
	case catalog == "pg_subscription":
		where = "t.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
	case catalog == "pg_attribute":
		where = "t.attrelid >= 16384 AND t.attnum > 0 AND NOT t.attisdropped"
	case catalog == "pg_trigger":
		where = "NOT t.tgisinternal"
	case catalog == "pg_database":
		where = "NOT t.datistemplate OR t.oid >= 16384"
	case catalog == "pg_authid", catalog == "pg_auth_members", catalog == "pg_shdescription", catalog == "pg_db_role_setting", catalog == "pg_parameter_acl", catalog == "pg_tablespace", catalog == "pg_shseclabel":
	case hasOwn:
		where = "t.oid >= 16384"
	case polymorphic:
		where = "t.objoid >= 16384"
	case firstNumber != "":
		where = firstNumber + "::oid >= 16384"
	}
	return fmt.Sprintf("SELECT '%s ' || jsonb_build_object(%s)::text FROM pg_catalog.%s t WHERE %s", catalog, strings.Join(values, ", "), catalog, where)
}
