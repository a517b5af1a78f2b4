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

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientfeatures "k8s.io/client-go/features"
	coreinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// informers are all that this process watches, each thing once.
type informers struct {
	unitSets             *slim.Informer[*v1alpha2.UnitSet]
	grpcCalls            *slim.Informer[*v1alpha1.GrpcCall]
	mysqlReplications    *slim.Informer[*v1alpha1.MysqlReplication]
	postgresReplications *slim.Informer[*v1alpha1.PostgresReplication]
	children             *slim.Informers
	revisions            *revision.Reader
	nodes                *slim.Informer[*slim.Node]
	references           *slim.References

	packages         packages.Lister
	packageInformers []cache.SharedInformer
	// caGone is told when the Secret of the agents' CA was deleted.
	caGone chan struct{}

	// run and synced are all of them, by the names people know.
	run    []func(context.Context)
	synced map[string]cache.InformerSynced
}

// newInformers makes them; nothing is watched before start. changed is called with a
// scoped owner whose reference changed.
func newInformers(c *clients, o *Options, changed func(owner cache.ObjectName)) (*informers, error) {
	if !clientfeatures.FeatureGates().Enabled(clientfeatures.AtomicFIFO) {
		return nil, errors.New("client-go's feature AtomicFIFO is off, without which no cache tells how far it has seen: take KUBE_FEATURE_AtomicFIFO=false out of the environment")
	}
	watched := o.watched()
	i := &informers{synced: map[string]cache.InformerSynced{}, caGone: make(chan struct{}, 1)}
	var errs [6]error
	i.unitSets, errs[0] = slim.NewUnitSets(c.upm, watched)
	i.mysqlReplications, errs[1] = slim.NewMysqlReplications(c.upm, watched)
	i.postgresReplications, errs[2] = slim.NewPostgresReplications(c.upm, watched)
	i.children, errs[3] = slim.NewInformers(c.kube, c.upm, watched)
	i.nodes, errs[4] = slim.NewNodes(c.kube)
	i.grpcCalls, errs[5] = slim.NewGrpcCalls(c.upm, watched)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	i.revisions = revision.NewReader(c.kube, i.children)
	i.references = slim.NewReferences(c.metadata, watched, changed)

	factory := coreinformers.NewSharedInformerFactoryWithOptions(c.kube, 0,
		coreinformers.WithNamespace(o.OperatorNamespace),
		coreinformers.WithTweakListOptions(func(l *metav1.ListOptions) { l.LabelSelector = packages.LabelSelector }),
		coreinformers.WithTransform(withoutManagedFields))
	templates, configMaps := factory.Core().V1().PodTemplates(), factory.Core().V1().ConfigMaps()
	i.packageInformers = []cache.SharedInformer{templates.Informer(), configMaps.Informer()}
	i.packages = packages.NewLister(templates.Lister().PodTemplates(o.OperatorNamespace), configMaps.Lister().ConfigMaps(o.OperatorNamespace))

	ca := newCAInformer(c.kube, o.OperatorNamespace)
	if _, err := ca.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(any) {
		select {
		case i.caGone <- struct{}{}:
		default: // It is told already.
		}
	}}); err != nil {
		return nil, err
	}

	add := func(name string, run func(context.Context), synced cache.InformerSynced) {
		i.run = append(i.run, run)
		i.synced[name] = synced
	}
	add("unitsets", i.unitSets.Run, i.unitSets.HasSynced)
	add("grpccalls", i.grpcCalls.Run, i.grpcCalls.HasSynced)
	add("mysqlreplications", i.mysqlReplications.Run, i.mysqlReplications.HasSynced)
	add("postgresreplications", i.postgresReplications.Run, i.postgresReplications.HasSynced)
	add("nodes", i.nodes.Run, i.nodes.HasSynced)
	add("secrets and configmaps of users", i.references.Run, i.references.HasSynced)
	add("podtemplates of packages", templates.Informer().RunWithContext, templates.Informer().HasSynced)
	add("configmaps of packages", configMaps.Informer().RunWithContext, configMaps.Informer().HasSynced)
	add("secret of the agents' CA", ca.RunWithContext, ca.HasSynced)
	i.run = append(i.run, i.children.Run)
	for name, synced := range map[string]cache.InformerSynced{
		"units": i.children.Units.HasSynced, "pods": i.children.Pods.HasSynced, "persistentvolumeclaims": i.children.Claims.HasSynced,
		"services": i.children.Services.HasSynced, "configmaps": i.children.ConfigMaps.HasSynced, "secrets": i.children.Secrets.HasSynced,
		"controllerrevisions": i.children.Revisions.HasSynced, "poddisruptionbudgets": i.children.Disruptions.HasSynced,
	} {
		i.synced[name] = synced
	}
	return i, nil
}

// start watches until ctx ends; wait returns when all have ended.
func (i *informers) start(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	for _, run := range i.run {
		wg.Go(func() { run(ctx) })
	}
	return wg.Wait
}

// withoutManagedFields: packages are read, never written.
func withoutManagedFields(obj any) (any, error) {
	if o, err := meta.Accessor(obj); err == nil {
		o.SetManagedFields(nil)
	}
	return obj, nil
}

// syncPoll is how often is looked whether the caches are synced.
const syncPoll = 50 * time.Millisecond

// check returns an error that names the caches that are not synced.
func (i *informers) check(context.Context) error {
	var missing []string
	for name, synced := range i.synced {
		if !synced() {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the first list of %s; if this lasts, the log above says what the API server answers", strings.Join(missing, ", "))
}
