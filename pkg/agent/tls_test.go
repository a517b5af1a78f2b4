// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/serve"
	"github.com/upmio/unit-operator/pkg/agenttls"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// start runs the real serve, with the TLS of the command, over a connection in
// memory, and returns what dials it.
func start(t *testing.T, u *agenttest.Unit) func(credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	config, err := agenttls.ServerConfig(u.Env.TLSDir)
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 16)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- serve.Run(ctx, serve.Options{Env: u.Env, Engine: agenttest.NewEngine(u.Env), TLS: config, GRPC: listener, HTTP: web})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	return func(creds credentials.TransportCredentials) *grpc.ClientConn {
		t.Helper()
		conn, err := grpc.NewClient("passthrough:///agent", grpc.WithTransportCredentials(creds),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

func hold(u *agenttest.Unit) *agentv1.SetHoldRequest {
	return &agentv1.SetHoldRequest{
		Fence: &agentv1.Fence{PodUid: u.Env.PodUID, UnitUid: u.Env.UID, Epoch: 1}, Name: "fence", Held: true,
	}
}

func TestNobodyButTheOperatorIsLetIn(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	ca, foreign := agenttest.NewCA(t), agenttest.NewCA(t)
	ca.WriteAgent(u.Env)
	dial := start(t, u)
	soon := time.Now().Add(time.Hour)
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}

	for _, tc := range []struct {
		name  string
		creds credentials.TransportCredentials
	}{
		{"without TLS", insecure.NewCredentials()},
		{"without a certificate", credentials.NewTLS(ca.Client(agenttest.Leaf{}))},
		{"the operator's name, signed by a foreign CA", credentials.NewTLS(ca.Client(foreign.Operator()))},
		{"another unit's certificate", credentials.NewTLS(ca.Client(ca.Issue("unit-operator://ns/u-1/uid-1", soon, x509.ExtKeyUsageServerAuth)))},
		{"another unit's certificate that may be a client's", credentials.NewTLS(ca.Client(ca.Issue("unit-operator://ns/u-1/uid-1", soon, both...)))},
		{"this unit's own certificate that may be a client's", credentials.NewTLS(ca.Client(ca.Issue("unit-operator://ns/u-0/unit-uid", soon, both...)))},
		{"the operator's name in a certificate for servers", credentials.NewTLS(ca.Client(ca.Issue(agenttest.OperatorURI, soon, x509.ExtKeyUsageServerAuth)))},
		{"the operator's name as the beginning of another", credentials.NewTLS(ca.Client(ca.Issue(agenttest.OperatorURI+"/x", soon, x509.ExtKeyUsageClientAuth)))},
		{"a certificate without a name", credentials.NewTLS(ca.Client(ca.Issue("", soon, x509.ExtKeyUsageClientAuth)))},
		{"the operator's expired certificate", credentials.NewTLS(ca.Client(ca.Issue(agenttest.OperatorURI, time.Now().Add(-time.Minute), x509.ExtKeyUsageClientAuth)))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := dial(tc.creds)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := agentv1.NewUnitServiceClient(conn).SetHold(ctx, hold(u)); status.Code(err) != codes.Unavailable {
				t.Errorf("SetHold: %v, want a connection refused", err)
			}
			if _, err := agentv1.NewUnitServiceClient(conn).GetStatus(ctx, &agentv1.GetStatusRequest{}); status.Code(err) != codes.Unavailable {
				t.Errorf("GetStatus: %v, want a connection refused", err)
			}
			if _, err := agentv1.NewOperationServiceClient(conn).Info(ctx, &agentv1.InfoRequest{}); status.Code(err) != codes.Unavailable {
				t.Errorf("Info: %v, want a connection refused", err)
			}
			if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
				t.Errorf("health: %v, want a connection refused", err)
			}
		})
	}
	if d, err := u.Store.Desired(); d != nil || err != nil {
		t.Errorf("a stranger changed something: %+v, %v", d, err)
	}
	if _, err := agentv1.NewUnitServiceClient(dial(credentials.NewTLS(ca.Client(ca.Operator())))).SetHold(context.Background(), hold(u)); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

func TestARenewedCertificateIsTakenUpWithoutARestart(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	older, newer := agenttest.NewCA(t), agenttest.NewCA(t)
	older.WriteAgent(u.Env)
	dial := start(t, u)
	call := func(ca *agenttest.CA) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := agentv1.NewUnitServiceClient(dial(credentials.NewTLS(ca.Client(ca.Operator())))).GetStatus(ctx, &agentv1.GetStatusRequest{})
		return err
	}
	if err := call(older); err != nil {
		t.Fatal(err)
	}
	if err := call(newer); err == nil {
		t.Fatal("a foreign CA was let in")
	}
	newer.WriteAgent(u.Env)
	if err := call(newer); err != nil {
		t.Errorf("the renewed CA: %v", err)
	}
	if err := call(older); err == nil {
		t.Error("the CA that was taken away is let in")
	}
}

func TestServeRefusesToStartWithoutACertificate(t *testing.T) {
	dir := t.TempDir()
	if _, err := agenttls.ServerConfig(dir); err == nil {
		t.Error("no error")
	}
	if err := os.WriteFile(dir+"/tls.crt", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := agenttls.ServerConfig(dir); err == nil {
		t.Error("no error")
	}
}
