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
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/roles"
	"github.com/upmio/unit-operator/pkg/agent/state"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

const (
	// stopTimeout is how long calls in flight may take after the end was asked for.
	stopTimeout = 10 * time.Second
	// openTimeout is how long serve waits for the journal before it lets callers in.
	openTimeout = 2 * time.Second
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
	// LoadTLS makes TLS where that is nil. While it fails nobody is let in, and each
	// client that comes has it tried again.
	LoadTLS func() (*tls.Config, error)
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
	// What is wrong with the state directory is for people to see: an agent that ends is
	// no help.
	if err := state.Sweep(opts.Env.StateDir, state.DesiredFile); err != nil {
		klog.FromContext(ctx).Error(err, "The state directory cannot be swept")
	}
	if _, err := store.Desired(); err != nil {
		klog.FromContext(ctx).Error(err, "What is desired cannot be read: all calls that would change it are refused")
	}
	status := newStatusReader(ctx, opts.Env, opts.Engine, store)
	metrics := newMetrics(ctx, status)

	unit := newUnitService(ctx, opts.Env, store, status)
	manager := newManager(opts, store, unit, metrics)
	roleManager := newRoles(opts.Env, opts.Engine, store, unit.keeper, manager)
	resting := make(chan struct{})
	go func() {
		defer close(resting)
		unit.open(ctx, func() { manager.Open(ctx) })
		manager.Run(ctx)
	}()
	go witness(ctx, opts.Env, opts.Engine, store, unit.keeper, opts.Files)
	// Before anybody can call, unless the data volume hangs: what an operation keeps down
	// stays down.
	select {
	case <-unit.opened:
	case <-time.After(openTimeout):
		klog.FromContext(ctx).Info("The data volume does not answer: serving without its operations")
	}

	if roleManager != nil {
		go roleManager.Run(ctx)
	}
	certificates := newTLSSource(ctx, opts.loadTLS)
	grpcServer, healthServer := newGRPCServer(ctx, metrics, store, credentials.NewTLS(certificates.config()), services(unit, manager, roleManager)...)

	httpServer := &http.Server{
		Handler:           newHandler(status, metrics, certificates),
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
		AwaitServer: operations.AwaitServer(opts.Env, opts.Engine, store, clock.RealClock{}),
	})
}

// service is one gRPC service of the agent.
type service struct {
	desc *grpc.ServiceDesc
	impl any
}

// services of the agent.
func services(unit *unitService, manager *operations.Manager, roleManager *roles.Manager) []service {
	all := []service{
		{&agentv1.UnitService_ServiceDesc, unit},
		{&agentv1.OperationService_ServiceDesc, &operationService{unit: unit, manager: manager}},
	}
	if roleManager != nil {
		all = append(all, service{&agentv1.RoleService_ServiceDesc, &roleService{unit: unit, manager: roleManager, operations: manager}})
	}
	return all
}

func (o Options) loadTLS() (*tls.Config, error) {
	switch {
	case o.TLS != nil:
		return o.TLS, nil
	case o.LoadTLS != nil:
		return o.LoadTLS()
	}
	return nil, errors.New("serve was given no TLS")
}

// newGRPCServer has the services and what goes around every call. There is no
// reflection: who may call knows the protocol.
func newGRPCServer(ctx context.Context, m *metrics, store *state.Store, creds credentials.TransportCredentials, services ...service) (*grpc.Server, *health.Server) {
	server := grpc.NewServer(
		grpc.Creds(creds),
		grpc.ChainUnaryInterceptor(withLogger(klog.FromContext(ctx)), m.observeCall, noteOperator(store), recoverPanic),
		grpc.ChainStreamInterceptor(streamWithLogger(klog.FromContext(ctx)), recoverStreamPanic), //nolint:contextcheck // a stream has its own
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.MaxConcurrentStreams(64),
		grpc.ReadBufferSize(bufferSize),
		grpc.WriteBufferSize(bufferSize),
	)
	healthServer := health.NewServer()
	for _, s := range services {
		server.RegisterService(s.desc, s.impl)
		healthServer.SetServingStatus(s.desc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
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
