// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// adminSession is a client of the admin interface.
type adminSession struct {
	server.EmptyHandler
	proxy *proxy
	// statistics is true of those who may look at nothing else.
	statistics bool
}

// credentials are those of a list user:password;user:password.
func credentials(list string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(list, ";") {
		if name, password, ok := strings.Cut(strings.TrimSpace(pair), ":"); ok {
			all[name] = password
		}
	}
	return all
}

// serveAdmin talks to one client of the admin interface until it goes.
func (p *proxy) serveAdmin(conn net.Conn) {
	f := p.layers.inForce.Load()
	administrators := credentials(f.variables["admin-admin_credentials"])
	users := credentials(f.variables["admin-stats_credentials"])
	for name, password := range administrators {
		if name == "admin" && !local(conn) {
			continue
		}
		users[name] = password
	}
	s := &adminSession{proxy: p}
	c, err := p.handshake(conn, users, s)
	if err != nil {
		return
	}
	_, administrator := administrators[c.GetUser()]
	s.statistics = !administrator
	for c.HandleCommand() == nil && !c.Closed() {
		continue
	}
}

func local(conn net.Conn) bool {
	return conn.RemoteAddr().Network() == "unix" || loopback(conn.RemoteAddr().String())
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// refusal is how the admin interface says every error.
func refusal(format string, args ...any) error {
	return mysql.NewError(mysql.ER_ACCESS_DENIED_ERROR, "ProxySQL Admin Error: "+fmt.Sprintf(format, args...))
}

// UseDB implements server.Handler: there is one database only.
func (s *adminSession) UseDB(string) error { return nil }

// HandleStmtPrepare implements server.Handler.
func (s *adminSession) HandleStmtPrepare(string) (int, int, any, error) {
	return 0, 0, nil, refusal("Command not supported")
}

// HandleFieldList implements server.Handler.
func (s *adminSession) HandleFieldList(string, string) ([]*mysql.Field, error) {
	return nil, refusal("Command not supported")
}

// HandleOtherCommand implements server.Handler.
func (s *adminSession) HandleOtherCommand(byte, []byte) error {
	return refusal("Command not supported")
}

// HandleQuery implements server.Handler.
func (s *adminSession) HandleQuery(query string) (*mysql.Result, error) {
	statement := strings.TrimRight(strings.TrimSpace(query), "; \t\r\n")
	// What is in strings stays as it is only in statement.
	words := strings.ToUpper(strings.Join(strings.Fields(statement), " "))
	for _, try := range []func(context.Context, string, string) (*result, bool, error){s.ignored, s.control, s.move, s.set, s.show} {
		if r, done, err := try(context.Background(), words, statement); done || err != nil {
			return answer(r, err)
		}
	}
	r, err := s.sql(context.Background(), statement)
	return answer(r, err)
}

// ignored statements are accepted without effect.
func (s *adminSession) ignored(_ context.Context, words, _ string) (*result, bool, error) {
	first, _, _ := strings.Cut(words, " ")
	ignored := slices.Contains([]string{"BEGIN", "START", "COMMIT", "ROLLBACK", "USE"}, first)
	return &result{}, ignored, nil
}

// control is PROXYSQL and a word.
func (s *adminSession) control(_ context.Context, words, _ string) (*result, bool, error) {
	command, ok := strings.CutPrefix(words, "PROXYSQL ")
	if !ok || s.statistics {
		return nil, false, nil
	}
	switch command {
	case "PAUSE":
		if !s.proxy.sql.close() {
			return nil, true, refusal("ProxySQL MySQL module is already paused, impossible to pause")
		}
	case "RESUME":
		opened, err := s.proxy.sql.open()
		if err != nil {
			return nil, true, refusal("%v", err)
		}
		if !opened {
			return nil, true, refusal("ProxySQL MySQL module is not paused, impossible to resume")
		}
	case "SHUTDOWN":
		// Nobody is told goodbye.
		os.Exit(0)
	case "SHUTDOWN SLOW":
		s.proxy.sql.close()
		time.Sleep(time.Second)
		os.Exit(0)
	default:
		return nil, false, nil
	}
	return &result{}, true, nil
}

var (
	moving = regexp.MustCompile(`^(LOAD|SAVE) (.+) (TO|FROM) (\w+)$`)
	// layerOf are the layers' names in LOAD and SAVE, moves what is copied where.
	layerOf = map[string]string{"RUNTIME": runtime, "RUN": runtime, "MEMORY": memory, "MEM": memory, "DISK": disk, "CONFIG": "CONFIG"}
	moves   = map[[3]string][2]string{
		{"LOAD", "TO", runtime}: {memory, runtime}, {"LOAD", "FROM", memory}: {memory, runtime},
		{"SAVE", "TO", memory}: {runtime, memory}, {"SAVE", "FROM", runtime}: {runtime, memory},
		{"LOAD", "TO", memory}: {disk, memory}, {"LOAD", "FROM", disk}: {disk, memory},
		{"SAVE", "TO", disk}: {memory, disk}, {"SAVE", "FROM", memory}: {memory, disk},
		{"LOAD", "FROM", "CONFIG"}: {"CONFIG", memory},
	}
)

// move is LOAD and SAVE.
func (s *adminSession) move(ctx context.Context, words, _ string) (*result, bool, error) {
	m := moving.FindStringSubmatch(words)
	if m == nil || s.statistics {
		return nil, false, nil
	}
	i := slices.IndexFunc(modules, func(known module) bool { return known.name == m[2] })
	fromTo, ok := moves[[3]string{m[1], m[3], layerOf[m[4]]}]
	if i < 0 || !ok {
		return nil, false, nil
	}
	l := s.proxy.layers
	switch fromTo {
	case [2]string{memory, runtime}:
		return &result{}, true, l.load(ctx, modules[i], false)
	case [2]string{"CONFIG", memory}:
		c, err := readConfig(s.proxy.configPath)
		if err != nil {
			return nil, true, refusal("%v", err)
		}
		return &result{}, true, l.fromConfig(ctx, c, modules[i])
	}
	return &result{}, true, l.copy(ctx, modules[i], fromTo[0], fromTo[1])
}

var settingVariable = regexp.MustCompile(`(?is)^SET\s+((?:mysql|admin)-\w+)\s*=\s*(.*)$`)

// set is SET, of variables of ProxySQL; others mean nothing here and are accepted.
func (s *adminSession) set(ctx context.Context, words, statement string) (*result, bool, error) {
	if !strings.HasPrefix(words, "SET ") || s.statistics {
		return nil, false, nil
	}
	m := settingVariable.FindStringSubmatch(statement)
	if m == nil {
		return &result{}, true, nil
	}
	value := m[2]
	if n := len(value); n >= 2 && (value[0] == '\'' || value[0] == '"') && value[n-1] == value[0] {
		quote := value[:1]
		value = strings.ReplaceAll(value[1:n-1], quote+quote, quote)
	}
	r, err := s.proxy.layers.statement(ctx, "UPDATE global_variables SET variable_value = "+literal(value)+" WHERE variable_name = "+literal(strings.ToLower(m[1])))
	if err == nil && r.affected == 0 {
		err = refusal("Unknown global variable: '%s'.", m[1])
	}
	return r, true, err
}

var (
	showTables    = regexp.MustCompile(`^SHOW TABLES(?: FROM (\w+))?(?: LIKE ('[^']*'))?$`)
	showVariables = regexp.MustCompile(`^SHOW (?:(GLOBAL|ALL|MYSQL|ADMIN) )?VARIABLES(?: LIKE ('[^']*'))?$`)
	showCreate    = regexp.MustCompile(`^SHOW CREATE TABLE (?:(\w+)\.)?(\w+)$`)
	system        = regexp.MustCompile(`^SELECT (@@VERSION_COMMENT|@@VERSION|DATABASE\(\))(?: LIMIT 1)?$`)
)

// show is what SQLite has no statement for.
func (s *adminSession) show(ctx context.Context, words, _ string) (*result, bool, error) {
	l := s.proxy.layers
	if m := system.FindStringSubmatch(words); m != nil {
		value := map[string]string{"@@VERSION_COMMENT": "(ProxySQL Admin Module)", "@@VERSION": l.inForce.Load().variables["mysql-server_version"], "DATABASE()": "admin"}[m[1]]
		r, err := s.sql(ctx, "SELECT "+literal(value)+" AS "+literal(strings.ToLower(m[1])))
		return r, true, err
	}
	var query string
	if m := showTables.FindStringSubmatch(words); m != nil {
		schema := memory
		if m[1] != "" {
			schema = strings.ToLower(m[1])
		}
		query = "SELECT name AS tables FROM " + schema + ".sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
		if m[2] != "" {
			query += " AND name LIKE " + m[2]
		}
		query += " ORDER BY name"
	}
	if m := showVariables.FindStringSubmatch(words); m != nil {
		query = "SELECT variable_name AS Variable_name, variable_value AS Value FROM global_variables WHERE 1"
		if m[1] == "MYSQL" || m[1] == "ADMIN" {
			query += " AND variable_name LIKE " + literal(m[1]+"-%")
		}
		if m[2] != "" {
			query += " AND variable_name LIKE " + m[2]
		}
		query += " ORDER BY variable_name"
	}
	if m := showCreate.FindStringSubmatch(words); m != nil {
		schema := memory
		if m[1] != "" {
			schema = m[1]
		}
		query = `SELECT name AS "table", sql AS "Create Table" FROM ` + strings.ToLower(schema) + ".sqlite_master WHERE type = 'table' AND name = " + literal(strings.ToLower(m[2]))
	}
	switch words {
	case "SHOW DATABASES", "SHOW SCHEMAS":
		query = "SELECT seq, name, file FROM pragma_database_list WHERE name <> " + literal(runtime)
	case "SHOW MYSQL STATUS":
		query = "SELECT Variable_Name, Variable_Value AS Value FROM stats_mysql_global ORDER BY 1"
	}
	if query == "" {
		return nil, false, nil
	}
	r, err := s.sql(ctx, query)
	return r, true, err
}

// sql is all the rest: SQLite's.
func (s *adminSession) sql(ctx context.Context, statement string) (*result, error) {
	if s.statistics {
		return s.proxy.statistics.statement(ctx, s.proxy, statement)
	}
	if strings.Contains(strings.ToLower(statement), "stats_mysql_global") {
		if err := s.proxy.layers.showStatistics(ctx, s.proxy); err != nil {
			return nil, err
		}
	}
	return s.proxy.layers.statement(ctx, statement)
}

// answer is a result as the protocol has it: every value is text.
func answer(r *result, err error) (*mysql.Result, error) {
	if err != nil {
		if _, said := errors.AsType[*mysql.MyError](err); said {
			return nil, err
		}
		return nil, refusal("%s", sqliteMessage(err))
	}
	if r.columns == nil {
		done := mysql.NewResultReserveResultset(0)
		done.AffectedRows = uint64(r.affected)
		return done, nil
	}
	set := mysql.NewResultset(len(r.columns))
	for i, name := range r.columns {
		set.Fields[i] = &mysql.Field{Name: []byte(name), Charset: 33, Type: mysql.MYSQL_TYPE_VAR_STRING, ColumnLength: 1 << 16}
	}
	for _, values := range r.values {
		var row []byte
		for _, v := range values {
			if v.Valid {
				row = append(row, mysql.PutLengthEncodedString([]byte(v.String))...)
			} else {
				row = append(row, 0xfb)
			}
		}
		set.RowDatas = append(set.RowDatas, row)
	}
	return mysql.NewResult(set), nil
}

var aroundMessage = regexp.MustCompile(`^(?:SQL logic error: |constraint failed: )?(.*?)(?: \(\d+\))?$`)

// sqliteMessage is SQLite's own, without what the driver puts around it.
func sqliteMessage(err error) string {
	return aroundMessage.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))[1]
}
