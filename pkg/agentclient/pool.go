// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"container/list"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agenttls"
)

const (
	// maxConnections are kept; the one used longest ago is closed for a new one.
	maxConnections = 256
	// firstContacts that may be under way at once: after a restart the operator has
	// none, and thousands of handshakes at a time would starve everything else. More
	// than the Unit controller has under way, so that other callers find a place too.
	firstContacts = 64
	// bufferSize of a connection. gRPC's default of 32 KiB each way would be 16 MiB.
	bufferSize = 4 << 10
	// breakTime and breakLimit: after a failure an agent is not dialled for this
	// long, doubled with each further one.
	breakTime  = time.Second
	breakLimit = 30 * time.Second
	// maxMessage an agent may send.
	maxMessage = 4 << 20
)

// pool keeps connections by pod.
type pool struct {
	operator *agenttls.Operator
	dialer   Dialer
	clock    clock.PassiveClock
	contacts chan struct{}

	mu      sync.Mutex
	entries map[types.UID]*entry
	used    *list.List // of *entry, the one used last in front
}

type entry struct {
	podUID types.UID
	// conn is nil while there is none.
	conn *grpc.ClientConn
	// ip the connection was made to: a pod that outlived its node's restart has
	// another one.
	ip       string
	place    *list.Element
	failures int
	// notBefore is when the agent may be tried again.
	notBefore time.Time
	lastErr   error
}

func newPool(operator *agenttls.Operator, dialer Dialer, c clock.PassiveClock) *pool {
	return &pool{
		operator: operator, dialer: dialer, clock: c, contacts: make(chan struct{}, firstContacts),
		entries: map[types.UID]*entry{}, used: list.New(),
	}
}

// get returns a connection, or an Unavailable error while the agent is backing off.
func (p *pool) get(t Target) (grpc.ClientConnInterface, error) { return p.connection(t, false) }

// getNow returns a connection although the agent is backing off.
func (p *pool) getNow(t Target) (grpc.ClientConnInterface, error) { return p.connection(t, true) }

func (p *pool) connection(t Target, now bool) (grpc.ClientConnInterface, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[t.PodUID]
	if e != nil && e.ip != t.PodIP {
		p.drop(e)
		e = nil
	}
	if e == nil {
		e = &entry{podUID: t.PodUID, ip: t.PodIP}
		e.place = p.used.PushFront(e)
		p.entries[t.PodUID] = e
		for len(p.entries) > maxConnections {
			p.drop(p.used.Back().Value.(*entry))
		}
	}
	p.used.MoveToFront(e.place)
	if !now && p.clock.Now().Before(e.notBefore) {
		// No figure that changes: callers put the message into conditions.
		return nil, status.Errorf(codes.Unavailable, "backing off after: %v", e.lastErr)
	}
	if e.conn == nil {
		conn, err := p.connect(t)
		if err != nil {
			return nil, err
		}
		e.conn = conn
	}
	return e.conn, nil
}

// connect makes a connection that dials when it is first used.
func (p *pool) connect(t Target) (*grpc.ClientConn, error) {
	id := agenttls.Identity{Namespace: t.Namespace, Name: t.Unit, UID: t.UnitUID}
	return grpc.NewClient("passthrough:///"+string(t.PodUID),
		grpc.WithTransportCredentials(slotCredentials{credentials.NewTLS(p.operator.ClientConfig(id))}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return p.dial(ctx, t) }),
		grpc.WithAuthority(t.Unit),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithReadBufferSize(bufferSize), grpc.WithWriteBufferSize(bufferSize),
		grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(64<<10),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithIdleTimeout(5*time.Minute),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
	)
}

// report tells how a call on a connection of get's went: a dead agent is given
// rest, with growing pauses.
func (p *pool) report(t Target, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[t.PodUID]
	if e == nil {
		return
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		if p.clock.Now().Before(e.notBefore) {
			return // one of several calls that failed at once
		}
		e.failures++
		pause := breakLimit
		if e.failures < 6 {
			pause = min(breakLimit, breakTime<<(e.failures-1))
		}
		e.notBefore, e.lastErr = p.clock.Now().Add(pause), errors.New(status.Convert(err).Message())
		// gRPC would dial a dead node for ever, and once it lives fail the next call
		// before it has noticed.
		e.disconnect()
	case codes.Canceled:
		// The caller's doing: it says nothing of the agent.
	default:
		e.failures, e.notBefore, e.lastErr = 0, time.Time{}, nil
	}
}

func (p *pool) forget(podUID types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.entries[podUID]; e != nil {
		p.drop(e)
	}
}

func (p *pool) drop(e *entry) {
	delete(p.entries, e.podUID)
	p.used.Remove(e.place)
	e.disconnect()
}

func (e *entry) disconnect() {
	if e.conn != nil {
		_ = e.conn.Close()
		e.conn = nil
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		p.drop(e)
	}
}
