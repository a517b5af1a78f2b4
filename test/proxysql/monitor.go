// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// monitor looks at the servers and changes RUNTIME by what it sees.
type monitor struct {
	layers *layers

	mu sync.Mutex
	// pool has the connection to each server that ping and read_only use. It keeps
	// the account that opened it.
	pool map[string]*client.Conn
	// unanswered counts checks in a row that a server did not answer, by check.
	unanswered map[[2]string]int
}

func newMonitor(l *layers) *monitor {
	return &monitor{layers: l, pool: map[string]*client.Conn{}, unanswered: map[[2]string]int{}}
}

// run looks until ctx ends, at each thing in its own interval.
func (m *monitor) run(ctx context.Context) {
	for name, check := range map[string]func(context.Context, *inForce){"connect": m.connects, "ping": m.pings, "read_only": m.readOnlys} {
		go func() {
			for {
				changed, f := *m.layers.changed.Load(), m.layers.inForce.Load()
				started := time.Now()
				if f.variables["mysql-monitor_enabled"] == "true" {
					check(ctx, f)
				}
				rest := f.duration("mysql-monitor_"+name+"_interval") - time.Since(started)
				select {
				case <-ctx.Done():
					return
				case <-time.After(rest):
				case <-changed:
					// Servers that are new are looked at soon, and none all the time.
					time.Sleep(50 * time.Millisecond)
				}
			}
		}()
	}
}

// each calls check for every address once, side by side.
func each(addresses []string, check func(address string)) {
	slices.Sort(addresses)
	var all sync.WaitGroup
	for _, a := range slices.Compact(addresses) {
		all.Go(func() { check(a) })
	}
	all.Wait()
}

func (f *inForce) addresses() []string {
	var all []string
	for _, b := range f.servers {
		all = append(all, b.address)
	}
	return all
}

// dial opens a connection as the monitoring account.
func dial(ctx context.Context, f *inForce, address string, timeout time.Duration) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(timeout))
		}
		return conn, err
	}
	c, err := client.ConnectWithDialer(ctx, "tcp", address, f.variables["mysql-monitor_username"], f.variables["mysql-monitor_password"], "", dialer)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Time{})
}

// pooled calls ask on the connection that is kept to a server.
func (m *monitor) pooled(ctx context.Context, f *inForce, address string, timeout time.Duration, ask func(*client.Conn) error) error {
	m.mu.Lock()
	c := m.pool[address]
	delete(m.pool, address) // nobody else asks on it
	m.mu.Unlock()
	if c == nil {
		var err error
		if c, err = dial(ctx, f, address, timeout); err != nil {
			return err
		}
	}
	err := c.SetDeadline(time.Now().Add(timeout))
	if err == nil {
		err = ask(c)
	}
	if err != nil {
		_ = c.Close() // the error says it
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pool[address] == nil {
		m.pool[address] = c
		return nil
	}
	return c.Close()
}

// answered counts: it returns how often in a row there was no answer. A server that
// refuses the account has answered.
func (m *monitor) answered(check, address string, err error) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{check, address}
	if _, refused := errors.AsType[*mysql.MyError](err); err == nil || refused {
		delete(m.unanswered, key)
		return 0
	}
	m.unanswered[key]++
	return m.unanswered[key]
}

// since and message are columns of the monitor's tables.
func since(started time.Time, err error) string {
	if err != nil {
		return "0"
	}
	return strconv.FormatInt(time.Since(started).Microseconds(), 10)
}

func message(err error) string {
	if err == nil {
		return "NULL"
	}
	return literal(err.Error())
}

// place is the first columns of the monitor's tables.
func place(address string, started time.Time) []string {
	name, port, _ := net.SplitHostPort(address)
	return []string{literal(name), literal(port), strconv.FormatInt(started.UnixMicro(), 10)}
}

// connects checks that the account can log in.
func (m *monitor) connects(ctx context.Context, f *inForce) {
	each(f.addresses(), func(address string) {
		started := time.Now()
		c, err := dial(ctx, f, address, f.duration("mysql-monitor_connect_timeout"))
		if err == nil {
			_ = c.Close() // it has served
		} else {
			log.Printf("[ERROR] Server %s: %v", address, err)
		}
		m.layers.note(ctx, "mysql_server_connect_log", append(place(address, started), since(started, err), message(err))...)
	})
}

// pings shuns servers that do not answer, and takes those back that do.
func (m *monitor) pings(ctx context.Context, f *inForce) {
	each(f.addresses(), func(address string) {
		started := time.Now()
		err := m.pooled(ctx, f, address, f.duration("mysql-monitor_ping_timeout"), (*client.Conn).Ping)
		m.layers.note(ctx, "mysql_server_ping_log", append(place(address, started), since(started, err), message(err))...)
		from, to := shunned, online
		if n := m.answered("ping", address, err); n >= f.number("mysql-monitor_ping_max_failures") {
			from, to = online, shunned
		} else if n > 0 || !slices.ContainsFunc(f.servers, func(b backend) bool { return b.address == address && b.status == shunned }) {
			return
		}
		m.change(ctx, "UPDATE live.mysql_servers SET status = "+literal(to)+" WHERE status = "+literal(from)+" AND "+where(address))
	})
}

func where(address string) string {
	name, port, _ := net.SplitHostPort(address)
	return "hostname = " + literal(name) + " AND port = " + port
}

func (m *monitor) change(ctx context.Context, statements ...string) {
	if err := m.layers.edit(ctx, statements...); err != nil && ctx.Err() == nil {
		log.Printf("[ERROR] the monitor cannot change RUNTIME: %v", err)
	}
}

// readOnlys moves servers between the hostgroups of a pair.
func (m *monitor) readOnlys(ctx context.Context, f *inForce) {
	for _, p := range f.pairs {
		var addresses []string
		for _, b := range f.servers {
			if b.hostgroup == p.writer || b.hostgroup == p.reader {
				addresses = append(addresses, b.address)
			}
		}
		each(addresses, func(address string) {
			started := time.Now()
			var readOnly bool
			err := m.pooled(ctx, f, address, f.duration("mysql-monitor_read_only_timeout"), func(c *client.Conn) error {
				r, err := c.Execute(question(p.check))
				if err != nil {
					return err
				}
				n, err := r.GetInt(0, 0)
				readOnly = n != 0
				return err
			})
			seen := "NULL"
			if err == nil {
				seen = map[bool]string{true: "1", false: "0"}[readOnly]
			}
			m.layers.note(ctx, "mysql_server_read_only_log", append(place(address, started), since(started, err), seen, message(err))...)
			if n := m.answered("read_only", address, err); n >= f.number("mysql-monitor_read_only_max_timeout_count") {
				readOnly = true
			} else if err != nil {
				return
			}
			if statements := p.moves(f, address, readOnly); len(statements) > 0 {
				log.Printf("[INFO] Server %s: read_only=%v, hostgroups %d and %d", address, readOnly, p.writer, p.reader)
				m.change(ctx, statements...)
			}
		})
	}
}

// question asks for what check_type says.
func question(check string) string {
	for _, operator := range []string{"|", "&"} {
		if a, b, both := strings.Cut(check, operator); both {
			return "SELECT @@global." + a + operator + "@@global." + b + " AS read_only"
		}
	}
	return "SELECT @@global." + check + " AS read_only"
}

// moves are the statements that put a server where it belongs; none if it is there.
func (p pair) moves(f *inForce, address string, readOnly bool) []string {
	in := func(hostgroup int) bool {
		return slices.ContainsFunc(f.servers, func(b backend) bool { return b.hostgroup == hostgroup && b.address == address })
	}
	add := func(to, from int) string {
		rest := "hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment"
		return "INSERT OR IGNORE INTO live.mysql_servers (hostgroup_id, " + rest + ") SELECT " + strconv.Itoa(to) + ", " + rest +
			" FROM live.mysql_servers WHERE hostgroup_id = " + strconv.Itoa(from) + " AND " + where(address)
	}
	remove := func(from int) string {
		return "DELETE FROM live.mysql_servers WHERE hostgroup_id = " + strconv.Itoa(from) + " AND " + where(address)
	}
	alsoReader := f.variables["mysql-monitor_writer_is_also_reader"] == "true"
	var all []string
	switch {
	case readOnly && in(p.writer):
		return []string{add(p.reader, p.writer), remove(p.writer)}
	case readOnly:
		return nil
	case !in(p.writer):
		all = append(all, add(p.writer, p.reader))
	}
	switch {
	case alsoReader && !in(p.reader):
		all = append(all, add(p.reader, p.writer))
	case !alsoReader && in(p.reader):
		all = append(all, remove(p.reader))
	}
	return all
}
