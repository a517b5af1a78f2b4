// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/loop"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/pkg/packages"
)

// ControllerName is the name of the controller: of its queue, in logs and in
// metrics.
const ControllerName = "unitset"

// Config is what the controller is made from.
type Config struct {
	Kube kubernetes.Interface
	Upm  versioned.Interface

	UnitSets             *slim.Informer[*v1alpha2.UnitSet]
	MysqlReplications    *slim.Informer[*v1alpha1.MysqlReplication]
	PostgresReplications *slim.Informer[*v1alpha1.PostgresReplication]
	// Calls hold up what would disturb the unit that they run on.
	Calls *slim.Informer[*v1alpha1.GrpcCall]
	// Children are the informers of Units, Services, ConfigMaps, ControllerRevisions
	// and PodDisruptionBudgets.
	Children *slim.Informers

	// Revisions reads what the ControllerRevisions of sets store.
	Revisions *revision.Reader

	// Packages reads the installed packages, PackageInformers tell when they
	// change.
	Packages         packages.Lister
	PackageInformers []cache.SharedInformer
	// References knows which of the user's Secrets and ConfigMaps exist. Its callback
	// must lead to Enqueue.
	References slim.Watched
	Recorder   events.EventRecorder

	// ClusterDomain of the cluster's DNS. Default cluster.local.
	ClusterDomain string
	// StatusPause is how long a status that only tells how the units of a set come along
	// waits for the next one. 0: not at all.
	StatusPause time.Duration
	// Clock is clock.RealClock outside tests.
	Clock clock.WithTicker
	// Observe is told of every sync; see loop.Config.
	Observe func(controller, result string, took time.Duration)
}

// Controller keeps UnitSets. See the package's comment.
type Controller struct {
	cfg          Config
	loop         *loop.Loop
	control      *control
	wrote        *consistency.Store
	replications membership.Resolver

	// ports are those of shared ConfigMaps as they were last read.
	ports sync.Map // of pinnedPorts, by cache.ObjectName of the set
	// heldBack is since when a set's status waits for the next one.
	heldBack sync.Map // of time.Time, by cache.ObjectName
}

// NewController makes the controller and hooks it to the informers, which must not
// have been started.
func NewController(ctx context.Context, cfg Config) (*Controller, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	if cfg.ClusterDomain == "" {
		cfg.ClusterDomain = "cluster.local"
	}
	wrote := consistency.New(map[schema.GroupResource]consistency.ResourceVersionReader{
		unitSetsResource:       cfg.UnitSets,
		kindUnit.Resource:      cfg.Children.Units,
		kindService.Resource:   cfg.Children.Services,
		kindConfigMap.Resource: cfg.Children.ConfigMaps,
		kindRevision.Resource:  cfg.Children.Revisions,
		kindPDB.Resource:       cfg.Children.Disruptions,
		callsResource:          cfg.Calls,
		mysqlsResource:         cfg.MysqlReplications,
		postgresesResource:     cfg.PostgresReplications,
	})
	c := &Controller{
		cfg:          cfg,
		control:      newControl(cfg.Kube, cfg.Upm, wrote, cfg.Recorder),
		wrote:        wrote,
		replications: membership.NewResolver(cfg.MysqlReplications, cfg.PostgresReplications),
	}
	synced := []cache.InformerSynced{
		cfg.UnitSets.HasSynced, cfg.MysqlReplications.HasSynced, cfg.PostgresReplications.HasSynced, cfg.Calls.HasSynced,
		cfg.Children.Units.HasSynced, cfg.Children.Services.HasSynced, cfg.Children.ConfigMaps.HasSynced,
		cfg.Children.Revisions.HasSynced, cfg.Children.Disruptions.HasSynced,
	}
	for _, informer := range cfg.PackageInformers {
		synced = append(synced, informer.HasSynced)
	}
	c.loop = loop.New(loop.Config{
		Name: ControllerName, Kind: "unitSet", Sync: c.sync, Clock: cfg.Clock, Synced: synced, Observe: cfg.Observe,
	})
	if err := c.addHandlers(cfg.PackageInformers); err != nil {
		return nil, fmt.Errorf("controller %s: %w", ControllerName, err)
	}
	return c, ctx.Err()
}

// Run works until ctx ends and returns when the last worker has finished.
func (c *Controller) Run(ctx context.Context, workers int) error { return c.loop.Run(ctx, workers) }

// Enqueue asks for a sync of a UnitSet: one of its references changed.
func (c *Controller) Enqueue(key cache.ObjectName) { c.loop.Enqueue(key) }
