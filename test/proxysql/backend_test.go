// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// backendServer speaks as much MySQL as a proxy that looks at read_only needs.
type backendServer struct {
	port     string
	listener net.Listener

	mu       sync.Mutex
	readOnly bool
	open     map[net.Conn]bool
	// asked are the statements that came, of app only.
	asked []string
}

func newBackend(t *testing.T, readOnly bool) *backendServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := &backendServer{port: port, listener: l, readOnly: readOnly, open: map[net.Conn]bool{}}
	go b.accept()
	t.Cleanup(b.kill)
	return b
}

func (b *backendServer) accept() {
	known := server.NewInMemoryProvider()
	known.AddUser("app", "apppass")
	known.AddUser("monitor", "monpass")
	s := server.NewServer("9.7.4", 45, mysql.AUTH_CACHING_SHA2_PASSWORD, nil, nil)
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.open[conn] = true
		b.mu.Unlock()
		go func() {
			defer func() {
				_ = conn.Close()
				b.mu.Lock()
				delete(b.open, conn)
				b.mu.Unlock()
			}()
			h := &backendSession{backend: b}
			var err error
			if h.client, err = s.NewCustomizedConn(conn, known, h); err != nil {
				return
			}
			h.client.SetStatus(mysql.SERVER_STATUS_AUTOCOMMIT)
			for h.client.HandleCommand() == nil && !h.client.Closed() {
				continue
			}
		}()
	}
}

// kill is SIGKILL.
func (b *backendServer) kill() {
	_ = b.listener.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		_ = c.Close()
	}
}

func (b *backendServer) setReadOnly(to bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readOnly = to
}

type backendSession struct {
	server.EmptyHandler
	backend *backendServer
	client  *server.Conn
}

// UseDB implements server.Handler.
func (s *backendSession) UseDB(string) error { return nil }

// HandleQuery implements server.Handler.
func (s *backendSession) HandleQuery(query string) (*mysql.Result, error) {
	words := strings.ToLower(query)
	if s.client != nil && s.client.GetUser() == "app" {
		s.backend.mu.Lock()
		s.backend.asked = append(s.backend.asked, strings.Clone(query))
		s.backend.mu.Unlock()
	}
	value := ""
	switch {
	case strings.HasPrefix(words, "begin") || strings.HasPrefix(words, "start transaction"):
		s.client.SetInTransaction()
	case strings.HasPrefix(words, "commit") || strings.HasPrefix(words, "rollback"):
		s.client.ClearInTransaction()
	case strings.Contains(words, "fail"):
		return nil, mysql.NewError(1366, "Incorrect string value")
	case strings.Contains(words, "read_only"):
		s.backend.mu.Lock()
		value = map[bool]string{true: "1", false: "0"}[s.backend.readOnly]
		s.backend.mu.Unlock()
	case strings.Contains(words, "@@port"):
		value = s.backend.port
	case strings.HasPrefix(words, "select"):
		value = "1"
	}
	if value == "" {
		done := mysql.NewResultReserveResultset(0)
		done.AffectedRows = 1
		return done, nil
	}
	set, err := mysql.BuildSimpleTextResultset([]string{"read_only"}, [][]any{{value}})
	return mysql.NewResult(set), err
}

// HandleStmtPrepare implements server.Handler.
func (s *backendSession) HandleStmtPrepare(query string) (int, int, any, error) {
	return strings.Count(query, "?"), 1, nil, nil
}

// HandleStmtExecute implements server.Handler.
func (s *backendSession) HandleStmtExecute(_ any, _ string, arguments []any) (*mysql.Result, error) {
	set, err := mysql.BuildSimpleBinaryResultset([]string{"told"}, [][]any{{fmt.Sprint(len(arguments)) + " on " + s.backend.port}})
	return mysql.NewResult(set), err
}

// HandleStmtClose implements server.Handler.
func (s *backendSession) HandleStmtClose(any) error { return nil }

// HandleOtherCommand implements server.Handler: some proxies reset a session before
// they use it again.
func (s *backendSession) HandleOtherCommand(byte, []byte) error { return nil }

// in writes a server for the configuration file.
func (b *backendServer) in(hostgroup int) string {
	return "{ address=\"127.0.0.1\", port=" + b.port + ", hostgroup=" + strconv.Itoa(hostgroup) + " }"
}
