// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// logicalPlan is what of a dump goes where.
type logicalPlan struct {
	// names of the databases to restore, by their names in the backup.
	names map[string]string
	// whole: the backup left no table out, so that what it does not have is not to
	// be there.
	whole bool
}

// planLogical decides by the manifest and the parameters alone.
func planLogical(m *backup.Manifest, p *operation.Restore) (logicalPlan, error) {
	return planOf(m.Databases, m.Properties[propertySkipTables] == "", p)
}

// planOf what is held.
func planOf(held []string, whole bool, p *operation.Restore) (logicalPlan, error) {
	plan := logicalPlan{names: map[string]string{}, whole: whole}
	chosen := held
	if len(p.Databases) > 0 {
		chosen = p.Databases
	}
	for _, name := range chosen {
		if !slices.Contains(held, name) {
			return plan, operations.Failed(operation.ReasonUnknownDatabase, "the backup has no database %q; it has %s", name, strings.Join(held, ", "))
		}
		plan.names[name] = name
	}
	if p.TargetDatabase == "" {
		return plan, nil
	}
	if len(chosen) != 1 {
		return plan, operations.Failed(operation.ReasonInvalidParameters, "targetDatabase takes one database, and the backup holds %d: databases says which", len(chosen))
	}
	if slices.Contains(systemSchemas, strings.ToLower(p.TargetDatabase)) {
		return plan, operations.Failed(operation.ReasonInvalidParameters, "targetDatabase: %s belongs to the server", p.TargetDatabase)
	}
	plan.names[chosen[0]] = p.TargetDatabase
	return plan, nil
}

// sources of the plan, sorted.
func (p logicalPlan) sources() []string { return slices.Sorted(maps.Keys(p.names)) }

// targets of the plan, sorted.
func (p logicalPlan) targets() []string {
	var out []string
	for _, to := range p.names {
		out = append(out, to)
	}
	slices.Sort(out)
	return out
}

// loader decides what of a dump reaches the server at once: tables and their rows. What
// is to be made after all tables is put aside, under the names of the dump.
type loader struct {
	plan logicalPlan
	// into are the databases that tables are loaded into, by their names in the dump.
	into map[string]string
	// in is the database that the dump is in, empty before the first.
	in string
}

// notLoaded are statements of the server that the dump is of.
var notLoaded = [][]byte{
	gtidStatement,
	[]byte("SET @@SESSION.SQL_LOG_BIN"),
	[]byte("SET @MYSQLDUMP_TEMP_LOG_BIN"),
}

func (l *loader) decide(statement []byte, ended bool) (verdict, []byte) {
	for _, prefix := range notLoaded {
		if bytes.HasPrefix(statement, prefix) {
			return drop, nil
		}
	}
	o := objectOf(statement)
	if o.verb == "USE" || o.verb == "CREATE" && o.isDatabase() {
		l.in = o.name
	}
	in := l.in
	if o.verb == "ALTER" && o.isDatabase() {
		in = o.name
	}
	if _, wanted := l.plan.names[in]; !wanted && in != "" {
		return drop, nil
	}
	switch {
	case o.verb == "USE":
		return both, renamed(statement, l.into[in])
	case o.verb == "CREATE" && o.isDatabase():
		return keep, renamed(statement, l.into[in])
	case o.verb == "ALTER" && o.isDatabase(), o.isProgram():
		return aside, nil
	case o.verb == "SET":
		return both, nil
	case o.verb == "CREATE" && o.kind == "TABLE":
		if !ended {
			return whole, nil
		}
		return keep, l.tableHere(statement)
	}
	return keep, nil
}

// renamed is a statement with another name in the place of its first.
func renamed(statement []byte, name string) []byte {
	_, from, to := identifier(statement)
	var out []byte
	out = append(out, statement[:from]...)
	out = append(out, mysql.Identifier(name)...)
	return append(out, bytes.TrimRight(statement[to:], "; \n")...)
}

// tableHere is a definition of a table whose foreign keys, where they name another database
// that is loaded too, name where that is, and which is in a file of its own where it was in
// a general tablespace, since no dump has these; nil if there is nothing to change.
func (l *loader) tableHere(statement []byte) []byte {
	var out []byte
	copied, references, space := 0, false, false
	for rest := statement; len(rest) > 0; {
		at := len(statement) - len(rest)
		token, after := nextToken(rest)
		rest = after
		switch {
		case len(token) == 0:
		case token[0] == '`' && references && len(rest) > 0 && rest[0] == '.':
			name, _, _ := identifier(token)
			if to, ok := l.into[name]; ok && to != name {
				out = append(append(out, statement[copied:at]...), mysql.Identifier(to)...)
				copied = at + len(token)
			}
			references = false
		case token[0] == '`' && space:
			if name, _, _ := identifier(token); !strings.HasPrefix(name, "innodb_") {
				out = append(append(out, statement[copied:at]...), "`innodb_file_per_table`"...)
				copied = at + len(token)
			}
			space = false
		case token[0] == '=' && space:
		default:
			space = bytes.EqualFold(token, []byte("TABLESPACE"))
			references = bytes.EqualFold(token, []byte("REFERENCES"))
		}
	}
	if out == nil {
		return nil
	}
	return append(out, bytes.TrimRight(statement[copied:], "; \n")...)
}

// identifier is the first name in backticks of a statement, and where it lies.
func identifier(statement []byte) (name string, from, to int) {
	from = bytes.IndexByte(statement, '`')
	if from < 0 {
		return "", 0, 0
	}
	var b strings.Builder
	for i := from + 1; i < len(statement); i++ {
		if statement[i] != '`' {
			b.WriteByte(statement[i])
			continue
		}
		if i+1 < len(statement) && statement[i+1] == '`' {
			b.WriteByte('`')
			i++
			continue
		}
		return b.String(), from, i + 1
	}
	return b.String(), from, len(statement)
}

// restoreLogical loads a dump into the running server.
func (a restore) restoreLogical(ctx context.Context, op operations.Op, p *operation.Restore, m *backup.Manifest, from source) (map[string]string, error) {
	plan, err := planLogical(m, p)
	if err != nil {
		return nil, err
	}
	l := loadOf(a.unit, plan, m)
	l.total = fileSize(m, dumpFile)
	if l.sizes, err = sizesOf(m); err != nil {
		return nil, err
	}
	l.dump = from.dump(m)
	return l.run(ctx, op, p.Overwrite)
}

// loadOf a backup, by a dump that is to be said still.
func loadOf(u unit, plan logicalPlan, m *backup.Manifest) *load {
	where := m.Location().String()
	return &load{unit: u, plan: plan, begun: begun{
		Restored: restored{Backup: where, BackupID: m.ID, GTIDExecuted: m.GTIDExecuted},
		Result:   map[string]string{"message": "restored from " + where},
	}}
}

// dump of a logical backup.
func (s source) dump(m *backup.Manifest) dump {
	return func(ctx context.Context, to io.Writer) error {
		content, err := s.open(ctx, m, dumpFile)
		if err != nil {
			return err
		}
		defer content.Close()
		_, err = io.Copy(to, content)
		return withReason(err)
	}
}

// foldNames of the plan as the server does with them: what is compared is to be the
// same. It fails on a server that takes no writes.
func foldNames(ctx context.Context, s *session, plan logicalPlan) error {
	readOnly, err := s.value(ctx, "SELECT @@global.super_read_only")
	if err != nil {
		return err
	}
	if readOnly == "1" {
		return operations.Failed(operation.ReasonReadOnly, "the server takes no writes: databases are loaded on the source of a Replication, or on a unit outside one")
	}
	folded, err := foldsNames(ctx, s)
	if err != nil {
		return err
	}
	if folded {
		for from, to := range plan.names {
			plan.names[from] = strings.ToLower(to)
		}
	}
	return nil
}

// foldsNames says whether the names of databases and tables are lower case to the
// server, however they are written.
func foldsNames(ctx context.Context, s *session) (bool, error) {
	folded, err := s.value(ctx, "SELECT @@global.lower_case_table_names")
	return folded != "0", err
}

// divideTargets into databases that are there, and would be replaced, and those that are
// not. It fails if there is data that may not be.
func divideTargets(ctx context.Context, s *session, plan logicalPlan, overwrite bool) (there, absent []string, err error) {
	for _, name := range plan.targets() {
		if isOwnDatabase(name) {
			return nil, nil, operations.Failed(operation.ReasonInvalidParameters, "the database %s is the agent's own while it restores", name)
		}
	}
	rows, err := s.rows(ctx, `SELECT schema_name AS d, EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = schema_name)
  OR EXISTS (SELECT 1 FROM information_schema.routines WHERE routine_schema = schema_name) AS used
FROM information_schema.schemata`)
	if err != nil {
		return nil, nil, err
	}
	var used []string
	for _, r := range rows {
		if !slices.Contains(plan.targets(), r.byName["d"]) {
			continue
		}
		there = append(there, r.byName["d"])
		if r.byName["used"] == "1" {
			used = append(used, r.byName["d"])
		}
	}
	if len(used) > 0 && !overwrite {
		return nil, nil, operations.Failed(operation.ReasonWouldOverwrite, "there is data in %s: overwrite: \"true\" replaces it, targetDatabase goes beside it", strings.Join(used, ", "))
	}
	absent = slices.DeleteFunc(plan.targets(), func(name string) bool { return slices.Contains(there, name) })
	return there, absent, nil
}

func fileSize(m *backup.Manifest, name string) int64 {
	if f := m.File(name); f != nil {
		return f.Size
	}
	return 0
}
