// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/loop"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
)

// Agents are all that is asked of the members' agents.
type Agents interface {
	agentclient.Interface
	agentclient.Roles
	agentclient.Members
	agentclient.Operations
}

// Config is what the controller is made from.
type Config struct {
	Kube kubernetes.Interface
	Upm  versioned.Interface

	MysqlReplications    *slim.Informer[*v1alpha1.MysqlReplication]
	PostgresReplications *slim.Informer[*v1alpha1.PostgresReplication]
	UnitSets             *slim.Informer[*v1alpha2.UnitSet]
	// Calls tell of operations that replace the source's data.
	Calls *slim.Informer[*v1alpha1.GrpcCall]
	// Children are the informers of Units, Pods, Services and Secrets.
	Children   *slim.Informers
	References slim.Watched
	Recorder   events.EventRecorder

	Agents Agents
	// Order gives each call that changes an agent its place among all such calls: the
	// term of the operator that leads, and a number that rises.
	Order func() (term, seq int64)
	// LeaseRenewed is when this process last proved that it leads; nil where it always
	// does.
	LeaseRenewed func() time.Time
	// Clock is clock.RealClock outside tests.
	Clock clock.WithTicker
	// Observe is called after every sync; see loop.Config.
	Observe func(controller, result string, took time.Duration)
	// Measure is given what passes recorded and called; nil for nobody.
	Measure Measure
}

// Measure is what passes are measured by. *metrics.Metrics is one.
type Measure interface {
	// ReplicationChange counts a change of a topology that was recorded, by the reason of
	// its event.
	ReplicationChange(reason string)
	// ReplicationStep is a call to a member's agent, by what it called.
	ReplicationStep(step string, failed bool, took time.Duration)
	// ReplicationPhase of a switchover or failover that is over.
	ReplicationPhase(operation, phase string, took time.Duration)
}

// Controller keeps the Replications of one kind. See the package's comment.
type Controller struct {
	kind    *kind
	loop    *loop.Loop
	passes  *loop.Loop
	control *control
	wrote   *consistency.Store
	clock   clock.WithTicker

	replications objects
	unitSets     *slim.Informer[*v1alpha2.UnitSet]
	calls        *slim.Informer[*v1alpha1.GrpcCall]
	children     *slim.Informers
	members      membership.Resolver
	references   slim.Watched
	agents       Agents
	order        func() (term, seq int64)
	leaseRenewed func() time.Time
	run          runner
	measure      Measure
	sleep        func(ctx context.Context, d time.Duration) error

	mu       sync.Mutex
	memories map[cache.ObjectName]*memory
	// busy are the Replications that a sync or a pass has.
	busy map[cache.ObjectName]bool
}

func newController(ctx context.Context, cfg Config, kind *kind, replications objects) (*Controller, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	if cfg.Order == nil {
		cfg.Order = func() (term, seq int64) { return 0, 0 }
	}
	if cfg.LeaseRenewed == nil {
		cfg.LeaseRenewed = cfg.Clock.Now
	}
	wrote := consistency.New(map[schema.GroupResource]consistency.ResourceVersionReader{
		replications.resource(): replications,
		podsResource:            cfg.Children.Pods,
		servicesResource:        cfg.Children.Services,
		secretsResource:         cfg.Children.Secrets,
	})
	c := &Controller{
		kind: kind, control: newControl(cfg.Kube, kind, replications, wrote, cfg.Recorder),
		wrote: wrote, clock: cfg.Clock,
		replications: replications, unitSets: cfg.UnitSets, calls: cfg.Calls, children: cfg.Children,
		members:    membership.NewResolver(cfg.MysqlReplications, cfg.PostgresReplications),
		references: cfg.References, agents: cfg.Agents, order: cfg.Order, leaseRenewed: cfg.LeaseRenewed, run: runPass, measure: cfg.Measure, sleep: sleepBy(cfg.Clock),
		memories: map[cache.ObjectName]*memory{}, busy: map[cache.ObjectName]bool{},
	}
	synced := []cache.InformerSynced{
		cfg.MysqlReplications.HasSynced, cfg.PostgresReplications.HasSynced, cfg.UnitSets.HasSynced, cfg.Calls.HasSynced,
		cfg.Children.Units.HasSynced, cfg.Children.Pods.HasSynced, cfg.Children.Services.HasSynced, cfg.Children.Secrets.HasSynced,
	}
	c.loop = loop.New(loop.Config{Name: kind.controller, Kind: kind.log, Sync: c.sync, Clock: cfg.Clock, Observe: cfg.Observe, Synced: synced})
	c.passes = c.newPasses(cfg, synced)
	if err := c.addHandlers(); err != nil {
		return nil, fmt.Errorf("controller %s: %w", kind.controller, err)
	}
	return c, errors.Join(ctx.Err())
}

// Run works until ctx ends and returns when the last worker has finished.
func (c *Controller) Run(ctx context.Context, workers int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	passes := make(chan error, 1)
	go func() {
		defer stop()
		passes <- c.passes.Run(ctx, passWorkers)
	}()
	err := c.loop.Run(ctx, workers)
	stop()
	return errors.Join(err, <-passes)
}

// Enqueue asks for a sync of a Replication.
func (c *Controller) Enqueue(key cache.ObjectName) { c.loop.Enqueue(key) }
