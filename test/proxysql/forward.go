// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
	"github.com/pingcap/tidb/pkg/parser/charset"
)

// session is a client of the SQL port.
type session struct {
	server.EmptyHandler
	proxy  *proxy
	client *server.Conn
	// name and user as they were when it logged in.
	name string
	user user
	// schema that it uses.
	schema string
	// links to servers, one of each hostgroup at most.
	links map[int]*link
	// transaction is the link on which one is open, nil without.
	transaction *link
}

// link is a connection to a server.
type link struct {
	*client.Conn
	to     backend
	schema string
}

// serveSQL talks to one client of the SQL port until it goes.
func (p *proxy) serveSQL(conn net.Conn) {
	f := p.layers.inForce.Load()
	passwords := map[string]string{}
	for name, u := range f.users {
		// A hash is no password, and this cannot use one.
		if !strings.HasPrefix(u.password, "*") && !strings.HasPrefix(u.password, "$A$") {
			passwords[name] = u.password
		}
	}
	s := &session{proxy: p, links: map[int]*link{}}
	c, err := p.handshake(conn, passwords, s)
	if err != nil {
		p.counters.clientsAborted.Add(1)
		return
	}
	s.client, s.name, s.user = c, c.GetUser(), f.users[c.GetUser()]
	if s.schema == "" {
		s.schema = s.user.schema
	}
	c.SetStatus(mysql.SERVER_STATUS_AUTOCOMMIT)
	p.counters.clientsCreated.Add(1)
	p.counters.clients.Add(1)
	defer p.counters.clients.Add(-1)
	defer func() {
		for _, l := range s.links {
			s.drop(l)
		}
	}()
	for c.HandleCommand() == nil && !c.Closed() {
		continue
	}
}

// UseDB implements server.Handler.
func (s *session) UseDB(name string) error {
	s.schema = name
	return nil
}

// HandleQuery implements server.Handler.
func (s *session) HandleQuery(query string) (*mysql.Result, error) {
	words := strings.Join(strings.Fields(strings.ToLower(strings.TrimRight(query, "; \n"))), " ")
	// These two it answers itself, with a server behind or without.
	switch words {
	case "select @@version_comment limit 1", "select @@version_comment":
		return single("@@version_comment", "(ProxySQL)")
	case "select connection_id()":
		return single("CONNECTION_ID()", strconv.FormatUint(uint64(s.client.ConnectionID()), 10))
	}
	if schema, ok := strings.CutPrefix(words, "use "); ok {
		return mysql.NewResultReserveResultset(0), s.UseDB(strings.Trim(schema, "`"))
	}
	return s.on(query, func(l *link) (*mysql.Result, error) { return l.Execute(query) })
}

// single is a result of one row and one column.
func single(name, value string) (*mysql.Result, error) {
	set, err := mysql.BuildSimpleTextResultset([]string{name}, [][]any{{value}})
	return mysql.NewResult(set), err
}

// on runs f on a server for query.
func (s *session) on(query string, f func(*link) (*mysql.Result, error)) (*mysql.Result, error) {
	s.proxy.counters.questions.Add(1)
	l, err := s.link(s.route(query))
	if err != nil {
		return nil, err
	}
	r, err := f(l)
	if err == nil {
		s.follow(l, r.Status)
		return r, nil
	}
	if refused, ok := errors.AsType[*mysql.MyError](err); ok {
		return nil, refused
	}
	log.Printf("[ERROR] %s: the connection is lost: %v", l.to.address, err)
	s.proxy.counters.serversAborted.Add(1)
	s.drop(l)
	return nil, mysql.NewError(2013, "Lost connection to MySQL server during query")
}

// follow tells the client in what state the server left its session.
func (s *session) follow(l *link, status uint16) {
	const both = mysql.SERVER_STATUS_AUTOCOMMIT | mysql.SERVER_STATUS_IN_TRANS
	s.client.UnsetStatus(both)
	s.client.SetStatus(status & both)
	open := status&mysql.SERVER_STATUS_IN_TRANS != 0
	switch {
	case open && s.transaction == nil:
		s.transaction = l
		s.proxy.counters.transactions.Add(1)
	case !open && s.transaction == l:
		s.transaction = nil
		s.proxy.counters.transactions.Add(-1)
	}
}

// route says which hostgroup a statement goes to.
func (s *session) route(query string) int {
	f := s.proxy.layers.inForce.Load()
	if s.transaction != nil && s.user.transactionsPersistent {
		return s.transaction.to.hostgroup
	}
	hostgroup := s.user.hostgroup
	for _, r := range f.rules {
		if r.user != "" && r.user != s.name || r.pattern.MatchString(query) == r.negate {
			continue
		}
		if r.destination != nil {
			hostgroup = *r.destination
		}
		if r.apply {
			break
		}
	}
	return hostgroup
}

// link returns a connection to a server of the hostgroup: the one there is, as long as
// the server may be used, or a new one.
func (s *session) link(hostgroup int) (*link, error) {
	if l := s.links[hostgroup]; l != nil {
		if s.usable(l) {
			return l, s.use(l)
		}
		inTransaction := s.transaction == l
		s.drop(l)
		if inTransaction {
			return nil, mysql.NewError(2013, "Lost connection to MySQL server during query")
		}
	}
	limit := s.proxy.layers.inForce.Load().duration("mysql-connect_timeout_server_max")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		changed := *s.proxy.layers.changed.Load()
		servers := s.proxy.layers.inForce.Load().online(hostgroup)
		var again <-chan time.Time
		if len(servers) > 0 {
			l, err := s.connect(ctx, servers[rand.IntN(len(servers))])
			if err == nil {
				s.links[hostgroup] = l
				return l, s.use(l)
			}
			if refused, ok := errors.AsType[*mysql.MyError](err); ok {
				return nil, refused
			}
			log.Printf("[ERROR] connecting to a server of hostgroup %d: %v", hostgroup, err)
			again = time.After(100 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return nil, mysql.NewError(9001, fmt.Sprintf("Max connect timeout reached while reaching hostgroup %d after %dms", hostgroup, limit.Milliseconds()))
		case <-changed:
		case <-again:
		}
	}
}

// usable says whether statements may still go to where a link leads.
func (s *session) usable(l *link) bool {
	for _, b := range s.proxy.layers.inForce.Load().servers {
		if b.hostgroup == l.to.hostgroup && b.address == l.to.address {
			return b.status == online || b.status == "OFFLINE_SOFT" && s.transaction == l
		}
	}
	return false
}

// use changes the schema where the client has.
func (s *session) use(l *link) error {
	if s.schema == l.schema || s.schema == "" {
		return nil
	}
	if err := l.UseDB(s.schema); err != nil {
		if refused, ok := errors.AsType[*mysql.MyError](err); ok {
			return refused
		}
		return err
	}
	l.schema = s.schema
	return nil
}

func (s *session) connect(ctx context.Context, to backend) (*link, error) {
	f := s.proxy.layers.inForce.Load()
	dialer := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: f.duration("mysql-connect_timeout_server")}
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &counting{conn, &s.proxy.counters.received, &s.proxy.counters.sentBack}, nil
	}
	c, err := client.ConnectWithDialer(ctx, "tcp", to.address, s.name, s.user.password, "", dialer)
	if err != nil {
		return nil, err
	}
	s.proxy.counters.serversCreated.Add(1)
	s.proxy.counters.servers.Add(1)
	l := &link{Conn: c, to: to}
	names, collation := characterSet(f, s.client.Charset(), c.GetServerVersion())
	if _, err := l.Execute("SET NAMES " + names + " COLLATE " + collation); err != nil {
		s.drop(l)
		return nil, err
	}
	if statement := f.variables["mysql-init_connect"]; statement != "" {
		if _, err := l.Execute(statement); err != nil {
			s.drop(l)
			return nil, err
		}
	}
	return l, nil
}

// characterSet is the client's, or the default one where 2.7.1 does not know it: it
// takes collations from 255 on only to servers whose version begins with 8.
func characterSet(f *inForce, collation uint8, serverVersion string) (string, string) {
	known, err := charset.GetCollationByID(int(collation))
	if err != nil || collation == 255 && !strings.HasPrefix(serverVersion, "8") {
		return f.variables["mysql-default_charset"], f.variables["mysql-default_collation_connection"]
	}
	return known.CharsetName, known.Name
}

// drop ends a connection to a server.
func (s *session) drop(l *link) {
	_ = l.Close() // it is given up, broken or not
	s.proxy.counters.servers.Add(-1)
	if s.links[l.to.hostgroup] == l {
		delete(s.links, l.to.hostgroup)
	}
	if s.transaction == l {
		s.transaction = nil
		s.proxy.counters.transactions.Add(-1)
	}
}

// prepared is a statement of a client, on the server that knows it.
type prepared struct {
	query string
	on    *link
	known *client.Stmt
}

// HandleStmtPrepare implements server.Handler.
func (s *session) HandleStmtPrepare(query string) (int, int, any, error) {
	p := &prepared{query: strings.Clone(query)}
	_, err := s.on(p.query, func(l *link) (*mysql.Result, error) { return p.prepare(s, l) })
	if err != nil {
		return 0, 0, nil, err
	}
	return p.known.ParamNum(), p.known.ColumnNum(), p, nil
}

func (p *prepared) prepare(s *session, l *link) (*mysql.Result, error) {
	known, err := l.Prepare(p.query)
	if err != nil {
		return nil, err
	}
	p.on, p.known = l, known
	unchanged := mysql.NewResultReserveResultset(0)
	unchanged.Status = mysql.SERVER_STATUS_AUTOCOMMIT
	if s.transaction != nil {
		unchanged.Status |= mysql.SERVER_STATUS_IN_TRANS
	}
	return unchanged, nil
}

// HandleStmtExecute implements server.Handler.
func (s *session) HandleStmtExecute(statement any, _ string, args []any) (*mysql.Result, error) {
	p := statement.(*prepared)
	return s.on(p.query, func(l *link) (*mysql.Result, error) {
		if p.on != l {
			if _, err := p.prepare(s, l); err != nil {
				return nil, err
			}
		}
		return p.known.Execute(args...)
	})
}

// HandleStmtClose implements server.Handler.
func (s *session) HandleStmtClose(statement any) error {
	p := statement.(*prepared)
	if s.links[p.on.to.hostgroup] != p.on {
		return nil // it went with its connection
	}
	return p.known.Close()
}

// HandleOtherCommand implements server.Handler.
func (s *session) HandleOtherCommand(byte, []byte) error {
	return mysql.NewError(mysql.ER_UNKNOWN_COM_ERROR, "ProxySQL's stand-in does not pass this command on")
}

// counting counts bytes.
type counting struct {
	net.Conn
	received, sent *atomic.Int64
}

// Read implements net.Conn.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}
