// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agenttls"
	upmscheme "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/scheme"
	"github.com/upmio/unit-operator/pkg/metrics"
	"github.com/upmio/unit-operator/pkg/version"
)

// drain is how long a stop waits for workers: longer than one call to an agent.
const drain = 10 * time.Second

// operator is one process.
type operator struct {
	options *Options
	clients *clients
	metrics *metrics.Metrics
	ready   *readiness
	order   *callOrder
}

// Run is the process from its first line to its last. It returns nil after an orderly
// stop by ctx.
func Run(ctx context.Context, o *Options) error {
	logger := klog.FromContext(ctx)
	logger.Info("Starting unit-operator", "version", version.String())
	limitMemory(o.MemoryLimit)
	m := metrics.New()
	m.Install()
	clients, err := newClients(o)
	if err != nil {
		return err
	}
	logger.Info("Using the cluster", "host", clients.config.Host, "inCluster", clients.inCluster,
		"operatorNamespace", o.OperatorNamespace, "namespaces", o.Namespaces)

	op := &operator{options: o, clients: clients, metrics: m, ready: newReadiness(), order: newCallOrder(time.Now())}
	watchdog := leaderelection.NewLeaderHealthzAdaptor(watchdogGrace)
	stopServing, err := serve(ctx, o.HTTPAddress, newHandler(op.ready, watchdog, m.Handler(), o.Profiling))
	if err != nil {
		return err
	}
	defer stopServing()
	defer context.AfterFunc(ctx, func() { op.ready.end("stopping") })()

	if !op.ready.until(ctx, waitInterval, func(context.Context) error { return checkCRDs(clients.kube.Discovery()) }) {
		return nil
	}
	if !o.LeaderElect {
		op.order.leaseless = true
		op.order.term.Store(leastTerm(time.Now()))
		return op.work(ctx)
	}
	op.ready.set(false, "waiting: the lease "+o.OperatorNamespace+"/"+leaseName)
	return (&election{options: o, client: clients.election, ready: op.ready, watchdog: watchdog, order: op.order}).run(ctx, op.work)
}

// work is what the leader does. When it returns nothing of it runs any more, unless
// it returns errStuck.
func (op *operator) work(ctx context.Context) error {
	o := op.options
	op.ready.set(false, "waiting: the agents' CA")
	var ca *agenttls.CA
	secrets := op.clients.kube.CoreV1().Secrets(o.OperatorNamespace)
	if !op.ready.until(ctx, waitInterval, func(ctx context.Context) (err error) {
		ca, err = ensureCA(ctx, secrets, o.OperatorNamespace, time.Now())
		return err
	}) {
		return nil
	}
	op.ready.set(false, "waiting: the identity of the cluster")
	var clusterUID types.UID
	if !op.ready.until(ctx, waitInterval, func(ctx context.Context) (err error) {
		clusterUID, err = readClusterUID(ctx, op.clients.kube.CoreV1().Namespaces())
		return err
	}) {
		return nil
	}
	agents := newAgents(o, op.clients, ca, op.metrics, op.order)
	defer agents.Close()

	// Informers and events outlive ctx: workers that come to their end use them.
	lastCtx, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLast()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: op.clients.events.EventsV1()})
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(lastCtx); err != nil {
		return err
	}

	made := controllers{}
	informers, err := newInformers(op.clients, o, made.enqueueScoped)
	if err != nil {
		return err
	}
	p := &parts{
		options: o, clients: op.clients, informers: informers, agents: agents, ca: ca, clusterUID: clusterUID, metrics: op.metrics, order: op.order.next, leaseRenewed: op.order.leaseRenewed,
		recorder: broadcaster.NewRecorder(kindsOfEvents(), "unit-operator"),
	}
	for _, row := range table {
		if made[row.name], err = row.make(ctx, p); err != nil {
			return err
		}
	}
	informers.run = append(informers.run, func(ctx context.Context) { keepCA(ctx, informers.caGone, ca, secrets, p.recorder, o.OperatorNamespace) })
	wait := informers.start(lastCtx)
	defer func() {
		stopLast()
		wait()
	}()
	if !op.ready.until(ctx, syncPoll, informers.check) {
		return nil
	}
	// The first lists leave more garbage than all that follows.
	debug.FreeOSMemory()
	op.ready.set(true, "ok")
	klog.FromContext(ctx).Info("Working", "controllers", len(made))
	return made.run(ctx, table, o, drain)
}

// limitMemory is GOMEMLIMIT by flag; the environment wins.
func limitMemory(limit string) {
	q := resource.MustParse(limit) // validated
	if os.Getenv("GOMEMLIMIT") == "" && !q.IsZero() {
		debug.SetMemoryLimit(q.Value())
	}
}

// kindsOfEvents are all that an event may be about.
func kindsOfEvents() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(kubescheme.AddToScheme(scheme))
	utilruntime.Must(upmscheme.AddToScheme(scheme))
	return scheme
}
