// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/loop"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// ControllerName is the name of the controller: of its queue, in logs and in
// metrics.
const ControllerName = "grpccall"

// Config is what the controller is made from.
type Config struct {
	Kube kubernetes.Interface
	Upm  versioned.Interface

	Calls                *slim.Informer[*v1alpha1.GrpcCall]
	Units                *slim.Informer[*slim.Unit]
	Pods                 *slim.Informer[*slim.Pod]
	MysqlReplications    *slim.Informer[*v1alpha1.MysqlReplication]
	PostgresReplications *slim.Informer[*v1alpha1.PostgresReplication]

	Agents   agentclient.Operations
	Recorder events.EventRecorder
	// Clock is clock.RealClock outside tests.
	Clock clock.WithTicker
	// Observe is told of every sync; see loop.Config.
	Observe func(controller, result string, took time.Duration)
}

// Controller runs GrpcCalls. See the package's comment.
type Controller struct {
	cfg     Config
	loop    *loop.Loop
	control *control
	wrote   *consistency.Store
	members membership.Resolver
	// started is when this process began to look after calls.
	started time.Time

	memories sync.Map // of *memory, by cache.ObjectName
}

// memory is what is kept of a call between syncs. Losing it costs a write or some
// seconds, no more.
type memory struct {
	uid types.UID
	// waitingSince is when a call that has not started began to wait for what it needs;
	// zero while it does not.
	waitingSince time.Time
	// answeredAt is when the agent last answered for a call that runs, silentSince since
	// when it does not; that is zero while it does.
	answeredAt, silentSince time.Time
	// progressAt is when progress was last written.
	progressAt time.Time
}

// NewController makes the controller and hooks it to the informers, which must not
// have been started.
func NewController(ctx context.Context, cfg Config) (*Controller, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	wrote := consistency.New(map[schema.GroupResource]consistency.ResourceVersionReader{callsResource: cfg.Calls})
	c := &Controller{
		cfg:     cfg,
		control: newControl(cfg.Kube, cfg.Upm, wrote, cfg.Recorder),
		wrote:   wrote,
		members: membership.NewResolver(cfg.MysqlReplications, cfg.PostgresReplications),
		started: cfg.Clock.Now(),
	}
	c.loop = loop.New(loop.Config{
		Name: ControllerName, Kind: "grpcCall", Sync: c.sync, Clock: cfg.Clock, Observe: cfg.Observe,
		Synced: []cache.InformerSynced{
			cfg.Calls.HasSynced, cfg.Units.HasSynced, cfg.Pods.HasSynced,
			cfg.MysqlReplications.HasSynced, cfg.PostgresReplications.HasSynced,
		},
	})
	if err := c.addHandlers(); err != nil {
		return nil, fmt.Errorf("controller %s: %w", ControllerName, err)
	}
	return c, errors.Join(ctx.Err())
}

// Run works until ctx ends and returns when the last worker has finished.
func (c *Controller) Run(ctx context.Context, workers int) error {
	c.started = c.cfg.Clock.Now()
	return c.loop.Run(ctx, workers)
}

// Enqueue asks for a sync of a GrpcCall.
func (c *Controller) Enqueue(key cache.ObjectName) { c.loop.Enqueue(key) }

// returnGrace is what others get to come back together with the operator, as after a power
// failure of the whole cluster: limits that ran out while it was away have not been waited
// for.
const returnGrace = 5 * time.Minute

// end of what has lasted since then and may last for the limit. The grace is counted by
// what has passed since the start: a machine that comes back may set its clock late.
func (c *Controller) end(since time.Time, limit time.Duration) time.Time {
	end, grace := since.Add(limit), min(limit, returnGrace)-c.cfg.Clock.Since(c.started)
	if grace <= 0 {
		return end
	}
	if earliest := c.cfg.Clock.Now().Add(grace); end.Before(earliest) {
		return earliest
	}
	return end
}

// memory of a call. Only the worker that has the call uses it.
func (c *Controller) memory(call *v1alpha1.GrpcCall) *memory {
	key := cache.MetaObjectToName(call)
	if kept, ok := c.memories.Load(key); ok && kept.(*memory).uid == call.UID {
		return kept.(*memory)
	}
	m := &memory{uid: call.UID}
	c.memories.Store(key, m)
	return m
}

// forget what is kept of a call that is gone.
func (c *Controller) forget(key cache.ObjectName) {
	c.wrote.Clear(key, "")
	c.memories.Delete(key)
}
