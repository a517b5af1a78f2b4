// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// connectTimeout of a TCP connection: a pod that is there answers at once.
const connectTimeout = time.Second

// Dialer opens a byte stream to an agent's port. TLS is spoken over it.
type Dialer interface {
	Dial(ctx context.Context, target Target) (net.Conn, error)
}

// DialerFunc makes a Dialer of a function.
type DialerFunc func(ctx context.Context, target Target) (net.Conn, error)

// Dial calls f.
func (f DialerFunc) Dial(ctx context.Context, target Target) (net.Conn, error) { return f(ctx, target) }

// PodIP dials pods by their address: in the cluster, or where its pod network is
// routed.
func PodIP() Dialer {
	d := &net.Dialer{Timeout: connectTimeout}
	return DialerFunc(func(ctx context.Context, t Target) (net.Conn, error) {
		if t.PodIP == "" {
			return nil, fmt.Errorf("pod %s has no address yet", t.Pod)
		}
		return d.DialContext(ctx, "tcp", net.JoinHostPort(t.PodIP, fmt.Sprint(Port)))
	})
}

// Auto dials by address, and through second where that does not work. It remembers
// per pod which one did.
func Auto(first, second Dialer) Dialer {
	return &autoDialer{first: first, second: second, viaSecond: map[types.UID]bool{}}
}

type autoDialer struct {
	first, second Dialer

	mu        sync.Mutex
	viaSecond map[types.UID]bool
}

// Dial implements Dialer.
func (a *autoDialer) Dial(ctx context.Context, t Target) (net.Conn, error) {
	a.mu.Lock()
	second := a.viaSecond[t.PodUID]
	a.mu.Unlock()
	var firstErr error
	if !second {
		conn, err := a.first.Dial(ctx, t)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		firstErr = err
	}
	conn, err := a.second.Dial(ctx, t)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		delete(a.viaSecond, t.PodUID) // begin anew next time
		return nil, errors.Join(firstErr, err)
	}
	if len(a.viaSecond) > 4*maxConnections {
		clear(a.viaSecond)
	}
	a.viaSecond[t.PodUID] = true
	return conn, nil
}
