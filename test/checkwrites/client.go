// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// The clients' patience. It is part of every gap that is reported: a client that hangs on
// a server that is gone notices after StatementTimeout.
const (
	ConnectTimeout   = time.Second
	StatementTimeout = 2 * time.Second
)

// Account that clients log in with.
type Account struct{ User, Password string }

// dialer makes a connection to a server.
type dialer func(ctx context.Context) (net.Conn, error)

// first connection that is made.
func first(ctx context.Context, addresses []string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	results := make(chan result, len(addresses))
	for _, address := range addresses {
		go func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			results <- result{conn, err}
		}()
	}
	var errs []error
	for n := range addresses {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		go func() {
			for range len(addresses) - n - 1 {
				if late := <-results; late.conn != nil {
					_ = late.conn.Close()
				}
			}
		}()
		return r.conn, nil
	}
	return nil, errors.Join(errs...)
}

// Clients of one Service.
type Clients struct {
	Engine  Engine
	Account Account
	// Addresses at which the Service is reached.
	Addresses []string
	// N of them, each of which begins a write every Interval or as soon as its last has ended.
	N        int
	Interval time.Duration
	History  *History
}

// Prepare makes the tables, through the Service.
func (c Clients) Prepare(ctx context.Context) error {
	s, err := c.Engine.connect(ctx, c.Account, c.Addresses...)
	if err != nil {
		return err
	}
	defer s.close()
	for _, statement := range c.Engine.prepare {
		if err := s.exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Run one client until the context ends.
func (c Clients) Run(ctx context.Context, client int) {
	var s *session
	for tick := time.NewTicker(c.Interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			if s != nil {
				s.close()
			}
			return
		case <-tick.C:
		}
		w := Write{ID: c.History.ID(), Client: client, Begun: time.Now()}
		var err error
		if s == nil {
			s, err = c.Engine.connect(context.Background(), c.Account, c.Addresses...)
		}
		if err == nil {
			// Not the run's context: its end is no reason not to know an outcome.
			err = s.exec(context.Background(), c.Engine.insert, w.ID)
		}
		w.Ended, w.Acknowledged = time.Now(), err == nil
		c.History.add(w, err)
		// Whatever went wrong, another session may lead to another server.
		if err != nil && s != nil {
			s.close()
			s = nil
		}
	}
}
