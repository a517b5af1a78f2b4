// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// inForce is RUNTIME. It is never changed, but replaced.
type inForce struct {
	variables map[string]string
	servers   []backend
	pairs     []pair
	users     map[string]user
	rules     []rule
}

// backend is a server in a hostgroup; one in two hostgroups is two.
type backend struct {
	hostgroup int
	address   string
	status    string
	weight    int
}

// pair is a row of mysql_replication_hostgroups.
type pair struct {
	writer, reader int
	check          string
}

type user struct {
	password, schema       string
	hostgroup              int
	transactionsPersistent bool
}

// rule is a row of mysql_query_rules.
type rule struct {
	user        string
	pattern     *regexp.Regexp
	negate      bool
	destination *int
	apply       bool
}

// online are the servers of a hostgroup that may be given work.
func (f *inForce) online(hostgroup int) []backend {
	return slices.DeleteFunc(slices.Clone(f.servers), func(b backend) bool {
		return b.hostgroup != hostgroup || b.status != online || b.weight == 0
	})
}

// States of a server.
const (
	online  = "ONLINE"
	shunned = "SHUNNED"
)

// duration of a variable in milliseconds.
func (f *inForce) duration(name string) time.Duration {
	return time.Duration(f.number(name)) * time.Millisecond
}

func (f *inForce) number(name string) int {
	n, err := strconv.Atoi(f.variables[name])
	if err != nil {
		log.Panicf("variable %s is no number", name)
	}
	return n
}

// refresh reads RUNTIME and tells those who wait for another. mu is held.
func (l *layers) refresh(ctx context.Context) error {
	f := &inForce{users: map[string]user{}}
	var err error
	if f.variables, err = l.variables(ctx, runtime); err != nil {
		return err
	}
	rows, err := l.query(ctx, "SELECT hostgroup_id, hostname, port, UPPER(status), weight FROM live.mysql_servers ORDER BY 1, 2, 3")
	if err != nil {
		return err
	}
	for _, r := range rows.values {
		f.servers = append(f.servers, backend{integer(r[0].String), net.JoinHostPort(r[1].String, r[2].String), r[3].String, integer(r[4].String)})
	}
	if rows, err = l.query(ctx, "SELECT writer_hostgroup, reader_hostgroup, LOWER(check_type) FROM live.mysql_replication_hostgroups ORDER BY 1"); err != nil {
		return err
	}
	for _, r := range rows.values {
		f.pairs = append(f.pairs, pair{integer(r[0].String), integer(r[1].String), r[2].String})
	}
	if rows, err = l.query(ctx, "SELECT username, password, COALESCE(default_schema, ''), default_hostgroup, transaction_persistent FROM live.mysql_users WHERE active = 1 AND frontend = 1"); err != nil {
		return err
	}
	for _, r := range rows.values {
		f.users[r[0].String] = user{r[1].String, r[2].String, integer(r[3].String), r[4].String == "1"}
	}
	if rows, err = l.query(ctx, `SELECT COALESCE(username, ''), COALESCE(match_pattern, match_digest, ''), negate_match_pattern,
		COALESCE(re_modifiers, ''), destination_hostgroup, apply FROM live.mysql_query_rules WHERE active = 1 AND flagIN = 0 ORDER BY rule_id`); err != nil {
		return err
	}
	for _, r := range rows.values {
		pattern := r[1].String
		if r[3].String == "CASELESS" {
			pattern = "(?i)" + pattern
		}
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			log.Printf("[ERROR] a query rule's pattern is not one: %v", err)
			continue
		}
		rule := rule{user: r[0].String, pattern: compiled, negate: r[2].String == "1", apply: r[5].String == "1"}
		if r[4].Valid {
			n := integer(r[4].String)
			rule.destination = &n
		}
		f.rules = append(f.rules, rule)
	}
	l.inForce.Store(f)
	changed := make(chan struct{})
	close(*l.changed.Swap(&changed))
	return nil
}

// integer reads a column that SQLite keeps as a number.
func integer(s string) int {
	n, _ := strconv.Atoi(s) // what is no number is in no hostgroup of anybody
	return n
}
