// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

const (
	// stopTimeout is how long calls in flight may take after the end was asked for.
	stopTimeout = 10 * time.Second
	// bufferSize of a connection: the operator holds hundreds, and gRPC's default
	// of 32 KiB each way is of no use to small messages.
	bufferSize = 4 << 10
)

// Options of serve.
type Options struct {
	Env    engine.Env
	Engine engine.Engine
	// TLS is the server's side: it requires and verifies the operator's
	// certificate.
	TLS *tls.Config
	// GRPC and HTTP are listened on; serve closes them.
	GRPC, HTTP net.Listener
	// Files writes files; its zero value is right outside tests.
	Files state.Files
	// Actions makes the engine's actions; nil for none.
	Actions func(operations.Deps) map[string]operations.Action
}

// Run serves until ctx ends, or one of the listeners fails.
func Run(ctx context.Context, opts Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	store := state.NewStore(opts.Env.StateDir, opts.Files)
	if err := state.Sweep(opts.Env.StateDir, state.DesiredFile); err != nil {
		return fmt.Errorf("sweeping the state directory: %w", err)
	}
	if err := journal.Ensure(opts.Files, opts.Env.AgentDir()); err != nil {
		// A full volume must not keep the agent from being asked; the next mutating
		// call tries again.
		klog.FromContext(ctx).Error(err, "There is no journal")
	}
	status := &statusReader{env: opts.Env, engine: opts.Engine, store: store}
	metrics := newMetrics(ctx, status)

	unit := newUnitService(ctx, opts.Env, store, status, opts.Files)
	manager := newManager(opts, store, unit, metrics)
	// Before anybody can call: what an operation keeps down stays down.
	manager.Open(ctx)
	resting := make(chan struct{})
	go func() {
		manager.Run(ctx)
		close(resting)
	}()

	grpcServer, healthServer := newGRPCServer(ctx, unit, &operationService{unit: unit, manager: manager}, metrics, credentials.NewTLS(opts.TLS))

	httpServer := &http.Server{
		Handler:           newHandler(status, metrics),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}

	failed := make(chan error, 2)
	go func() { failed <- fmt.Errorf("gRPC: %w", grpcServer.Serve(opts.GRPC)) }()
	go func() { failed <- fmt.Errorf("HTTP: %w", httpServer.Serve(opts.HTTP)) }()
	klog.FromContext(ctx).Info("Serving", "grpc", opts.GRPC.Addr().String(), "http", opts.HTTP.Addr().String())

	var err error
	select {
	case err = <-failed:
		// A process that lives and does not serve helps nobody.
	case <-ctx.Done():
	}
	healthServer.Shutdown()
	stopContext, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	stop()
	stopGRPC(stopContext, grpcServer)
	err = errors.Join(err, httpServer.Shutdown(stopContext))
	select {
	case <-resting:
	case <-stopContext.Done():
		klog.FromContext(ctx).Info("An operation does not come to rest, the agent ends all the same")
	}
	return err
}

func newManager(opts Options, store *state.Store, unit *unitService, m *metrics) *operations.Manager {
	var actions map[string]operations.Action
	if opts.Actions != nil {
		actions = opts.Actions(operations.Deps{
			Env: opts.Env, Engine: opts.Engine, Store: store, Files: opts.Files,
			Server: operations.NewServer(opts.Env, opts.Engine, store, opts.Files, unit.keeper, clock.RealClock{}),
		})
	}
	return operations.New(operations.Options{
		Env: opts.Env, Files: opts.Files, Actions: actions, Desired: unit.keeper, Clock: clock.RealClock{}, Observe: m.observeOperation,
	})
}

// newGRPCServer has the services and what goes around every call. There is no
// reflection: who may call knows the protocol.
func newGRPCServer(ctx context.Context, unit *unitService, operation *operationService, m *metrics, creds credentials.TransportCredentials) (*grpc.Server, *health.Server) {
	server := grpc.NewServer(
		grpc.Creds(creds),
		grpc.ChainUnaryInterceptor(withLogger(klog.FromContext(ctx)), m.observeCall, recoverPanic),
		grpc.ChainStreamInterceptor(streamWithLogger(klog.FromContext(ctx)), recoverStreamPanic), //nolint:contextcheck // a stream has its own
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.MaxConcurrentStreams(64),
		grpc.ReadBufferSize(bufferSize),
		grpc.WriteBufferSize(bufferSize),
	)
	agentv1.RegisterUnitServiceServer(server, unit)
	agentv1.RegisterOperationServiceServer(server, operation)
	healthServer := health.NewServer()
	for _, service := range []string{agentv1.UnitService_ServiceDesc.ServiceName, agentv1.OperationService_ServiceDesc.ServiceName} {
		healthServer.SetServingStatus(service, grpc_health_v1.HealthCheckResponse_SERVING)
	}
	grpc_health_v1.RegisterHealthServer(server, healthServer)
	return server, healthServer
}

func stopGRPC(ctx context.Context, server *grpc.Server) {
	done := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		server.Stop()
	}
}
