// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

// link is the way from a replica to its source. While it is deaf nothing that the
// replica sends arrives, as with packets that are dropped one way.
type link struct {
	listener net.Listener
	to       string
	deaf     atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

func newLink(t *testing.T, port int) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, to: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	t.Cleanup(func() {
		listener.Close()
		l.cut()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l.carry(client)
		}
	}()
	return l
}

func (l *link) port() int { return l.listener.Addr().(*net.TCPAddr).Port }

func (l *link) carry(client net.Conn) {
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		client.Close()
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, client, server)
	l.mu.Unlock()
	go func() {
		io.Copy(client, server)
		client.Close()
	}()
	go func() {
		defer server.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			if l.deaf.Load() {
				continue
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
}

// cut ends the connections there are.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

func TestALostAcknowledgementFreesItselfOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		all := members(t, box, 2)
		a, b := all[0], all[1]
		l := newLink(t, a.port)
		a.promote(b)
		b.follow(a)
		a.exec("CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)")
		b.record.Upstream.Port = l.port()
		if err := b.tryFollow(20*time.Second, a.observe().MySQL.Executed); err != nil {
			t.Fatal(err)
		}

		l.deaf.Store(true)
		outcome := a.waiting(1)
		b.until(count, "1")
		pending(t, outcome)
		l.cut()
		l.deaf.Store(false)
		waitFor(t, "the replica to be back", func() (bool, string) {
			r, s := b.observe().MySQL.Channel, a.observe().MySQL.SemiSync
			return r.Receiving && s.Clients >= 1, r.ReceiverError
		})
		// It has the transaction: by itself it never acknowledges it.
		time.Sleep(2 * time.Second)
		pending(t, outcome)
		before := a.observe().MySQL.Executed

		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		begun, committed := time.Now(), 0
		for {
			committed += len(a.tend())
			select {
			case err := <-outcome:
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("freed after %v by %d transactions", time.Since(begun), committed)
				if committed != 1 {
					t.Errorf("%d empty transactions, want 1", committed)
				}
				a.exec("INSERT INTO d.t VALUES (2)")
				b.until(count, "2")
				if got := a.observe().MySQL; got.SemiSync.Unacknowledged != 0 {
					t.Errorf("executed %s before, %s now, %d without an acknowledgement", before, got.Executed, got.SemiSync.Unacknowledged)
				}
				return
			case <-ticker.C:
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatal("the client waits still")
			}
		}
	})
}
