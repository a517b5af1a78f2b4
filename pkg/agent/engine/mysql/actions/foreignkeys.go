// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
)

// foreignKey of a table that stays to one that is replaced. It follows the old one to
// where that goes, and is brought back to the new one.
type foreignKey struct {
	Schema     string   `json:"schema"`
	Table      string   `json:"table"`
	Name       string   `json:"name"`
	Columns    []string `json:"columns"`
	Parent     string   `json:"parent"` // database
	Referenced string   `json:"referenced"`
	Keys       []string `json:"keys"`
	OnUpdate   string   `json:"onUpdate"`
	OnDelete   string   `json:"onDelete"`
}

// childrenOf the tables that are to be replaced.
func childrenOf(ctx context.Context, s *session, b begun) ([]foreignKey, error) {
	moves, err := movesOf(ctx, s, b)
	if err != nil {
		return nil, err
	}
	moved := func(database, table string) bool {
		return slices.ContainsFunc(moves, func(m move) bool { return m.from == database && m.table == table })
	}
	var out []foreignKey
	for _, d := range b.replaced() {
		rows, err := s.rows(ctx, `SELECT k.table_schema AS s, k.table_name AS t, k.constraint_name AS n, k.column_name AS c,
  k.referenced_table_name AS r, k.referenced_column_name AS k, x.update_rule AS u, x.delete_rule AS d
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints x
  ON x.constraint_schema = k.constraint_schema AND x.constraint_name = k.constraint_name AND x.table_name = k.table_name
WHERE k.referenced_table_schema = ? ORDER BY 1, 2, 3, k.ordinal_position`, d.Target)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			v := r.byName
			if moved(v["s"], v["t"]) || !moved(d.Target, v["r"]) {
				continue
			}
			if n := len(out); n == 0 || out[n-1].Schema != v["s"] || out[n-1].Table != v["t"] || out[n-1].Name != v["n"] {
				out = append(out, foreignKey{Schema: v["s"], Table: v["t"], Name: v["n"], Parent: d.Target, Referenced: v["r"], OnUpdate: v["u"], OnDelete: v["d"]})
			}
			k := &out[len(out)-1]
			k.Columns, k.Keys = append(k.Columns, v["c"]), append(k.Keys, v["k"])
		}
	}
	return out, nil
}

// rejoin the key to the table that is in its place now. refused says why the server does
// not take it.
func (k foreignKey) rejoin(ctx context.Context, u unit, s *session) (refused string, err error) {
	table := tableName(k.Schema, k.Table)
	to, err := s.column(ctx, `SELECT DISTINCT referenced_table_schema FROM information_schema.key_column_usage
WHERE constraint_schema = ? AND table_name = ? AND constraint_name = ? AND referenced_table_name IS NOT NULL`, k.Schema, k.Table, k.Name)
	if err != nil || slices.Contains(to, k.Parent) {
		return "", err
	}
	alter := func(what string) error {
		return u.insist(ctx, s, []string{k.Schema, k.Parent}, func() error { return s.exec(ctx, "ALTER TABLE "+table+" "+what) }, nil)
	}
	if len(to) > 0 {
		if err := alter("DROP FOREIGN KEY " + mysql.Identifier(k.Name)); err != nil {
			return "", err
		}
	}
	err = alter("ADD CONSTRAINT " + mysql.Identifier(k.Name) + " FOREIGN KEY (" + identifiers(k.Columns) + ") REFERENCES " +
		tableName(k.Parent, k.Referenced) + " (" + identifiers(k.Keys) + ") ON UPDATE " + k.OnUpdate + " ON DELETE " + k.OnDelete)
	if number(err) != 0 {
		// What was restored may have no such column.
		return fmt.Sprintf("foreign key %s.%s.%s (%s)", k.Schema, k.Table, k.Name, err), nil
	}
	return "", err
}

func identifiers(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, mysql.Identifier(name))
	}
	return strings.Join(out, ", ")
}
