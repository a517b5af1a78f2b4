// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// statementTimeout of a client: longer than any statement of these tests takes while
// nothing is wrong.
const statementTimeout = 2 * time.Second

// nodePort is where this machine reaches a Service: a node's address and its port there.
func (e *environment) nodePort(t *testing.T, ns, service string) string {
	t.Helper()
	return e.nodePorts(t, ns, service)[0]
}

// nodePorts are those of all nodes.
func (e *environment) nodePorts(t *testing.T, ns, service string) []string {
	t.Helper()
	var port int32
	eventually(t, time.Minute, "a port of Service "+service, func(ctx context.Context) error {
		s, err := e.kube.CoreV1().Services(ns).Get(ctx, service, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, p := range s.Spec.Ports {
			port = p.NodePort
		}
		if port == 0 {
			return fmt.Errorf("type %s, ports %+v", s.Spec.Type, s.Spec.Ports)
		}
		return nil
	})
	nodes, err := e.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, node := range nodes.Items {
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				out = append(out, fmt.Sprintf("%s:%d", address.Address, port))
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("no node has an address")
	}
	return out
}

// sqlClient is an application's: it writes rows 1, 2, 3 and so on, one at a time, each on
// the connection it has, and connects anew after an error.
type sqlClient struct {
	// insert a row; without an error it is acknowledged.
	insert   func(ctx context.Context, id int) error
	stop     chan struct{}
	stopOnce sync.Once
	over     sync.WaitGroup

	mu sync.Mutex
	// acknowledged rows; of one that ended in an error nothing is known.
	acknowledged []int
	// gap is the longest time between two acknowledgements since the last look.
	gap  time.Duration
	last time.Time
	err  error
}

// openMySQL opens a pool of one connection.
func openMySQL(t *testing.T, address, user, password string) *sql.DB {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = user, password, "tcp", address
	c.TLSConfig, c.Logger, c.Timeout, c.ReadTimeout = "skip-verify", &mysql.NopLogger{}, statementTimeout, statementTimeout
	// A pool that got a server which is read-only by now asks the Service again.
	c.RejectReadOnly = true
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// writeRows starts a client of table app.t; first is its first row.
func writeRows(t *testing.T, insert func(ctx context.Context, id int) error, first int) *sqlClient {
	t.Helper()
	c := &sqlClient{insert: insert, stop: make(chan struct{}), last: time.Now()}
	c.over.Go(func() {
		for id := first; ; id++ {
			c.write(id)
			select {
			case <-c.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	t.Cleanup(c.end)
	return c
}

func (c *sqlClient) write(id int) {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	err := c.insert(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = err
		return
	}
	now := time.Now()
	c.gap, c.last = max(c.gap, now.Sub(c.last)), now
	c.acknowledged = append(c.acknowledged, id)
}

// end stops the client.
func (c *sqlClient) end() {
	c.stopOnce.Do(func() { close(c.stop) })
	c.over.Wait()
}

// look returns how many rows were acknowledged and the longest gap between two of them
// since the last look.
func (c *sqlClient) look() (rows int, gap time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gap, c.gap = c.gap, 0
	return len(c.acknowledged), gap
}

// goesOn waits until more rows are acknowledged.
func (c *sqlClient) goesOn(t *testing.T) {
	t.Helper()
	before, _ := c.look()
	eventually(t, time.Minute, "the client's writes to be acknowledged", func(context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.acknowledged) < before+10 {
			return fmt.Errorf("%d rows, last error: %w", len(c.acknowledged), c.err)
		}
		return nil
	})
}

// missing are acknowledged rows that a member does not have, once it has caught up.
func (c *sqlClient) missing(t *testing.T, name string, rows func(context.Context) (map[int]bool, error)) {
	t.Helper()
	c.mu.Lock()
	acknowledged := slices.Clone(c.acknowledged)
	c.mu.Unlock()
	eventually(t, time.Minute, "all acknowledged rows to be on "+name, func(ctx context.Context) error {
		there, err := rows(ctx)
		if err != nil {
			return err
		}
		var lost []int
		for _, id := range acknowledged {
			if !there[id] {
				lost = append(lost, id)
			}
		}
		if len(lost) > 0 {
			return fmt.Errorf("of %d rows %d are not there: %v", len(acknowledged), len(lost), lost[:min(10, len(lost))])
		}
		return nil
	})
}
