// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/operations"
)

// busyServer is a server as far as it lets sessions in, copies, and is asked who waits.
type busyServer struct {
	mu       sync.Mutex
	sessions int
	// shut: whoever comes is let wait until he gives up.
	shut bool
	// deaf: KILL takes no effect.
	deaf bool
	// breaks are the sessions whose next statement finds the connection broken.
	breaks map[int]bool
	// copying is closed when CLONE runs, killed when it was killed.
	copying, killed chan struct{}
	// shutsWhileCopying: a server that copies lets nobody in.
	shutsWhileCopying bool
}

func newBusyServer() *busyServer {
	return &busyServer{breaks: map[int]bool{}, copying: make(chan struct{}), killed: make(chan struct{})}
}

func (b *busyServer) session(ctx context.Context) (*session, error) {
	db := sql.OpenDB(b)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &session{conn, db}, nil
}

func (b *busyServer) Driver() driver.Driver { return nil }

func (b *busyServer) Connect(ctx context.Context) (driver.Conn, error) {
	b.mu.Lock()
	shut := b.shut
	b.sessions++
	c := &busySession{b, b.sessions}
	b.mu.Unlock()
	if shut {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c, nil
}

type busySession struct {
	b  *busyServer
	id int
}

func (c *busySession) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not asked for") }
func (c *busySession) Begin() (driver.Tx, error)           { return nil, errors.New("not asked for") }
func (c *busySession) Close() error                        { return nil }

// broken says whether the session is.
func (c *busySession) broken() bool {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.b.breaks[c.id]
}

func (c *busySession) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	b := c.b
	switch {
	case c.broken():
		return nil, mysqldriver.ErrInvalidConn
	case query == "CLONE":
		b.mu.Lock()
		b.shut = b.shutsWhileCopying
		b.mu.Unlock()
		close(b.copying)
		select {
		case <-b.killed:
			return nil, &mysqldriver.MySQLError{Number: 1317, Message: "Query execution was interrupted"}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case strings.HasPrefix(query, "KILL QUERY ") && !b.deaf:
		close(b.killed)
	}
	return driver.RowsAffected(0), nil
}

func (c *busySession) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	switch {
	case c.broken():
		return nil, mysqldriver.ErrInvalidConn
	case strings.HasPrefix(query, "SHOW GLOBAL STATUS"):
		return &busyRows{[]string{"Variable_name", "Value"}, [][]driver.Value{
			{"Rpl_semi_sync_source_wait_sessions", "2"}, {"Rpl_semi_sync_source_yes_tx", "7"},
		}}, nil
	}
	return &busyRows{[]string{"id"}, [][]driver.Value{{int64(c.id)}}}, nil
}

type busyRows struct {
	names []string
	rows  [][]driver.Value
}

func (r *busyRows) Columns() []string { return r.names }
func (r *busyRows) Close() error      { return nil }

func (r *busyRows) Next(to []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(to, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// copyOf a server begins a CLONE, which is cancelled once it runs, and says how it ended.
func copyOf(t *testing.T, b *busyServer, look func() error, prepare func(*killer)) error {
	t.Helper()
	s, err := b.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	k, err := newKiller(t.Context(), s, b.session)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	k.every = time.Millisecond
	if prepare != nil {
		prepare(k)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if look == nil {
		look = func() error { return nil }
		go func() {
			<-b.copying
			cancel()
		}()
	}
	ended := make(chan error, 1)
	go func() { ended <- k.run(ctx, "CLONE", look) }()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		close(b.killed)
		<-ended
		t.Fatal("the copy still runs")
		return nil
	}
}

func TestACopyIsEndedThoughTheServerLetsNobodyIn(t *testing.T) {
	b := newBusyServer()
	b.shutsWhileCopying = true
	if err := copyOf(t, b, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestACopyIsEndedByAnotherSessionAfterTheFirstBroke(t *testing.T) {
	b := newBusyServer()
	if err := copyOf(t, b, nil, func(*killer) { b.breaks[2] = true }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestACopyIsEndedWhenALookSaysSo(t *testing.T) {
	b := newBusyServer()
	full := errors.New("the volume is full")
	look := func() error {
		select {
		case <-b.copying:
			return full
		default:
			return nil
		}
	}
	if err := copyOf(t, b, look, nil); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// What a copy writes is removed when it failed: not while it still writes.
func TestACopyThatMustNotGoOnIsWaitedFor(t *testing.T) {
	b := newBusyServer()
	b.deaf = true
	full := errors.New("the volume is full")
	var ended atomic.Bool
	time.AfterFunc(200*time.Millisecond, func() {
		ended.Store(true)
		close(b.killed)
	})
	err := copyOf(t, b, func() error { return full }, func(k *killer) { k.most = time.Millisecond })
	if !errors.Is(err, full) || !ended.Load() {
		t.Errorf("got %v, the copy has ended: %t", err, ended.Load())
	}
}

func TestACopyThatTheServerDoesNotEndIsLeftToIt(t *testing.T) {
	b := newBusyServer()
	b.deaf = true
	err := copyOf(t, b, nil, func(k *killer) { k.most = 50 * time.Millisecond })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("got %v", err)
	}
}

// The donor is as busy as the machine while a copy is made of it, and what is to be seen is
// that it is blocked after that.
func TestADonorThatMissesAQuestionIsAskedAgain(t *testing.T) {
	b := newBusyServer()
	from, err := b.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The session breaks, and the first that would take its place does, too.
	b.breaks[1], b.breaks[2] = true, true
	asked := &asking{from: from, dial: b.session}
	defer asked.close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = untilBlocked(ctx, asked.acknowledgements, time.Millisecond, 20*time.Millisecond)
	if operations.ReasonOf(err) != reasonDonorBlocked {
		t.Errorf("got %v", err)
	}
}
