// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
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
	"github.com/upmio/unit-operator/pkg/agenttls"
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
const ControllerName = "unit"

// CA signs the agents' certificates. *agenttls.CA is one.
type CA interface {
	Leaf(id agenttls.Identity, now time.Time) (map[string][]byte, error)
	CheckLeaf(data map[string][]byte, id agenttls.Identity, now time.Time) (why string, renewAt time.Time)
	Bundle() []byte
}

// Config is what the controller is made from.
type Config struct {
	Kube kubernetes.Interface
	Upm  versioned.Interface

	// Children are the informers of Units, Pods, claims, Secrets, ConfigMaps and
	// ControllerRevisions.
	Children             *slim.Informers
	MysqlReplications    *slim.Informer[*v1alpha1.MysqlReplication]
	PostgresReplications *slim.Informer[*v1alpha1.PostgresReplication]
	// Calls hold up what would disturb the unit that they run on.
	Calls *slim.Informer[*v1alpha1.GrpcCall]
	Nodes *slim.Informer[*slim.Node]

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

	Agents agentclient.Interface
	// Order gives each call that changes an agent its place among all such calls:
	// the term of the operator that leads, and a number that rises. Nil for none.
	Order func() (term, seq int64)
	// GivesRoles are the kinds of Replications whose controllers run beside this one.
	// Only of those is an agent told that they own its unit: a server that waits for a
	// role must have somebody who gives it one.
	GivesRoles []v1alpha2.ReplicationKind
	CA         CA
	// AgentImage new pods bring their agent from.
	AgentImage string

	// ClusterUID is the UID of the namespace kube-system. It goes into pods that are
	// made from now on and restarts none: it is the same for the life of a cluster.
	ClusterUID types.UID
	// ClusterDomain of the cluster's DNS. Default cluster.local.
	ClusterDomain string
	// StatusPause is how long a status that only tells how a new unit comes along waits
	// for the next one. 0: not at all.
	StatusPause time.Duration
	// Clock is clock.RealClock outside tests.
	Clock clock.WithTicker
	// Observe is told of every sync; see loop.Config.
	Observe func(controller, result string, took time.Duration)
}

// Controller keeps Units. See the package's comment.
type Controller struct {
	cfg      Config
	loop     *loop.Loop
	control  *control
	wrote    *consistency.Store
	members  membership.Resolver
	contacts *contacts

	// memories of what was read live. Losing one costs reads, no more.
	memories sync.Map // of *memory, by cache.ObjectName
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
	if cfg.Order == nil {
		cfg.Order = func() (term, seq int64) { return 0, 0 }
	}
	wrote := consistency.New(map[schema.GroupResource]consistency.ResourceVersionReader{
		unitsResource:      cfg.Children.Units,
		podsResource:       cfg.Children.Pods,
		claimsResource:     cfg.Children.Claims,
		secretsResource:    cfg.Children.Secrets,
		configMapsResource: cfg.Children.ConfigMaps,
		callsResource:      cfg.Calls,
	})
	c := &Controller{
		cfg:     cfg,
		control: newControl(cfg.Kube, cfg.Upm, wrote, cfg.Recorder),
		wrote:   wrote,
		members: membership.NewResolver(cfg.MysqlReplications, cfg.PostgresReplications),
	}
	synced := []cache.InformerSynced{
		cfg.Children.Units.HasSynced, cfg.Children.Pods.HasSynced, cfg.Children.Claims.HasSynced,
		cfg.Children.Secrets.HasSynced, cfg.Children.ConfigMaps.HasSynced, cfg.Children.Revisions.HasSynced, cfg.MysqlReplications.HasSynced, cfg.PostgresReplications.HasSynced,
		cfg.Calls.HasSynced, cfg.Nodes.HasSynced,
	}
	for _, informer := range cfg.PackageInformers {
		synced = append(synced, informer.HasSynced)
	}
	c.loop = loop.New(loop.Config{
		Name: ControllerName, Kind: "unit", Sync: c.sync, Clock: cfg.Clock, Synced: synced, Observe: cfg.Observe,
	})
	c.contacts = makeContacts(cfg.Clock, c.loop.Enqueue)
	if err := c.addHandlers(cfg.PackageInformers); err != nil {
		return nil, fmt.Errorf("controller %s: %w", ControllerName, err)
	}
	return c, ctx.Err()
}

// Run works until ctx ends and returns when the last worker has finished.
func (c *Controller) Run(ctx context.Context, workers int) error {
	ctx, stop := context.WithCancel(ctx)
	var contacts sync.WaitGroup
	defer contacts.Wait()
	defer stop()
	contacts.Go(func() { c.contacts.run(ctx) })
	return c.loop.Run(ctx, workers)
}

// Enqueue asks for a sync of a Unit: one of its references changed.
func (c *Controller) Enqueue(key cache.ObjectName) { c.loop.Enqueue(key) }
