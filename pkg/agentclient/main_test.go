// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/serve"
	"github.com/upmio/unit-operator/pkg/agenttls"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

func TestMain(m *testing.M) { agenttest.Main(m, nil) }

// network is the pods' network: listeners in memory, by pod IP.
type network struct {
	ca *agenttls.CA

	mu        sync.Mutex
	listeners map[string]*bufconn.Listener
	dials     []string
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	data, err := agenttls.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := agenttls.LoadCA(data)
	if err != nil {
		t.Fatal(err)
	}
	return &network{ca: ca, listeners: map[string]*bufconn.Listener{}}
}

// Dial implements Dialer.
func (n *network) Dial(ctx context.Context, t Target) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, t.PodIP)
	listener := n.listeners[t.PodIP]
	n.mu.Unlock()
	if listener == nil {
		return nil, errors.New("connection refused")
	}
	return listener.DialContext(ctx)
}

func (n *network) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

// listen is a pod's address; nil takes it away.
func (n *network) listen(ip string, up bool) *bufconn.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !up {
		delete(n.listeners, ip)
		return nil
	}
	n.listeners[ip] = bufconn.Listen(1 << 16)
	return n.listeners[ip]
}

// writeLeaf makes a unit's TLS directory.
func (n *network) writeLeaf(t *testing.T, dir string, target Target) {
	t.Helper()
	leaf, err := n.ca.Leaf(agenttls.Identity{Namespace: target.Namespace, Name: target.Unit, UID: target.UnitUID}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range leaf {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// client is the operator's.
func (n *network) client(t *testing.T, passive clock.PassiveClock) *Client {
	t.Helper()
	c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: n, Clock: passive})
	t.Cleanup(c.Close)
	return c
}

// unit is the target of agenttest's unit.
func unit() Target {
	return Target{Namespace: "ns", Unit: "u-0", UnitUID: "unit-uid", Pod: "u-0", PodUID: "pod-uid", PodIP: "10.0.0.1"}
}

// agent runs the real agent of unit() at its address.
func (n *network) agent(t *testing.T) *agenttest.Unit {
	t.Helper()
	u := agenttest.NewUnit(t, false)
	n.writeLeaf(t, u.Env.TLSDir, unit())
	n.serve(t, u, nil)
	return u
}

// serve runs an agent of u at the address of unit(), until end is called.
func (n *network) serve(t *testing.T, u *agenttest.Unit, actions map[string]operations.Action) (end func()) {
	t.Helper()
	config, err := agenttls.ServerConfig(u.Env.TLSDir)
	if err != nil {
		t.Fatal(err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := n.listen(unit().PodIP, true)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- serve.Run(ctx, serve.Options{
			Env: u.Env, Engine: agenttest.NewEngine(u.Env), TLS: config, GRPC: listener, HTTP: web,
			Actions: func(operations.Deps) map[string]operations.Action { return actions },
		})
	}()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	t.Cleanup(end)
	return end
}

// stub is an agent that answers GetStatus with what a test wants.
type stub struct {
	agentv1.UnimplementedUnitServiceServer
	podUID string
	answer func() error
}

func (s *stub) GetStatus(context.Context, *agentv1.GetStatusRequest) (*agentv1.GetStatusResponse, error) {
	if s.answer != nil {
		if err := s.answer(); err != nil {
			return nil, err
		}
	}
	return &agentv1.GetStatusResponse{PodUid: s.podUID}, nil
}

// stub serves s at target's address.
func (n *network) stub(t *testing.T, target Target, s *stub) *grpc.Server {
	t.Helper()
	dir := t.TempDir()
	n.writeLeaf(t, dir, target)
	config, err := agenttls.ServerConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	s.podUID = string(target.PodUID)
	agentv1.RegisterUnitServiceServer(server, s)
	listener := n.listen(target.PodIP, true)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return server
}
