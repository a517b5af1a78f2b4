// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
)

// slotConn holds one of the places for first contacts from before it is dialled
// until its handshake is over: the handshake is what costs.
type slotConn struct {
	net.Conn
	release func()
}

func (c *slotConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// dial waits for a place and dials.
func (p *pool) dial(ctx context.Context, t Target) (net.Conn, error) {
	select {
	case p.contacts <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other first contacts: %w", ctx.Err())
	}
	release := sync.OnceFunc(func() { <-p.contacts })
	conn, err := p.dialer.Dial(ctx, t)
	if err != nil {
		release()
		return nil, err
	}
	return &slotConn{Conn: conn, release: release}, nil
}

// slotCredentials give the place back after the handshake.
type slotCredentials struct {
	credentials.TransportCredentials
}

// ClientHandshake implements credentials.TransportCredentials.
func (c slotCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	s, ok := conn.(*slotConn)
	if !ok {
		return c.TransportCredentials.ClientHandshake(ctx, authority, conn)
	}
	defer s.release()
	return c.TransportCredentials.ClientHandshake(ctx, authority, s.Conn)
}

// Clone implements credentials.TransportCredentials.
func (c slotCredentials) Clone() credentials.TransportCredentials {
	return slotCredentials{c.TransportCredentials.Clone()}
}
