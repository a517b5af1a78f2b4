// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the admin interface speaks it
)

// Layers of the configuration, by their schemas' names. A statement that names none
// works on MEMORY.
const (
	memory  = "main"
	disk    = "disk"
	runtime = "live"
)

// layers hold the configuration three times over.
type layers struct {
	// mu serialises all work on conn, the one connection: databases in memory belong
	// to theirs.
	mu   sync.Mutex
	conn *sql.Conn
	db   *sql.DB

	// inForce is RUNTIME for those who ask often; changed is closed when it is another.
	inForce atomic.Pointer[inForce]
	changed atomic.Pointer[chan struct{}]
}

// openLayers opens or makes the database in the data directory. existed says which.
func openLayers(ctx context.Context, dir string, initial bool) (l *layers, existed bool, err error) {
	path := filepath.Join(dir, "proxysql.db")
	if initial {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
	}
	_, err = os.Stat(path)
	existed = err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, false, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	l = &layers{db: db, conn: conn}
	changed := make(chan struct{})
	l.changed.Store(&changed)
	for schema, file := range map[string]string{disk: path, runtime: ":memory:", "stats": ":memory:", "monitor": ":memory:"} {
		if err := l.exec(ctx, "ATTACH "+literal(file)+" AS "+schema); err != nil {
			return nil, false, fmt.Errorf("%s: %w", file, err)
		}
	}
	for schema, all := range map[string][]table{memory: tables, disk: tables, runtime: tables, "stats": statisticsTables, "monitor": monitorTables} {
		for _, t := range all {
			if err := l.exec(ctx, "CREATE TABLE IF NOT EXISTS "+schema+"."+t.name+" ("+t.columns+")"); err != nil {
				return nil, false, fmt.Errorf("%s.%s: %w", schema, t.name, err)
			}
		}
	}
	for _, t := range tables {
		if err := l.exec(ctx, "CREATE TABLE main.runtime_"+t.name+" ("+t.columns+")"); err != nil {
			return nil, false, err
		}
	}
	return l, existed, nil
}

func (l *layers) close() error { return errors.Join(l.conn.Close(), l.db.Close()) }

func (l *layers) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := l.conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// begin is what a start does: the file has its say where there was no database, or
// where it is told to reload, and DISK has it otherwise. All of it is in force then.
func (l *layers) begin(ctx context.Context, c *config, existed, reload bool) error {
	for _, m := range modules {
		if err := l.copy(ctx, m, disk, memory); err != nil {
			return err
		}
	}
	if !existed || reload {
		if err := l.fromConfig(ctx, c, modules...); err != nil {
			return err
		}
	}
	l.mu.Lock()
	for name, v := range variables {
		// What the first LOAD falls back to.
		if err := l.exec(ctx, "INSERT INTO live.global_variables VALUES ("+literal(name)+", "+literal(v.value)+")"); err != nil {
			l.mu.Unlock()
			return err
		}
	}
	l.mu.Unlock()
	for _, m := range modules {
		if err := l.load(ctx, m, true); err != nil {
			return err
		}
		if !existed || reload {
			if err := l.copy(ctx, m, memory, disk); err != nil {
				return err
			}
		}
	}
	return nil
}

// copy makes a module in one layer what it is in another.
func (l *layers) copy(ctx context.Context, m module, from, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.exec(ctx, "SAVEPOINT copy"); err != nil {
		return err
	}
	err := l.copyTables(ctx, m, from, to)
	if err != nil {
		err = errors.Join(err, l.exec(ctx, "ROLLBACK TO copy"))
	}
	err = errors.Join(err, l.exec(ctx, "RELEASE copy"))
	if err != nil || to != runtime {
		return err
	}
	return l.refresh(ctx)
}

func (l *layers) copyTables(ctx context.Context, m module, from, to string) error {
	for _, name := range m.tables {
		where := ""
		if m.prefix != "" {
			where = " WHERE variable_name LIKE " + literal(m.prefix+"%")
		}
		if err := l.exec(ctx, "DELETE FROM "+to+"."+name+where, "INSERT INTO "+to+"."+name+" SELECT * FROM "+from+"."+name+where); err != nil {
			return err
		}
	}
	return nil
}

// load brings a module from MEMORY to RUNTIME. Variables are looked at one by one, and
// MEMORY has afterwards what is in force. starting takes those that a start reads.
func (l *layers) load(ctx context.Context, m module, starting bool) error {
	if m.prefix == "" {
		return l.copy(ctx, m, memory, runtime)
	}
	l.mu.Lock()
	wanted, err := l.variables(ctx, memory)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	current, err := l.variables(ctx, runtime)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	for name, value := range wanted {
		if !strings.HasPrefix(name, m.prefix) || value == current[name] {
			continue
		}
		v, known := variables[name]
		taken, ok := v.valid(value)
		switch {
		case !known:
			log.Printf("[WARNING] Impossible to set not existing variable %s. Deleting. If the variable name is correct, this version doesn't support it", name)
		case !ok || v.atStart && !starting:
			// Values are not told: some are passwords.
			log.Printf("[WARNING] Impossible to set variable %s. Resetting to current value.", name)
		default:
			if err := l.exec(ctx, "UPDATE live.global_variables SET variable_value = "+literal(taken)+" WHERE variable_name = "+literal(name)); err != nil {
				l.mu.Unlock()
				return err
			}
		}
	}
	err = l.refresh(ctx)
	l.mu.Unlock()
	return errors.Join(err, l.copy(ctx, m, runtime, memory))
}

// fromConfig puts what the file says about modules over what MEMORY has.
func (l *layers) fromConfig(ctx context.Context, c *config, modules ...module) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range modules {
		if m.prefix != "" {
			for name, value := range c.variables(m.prefix) {
				if err := l.exec(ctx, "INSERT OR REPLACE INTO main.global_variables VALUES ("+literal(name)+", "+literal(value)+")"); err != nil {
					return err
				}
			}
			continue
		}
		for _, name := range m.tables {
			for _, row := range c.rows(name) {
				var columns, values []string
				for _, cell := range row {
					columns, values = append(columns, cell.name), append(values, literal(cell.value))
				}
				insert := "INSERT OR REPLACE INTO main." + name + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
				if err := l.exec(ctx, insert); err != nil {
					return fmt.Errorf("%s of the configuration file: %w", name, err)
				}
			}
		}
	}
	return nil
}

// showRuntime gives the tables runtime_NAME what RUNTIME has: whatever somebody writes
// into them is gone by the next statement.
func (l *layers) showRuntime(ctx context.Context) error {
	for _, t := range tables {
		if err := l.exec(ctx, "DELETE FROM main.runtime_"+t.name, "INSERT INTO main.runtime_"+t.name+" SELECT * FROM live."+t.name); err != nil {
			return err
		}
	}
	return nil
}

func (l *layers) variables(ctx context.Context, layer string) (map[string]string, error) {
	rows, err := l.query(ctx, "SELECT variable_name, variable_value FROM "+layer+".global_variables")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, row := range rows.values {
		all[row[0].String] = row[1].String
	}
	return all, nil
}

// edit changes RUNTIME, for the monitor.
func (l *layers) edit(ctx context.Context, statements ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.exec(ctx, statements...); err != nil {
		return err
	}
	return l.refresh(ctx)
}

// note writes down what the monitor saw, and forgets what is old.
func (l *layers) note(ctx context.Context, name string, values ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.exec(ctx, "INSERT INTO monitor."+name+" VALUES ("+strings.Join(values, ", ")+")",
		"DELETE FROM monitor."+name+" WHERE rowid <= (SELECT MAX(rowid) FROM monitor."+name+") - 1000")
	if err != nil {
		log.Printf("[ERROR] %s: %v", name, err)
	}
}

// result is what a statement gives.
type result struct {
	columns  []string
	values   [][]sql.NullString
	affected int64
}

// query is a statement that gives rows.
func (l *layers) query(ctx context.Context, statement string) (*result, error) {
	rows, err := l.conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &result{}
	if r.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]sql.NullString, len(r.columns))
		to := make([]any, len(row))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		r.values = append(r.values, row)
	}
	return r, rows.Err()
}

// rowsOf are the words with which statements begin that give rows.
var rowsOf = []string{"SELECT", "PRAGMA", "EXPLAIN", "WITH", "VALUES"}

// statement runs one of the admin interface's.
func (l *layers) statement(ctx context.Context, s string) (*result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(strings.ToLower(s), "runtime_") {
		if err := l.showRuntime(ctx); err != nil {
			return nil, err
		}
	}
	first, _, _ := strings.Cut(strings.ToUpper(s), " ")
	if slices.Contains(rowsOf, strings.TrimSpace(first)) {
		return l.query(ctx, s)
	}
	done, err := l.conn.ExecContext(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &result{}
	r.affected, err = done.RowsAffected()
	return r, err
}

// literal writes s as a string of SQLite.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
