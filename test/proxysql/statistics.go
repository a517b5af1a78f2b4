// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"strconv"
	"sync/atomic"
	"time"
)

// counters are what a proxy counts.
type counters struct {
	started                                           time.Time
	clients, clientsCreated, clientsAborted           atomic.Int64
	servers, serversCreated, serversAborted           atomic.Int64
	transactions, questions, slow, received, sentBack atomic.Int64
}

// values are the rows of stats_mysql_global that are kept.
func (c *counters) values() map[string]int64 {
	return map[string]int64{
		"ProxySQL_Uptime":              int64(time.Since(c.started).Seconds()),
		"Client_Connections_connected": c.clients.Load(),
		"Client_Connections_created":   c.clientsCreated.Load(),
		"Client_Connections_aborted":   c.clientsAborted.Load(),
		"Server_Connections_connected": c.servers.Load(),
		"Server_Connections_created":   c.serversCreated.Load(),
		"Server_Connections_aborted":   c.serversAborted.Load(),
		"Active_Transactions":          c.transactions.Load(),
		"Questions":                    c.questions.Load(),
		"Slow_queries":                 c.slow.Load(),
		"Queries_backends_bytes_recv":  c.received.Load(),
		"Queries_backends_bytes_sent":  c.sentBack.Load(),
	}
}

// showStatistics fills the tables of the schema stats.
func (l *layers) showStatistics(ctx context.Context, p *proxy) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fillStatistics(ctx, "stats", p)
}

func (l *layers) fillStatistics(ctx context.Context, schema string, p *proxy) error {
	for name, value := range p.counters.values() {
		insert := "INSERT OR REPLACE INTO " + schema + ".stats_mysql_global VALUES (" + literal(name) + ", " + literal(strconv.FormatInt(value, 10)) + ")"
		if err := l.exec(ctx, insert); err != nil {
			return err
		}
	}
	return nil
}

// statisticsOnly is the database of those who may see nothing else.
type statisticsOnly struct{ layers }

func openStatistics(ctx context.Context) (*statisticsOnly, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &statisticsOnly{layers{db: db, conn: conn}}
	for _, t := range statisticsTables {
		if err := s.exec(ctx, "CREATE TABLE "+t.name+" ("+t.columns+")"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *statisticsOnly) statement(ctx context.Context, p *proxy, statement string) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fillStatistics(ctx, memory, p); err != nil {
		return nil, err
	}
	return s.query(ctx, statement)
}
