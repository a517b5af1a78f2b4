// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// propertyContinuable of a logical backup is what the binary logs since it need: true,
// or the reason why they could not be replayed on it. It is decided when the dump is
// taken, so that no chain turns out to be worthless on the day of its restore.
const propertyContinuable = "continuable"

const isContinuable = "true"

// continuable fails unless incremental backups may continue this one. An incremental one
// continues one that can be.
func continuable(m *backup.Manifest) error {
	if m.Kind != backup.Logical || m.Type == operation.Incremental {
		return nil
	}
	why := m.Properties[propertyContinuable]
	if why == isContinuable {
		return nil
	}
	if why == "" {
		why = "it does not say that it can be"
	}
	return operations.Failed(backup.ReasonChain, "the backup %s cannot be continued, %s: %s once that is not so, or physical ones", m.Location(), why, takeFull)
}

// notDumpedAtOneMoment is what a dump reads later than the GTIDs it says it has.
var notDumpedAtOneMoment = look{`SELECT CONCAT(table_schema, '.', table_name, ' (', engine, ')') FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND engine NOT IN ('InnoDB', 'BLACKHOLE')
  AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') LIMIT 10`,
	"tables of other engines than InnoDB, of which no dump knows the moment"}

// notInDumps are tables that a dump can only have elsewhere.
var notInDumps = look{`SELECT name FROM information_schema.innodb_tables WHERE space_type = 'General' AND name NOT LIKE 'mysql/%' LIMIT 1000`,
	"tables in general tablespaces, which no dump has"}

// notReplayable is what a fresh server alongside cannot have.
var notReplayable = []look{
	{`SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE create_options LIKE '%ENCRYPTION=_Y_%' LIMIT 10`,
		"encrypted tables, which only a server with the keyring can replay"},
	notInDumps,
	{`SELECT path FROM information_schema.innodb_datafiles WHERE path LIKE '/%' LIMIT 10`,
		"tablespaces at paths of their own, which cannot lie in two places"},
}

// replayable fails if changes of this server cannot be replayed on another.
func replayable(ctx context.Context, s *session) error {
	found, err := lookFor(ctx, s, notReplayable)
	if err == nil && found != "" {
		err = operations.Failed("Unsupported", "there are %s: full backups or physical ones can take them", found)
	}
	return err
}

// obstacle to continuing a dump that is about to be taken with args; empty if there
// is none.
func obstacle(ctx context.Context, s *session, p *operation.LogicalBackup, args dumpArgs) (string, error) {
	switch {
	case len(p.Databases) > 0:
		return "it holds some of the databases and binary logs hold all", nil
	case len(p.SkipTables) > 0:
		return "it leaves tables out that binary logs hold", nil
	case !args.gtids || !args.logs:
		return "the server had no binary log with GTIDs", nil
	}
	found, err := lookFor(ctx, s, append([]look{notDumpedAtOneMoment}, notReplayable...))
	if found != "" {
		found = "there were " + found
	}
	return found, err
}

// judge a dump that was taken: before are the definitions when it began, why is what
// was known to be in the way then.
func judge(ctx context.Context, s *session, why, before string) (string, error) {
	if why != "" {
		return why, nil
	}
	after, err := definitions(ctx, s)
	if err != nil {
		return "", err
	}
	if after != before {
		return "databases, tables or routines were changed while it was taken", nil
	}
	return isContinuable, nil
}

// definitions differ if databases, tables, views, routines, triggers or events were
// changed in between: to a dump a server shows them as they are, not as they were at
// the dump's moment. CREATE TABLE and DROP TABLE are not counted, as most are about
// temporary tables; the tables themselves are, in whatever time zone the session is.
func definitions(ctx context.Context, s *session) (string, error) {
	rows, err := s.rows(ctx, `SHOW GLOBAL STATUS WHERE Variable_name REGEXP
  '^Com_((create|alter|drop)_(db|event|function|index|library|procedure|trigger|view)|(alter|rename)_table|truncate)$'`)
	if err != nil {
		return "", err
	}
	tables, err := s.value(ctx, `SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CRC32(CONCAT_WS('.', table_schema, table_name, UNIX_TIMESTAMP(create_time)))), 0))
FROM information_schema.tables WHERE table_type = 'BASE TABLE'`)
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		tables += " " + r.first + "=" + r.byName["Value"]
	}
	return tables, nil
}
