// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/grpccall"
	"github.com/upmio/unit-operator/pkg/controller/replication"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit"
	"github.com/upmio/unit-operator/pkg/controller/unitset"
	"github.com/upmio/unit-operator/pkg/metrics"
)

// controller is what every controller package makes.
type controller interface {
	// Run works until ctx ends and returns when the last worker has finished.
	Run(ctx context.Context, workers int) error
	// Enqueue asks for a sync: a reference of the object changed.
	Enqueue(key cache.ObjectName)
}

// parts are what controllers are made from.
type parts struct {
	options   *Options
	clients   *clients
	informers *informers
	agents    agents
	ca        *agenttls.CA
	// order of the calls that change agents.
	order func() (term, seq int64)
	// leaseRenewed is when this process last proved that it leads.
	leaseRenewed func() time.Time
	// clusterUID is what readClusterUID gives.
	clusterUID types.UID
	recorder   events.EventRecorder
	metrics    *metrics.Metrics
}

// agents are all that is asked of agents.
type agents interface {
	agentclient.Interface
	agentclient.Operations
	agentclient.Roles
	agentclient.Members
}

// descriptor is a row of the table.
type descriptor struct {
	// name is the scope of its references too.
	name    string
	workers func(*Options) int
	make    func(ctx context.Context, p *parts) (controller, error)
}

// statusPause is how long a status that only tells how something new comes along waits
// for the next one: long enough for a server that starts at once, too short for people who
// watch one that does not.
const statusPause = 5 * time.Second

// table is all controllers of this operator.
var table = []descriptor{{
	name:    unitset.ControllerName,
	workers: func(o *Options) int { return o.ConcurrentUnitSetSyncs },
	make: func(ctx context.Context, p *parts) (controller, error) {
		return unitset.NewController(ctx, unitset.Config{
			Kube: p.clients.kube, Upm: p.clients.upm,
			UnitSets:             p.informers.unitSets,
			MysqlReplications:    p.informers.mysqlReplications,
			PostgresReplications: p.informers.postgresReplications,
			Calls:                p.informers.grpcCalls,
			Children:             p.informers.children,
			Revisions:            p.informers.revisions,
			Packages:             p.informers.packages,
			PackageInformers:     p.informers.packageInformers,
			References:           p.informers.references.Scope(unitset.ControllerName),
			Recorder:             p.recorder,
			ClusterDomain:        p.options.ClusterDomain,
			StatusPause:          statusPause,
			Observe:              p.metrics.ObserveSync,
		})
	},
}, {
	name:    unit.ControllerName,
	workers: func(o *Options) int { return o.ConcurrentUnitSyncs },
	make: func(ctx context.Context, p *parts) (controller, error) {
		return unit.NewController(ctx, unit.Config{
			Kube: p.clients.kube, Upm: p.clients.upm,
			Children:             p.informers.children,
			Revisions:            p.informers.revisions,
			MysqlReplications:    p.informers.mysqlReplications,
			PostgresReplications: p.informers.postgresReplications,
			Calls:                p.informers.grpcCalls,
			Nodes:                p.informers.nodes,
			Packages:             p.informers.packages,
			PackageInformers:     p.informers.packageInformers,
			References:           p.informers.references.Scope(unit.ControllerName),
			Recorder:             p.recorder,
			Agents:               p.agents,
			Order:                p.order,
			GivesRoles:           givesRoles,
			CA:                   p.ca,
			AgentImage:           p.options.AgentImage,
			ClusterUID:           p.clusterUID,
			ClusterDomain:        p.options.ClusterDomain,
			StatusPause:          statusPause,
			Observe:              p.metrics.ObserveSync,
		})
	},
}, {
	name:    grpccall.ControllerName,
	workers: func(o *Options) int { return o.ConcurrentGrpcCallSyncs },
	make: func(ctx context.Context, p *parts) (controller, error) {
		return grpccall.NewController(ctx, grpccall.Config{
			Kube: p.clients.kube, Upm: p.clients.upm,
			Calls:                p.informers.grpcCalls,
			Units:                p.informers.children.Units,
			Pods:                 p.informers.children.Pods,
			MysqlReplications:    p.informers.mysqlReplications,
			PostgresReplications: p.informers.postgresReplications,
			Agents:               p.agents,
			Recorder:             p.recorder,
			Observe:              p.metrics.ObserveSync,
		})
	},
}, {
	name:    replication.MysqlControllerName,
	workers: func(o *Options) int { return o.ConcurrentMysqlReplicationSyncs },
	make: func(ctx context.Context, p *parts) (controller, error) {
		return replication.NewMysqlController(ctx, p.replications(replication.MysqlControllerName))
	},
}, {
	name:    replication.PostgresControllerName,
	workers: func(o *Options) int { return o.ConcurrentPostgresReplicationSyncs },
	make: func(ctx context.Context, p *parts) (controller, error) {
		return replication.NewPostgresController(ctx, p.replications(replication.PostgresControllerName))
	},
}}

// replications is what a controller of Replications is made from.
func (p *parts) replications(name string) replication.Config {
	return replication.Config{
		Kube: p.clients.kube, Upm: p.clients.upm,
		MysqlReplications:    p.informers.mysqlReplications,
		PostgresReplications: p.informers.postgresReplications,
		UnitSets:             p.informers.unitSets,
		Calls:                p.informers.grpcCalls,
		Children:             p.informers.children,
		References:           p.informers.references.Scope(name),
		Recorder:             p.recorder,
		Agents:               p.agents,
		Order:                p.order,
		LeaseRenewed:         p.leaseRenewed,
		Observe:              p.metrics.ObserveSync,
		Measure:              p.metrics,
	}
}

// givesRoles are the kinds of Replications that a row of the table is for.
var givesRoles = []v1alpha2.ReplicationKind{v1alpha2.KindMysqlReplication, v1alpha2.KindPostgresReplication}

// controllers are the rows that were made, by name.
type controllers map[string]controller

// enqueueScoped wakes the owner of a reference.
func (c controllers) enqueueScoped(scoped cache.ObjectName) {
	name, owner := slim.SplitScope(scoped)
	if one, ok := c[name]; ok {
		one.Enqueue(owner)
	}
}

// run runs all rows until ctx ends or one fails, and waits for their workers: at most
// drain after that, then it is errStuck with the names of those that did not end.
func (c controllers) run(ctx context.Context, rows []descriptor, o *Options, drain time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		mu      sync.Mutex
		running []string
		errs    []error
		wg      sync.WaitGroup
	)
	for _, row := range rows {
		running = append(running, row.name)
		wg.Go(func() {
			defer stop()
			err := c[row.name].Run(ctx, row.workers(o))
			if err == nil && ctx.Err() == nil {
				err = errors.New("ended by itself")
			}
			mu.Lock()
			defer mu.Unlock()
			running = slices.DeleteFunc(running, func(name string) bool { return name == row.name })
			if err != nil {
				errs = append(errs, fmt.Errorf("controller %s: %w", row.name, err))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	<-ctx.Done()
	klog.FromContext(ctx).Info("Waiting for the workers", "atMost", drain)
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	mu.Lock()
	defer mu.Unlock()
	if len(running) > 0 {
		errs = append(errs, fmt.Errorf("the controllers %s %w", strings.Join(running, ", "), errStuck))
	}
	return errors.Join(errs...)
}
