// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
)

// putAside is what is in the way of an exchange of tables: a trigger, with which a table
// cannot be moved to another database, or a view whose name a table takes. It goes a
// moment before, and comes back if nothing is exchanged.
type putAside struct {
	Kind      string `json:"kind"`
	Database  string `json:"database"`
	Name      string `json:"name"`
	Statement string `json:"statement"`
	SQLMode   string `json:"sqlMode,omitempty"`
	Client    string `json:"client"`
	Collation string `json:"collation"`
}

func (o putAside) dropStatement() string {
	return "DROP " + o.Kind + " IF EXISTS " + tableName(o.Database, o.Name)
}

func (u unit) putAsideFile() string { return filepath.Join(u.Env.SideDir(loadDir), "put-aside.json") }

// inTheWay of an exchange, laid alongside, unless an earlier try has done so: that may have
// dropped some.
func (u unit) inTheWay(ctx context.Context, s *session, b begun, moves []move) ([]putAside, error) {
	all, err := u.readPutAside()
	if err != nil || all != nil {
		return all, err
	}
	all = []putAside{}
	for _, d := range b.replaced() {
		triggers, err := triggersOf(ctx, s, d, moves)
		if err != nil {
			return nil, err
		}
		views, err := shadowedViews(ctx, s, d)
		if err != nil {
			return nil, err
		}
		all = append(append(all, triggers...), views...)
	}
	content, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return all, u.Files.WriteFile(u.putAsideFile(), content, 0o600)
}

// triggersOf the tables that move away, in their order.
func triggersOf(ctx context.Context, s *session, d loading, moves []move) ([]putAside, error) {
	rows, err := s.rows(ctx, `SELECT trigger_name AS n, event_object_table AS t FROM information_schema.triggers
WHERE trigger_schema = ? ORDER BY event_object_table, action_timing, event_manipulation, action_order`, d.Target)
	if err != nil {
		return nil, err
	}
	var out []putAside
	for _, r := range rows {
		if !slices.Contains(moves, move{d.Target, d.Old, r.byName["t"]}) {
			continue
		}
		made, err := s.rows(ctx, "SHOW CREATE TRIGGER "+tableName(d.Target, r.first))
		if err != nil {
			return nil, err
		}
		m := made[0].byName
		out = append(out, putAside{kindTrigger, d.Target, r.first, m["SQL Original Statement"], m["sql_mode"], m["character_set_client"], m["collation_connection"]})
	}
	return out, nil
}

// shadowedViews are those whose names tables take.
func shadowedViews(ctx context.Context, s *session, d loading) ([]putAside, error) {
	names, err := s.column(ctx, `SELECT v.table_name FROM information_schema.tables v JOIN information_schema.tables t ON t.table_name = v.table_name
WHERE v.table_schema = ? AND v.table_type = 'VIEW' AND t.table_schema = ? AND t.table_type = 'BASE TABLE'`, d.Target, d.Into)
	if err != nil {
		return nil, err
	}
	var out []putAside
	for _, name := range names {
		made, err := s.rows(ctx, "SHOW CREATE VIEW "+tableName(d.Target, name))
		if err != nil {
			return nil, err
		}
		m := made[0].byName
		out = append(out, putAside{kindView, d.Target, name, m["Create View"], "", m["character_set_client"], m["collation_connection"]})
	}
	return out, nil
}

// readPutAside is nil if nothing was written.
func (u unit) readPutAside() ([]putAside, error) {
	content, err := os.ReadFile(u.putAsideFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := []putAside{}
	return all, json.Unmarshal(content, &all)
}

// putBack what was put aside for an exchange that did not take place.
func (u unit) putBack(ctx context.Context, b begun) error {
	all, err := u.readPutAside()
	if err != nil || len(all) == 0 {
		return err
	}
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	there := map[putAside]bool{}
	for _, d := range b.replaced() {
		objects, err := programsOf(ctx, s, d.Target)
		if err != nil {
			return err
		}
		for _, o := range objects {
			there[putAside{Kind: o.kind, Database: d.Target, Name: o.name}] = true
		}
	}
	for _, o := range all {
		// What was not dropped yet is not to be waited for.
		if there[putAside{Kind: o.Kind, Database: o.Database, Name: o.Name}] {
			continue
		}
		err := s.exec(ctx, "USE "+mysql.Identifier(o.Database), "SET SESSION sql_mode = '"+o.SQLMode+"', SESSION character_set_client = "+o.Client+
			", SESSION collation_connection = "+o.Collation)
		if err != nil {
			return err
		}
		if err := u.insist(ctx, s, []string{o.Database}, func() error { return s.exec(ctx, o.Statement) }, nil); err != nil {
			return fmt.Errorf("the %s %s.%s: %w", strings.ToLower(o.Kind), o.Database, o.Name, err)
		}
	}
	return nil
}
