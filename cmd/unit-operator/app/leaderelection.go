// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// leaseName is the Lease, in the operator's namespace.
const leaseName = "unit-operator"

// errLeaseLost ends the process with a failure: another one leads by now.
var errLeaseLost = errors.New("the lease was lost: another process may lead by now, so this one ends")

// errStuck ends the process without releasing the lease.
var errStuck = errors.New("did not finish in time")

// election runs work under the lease.
type election struct {
	options  *Options
	client   kubernetes.Interface
	ready    *readiness
	watchdog *leaderelection.HealthzAdaptor
	// order of calls is told the term under which this process leads.
	order *callOrder
}

// run waits for the lease and then works until ctx ends or work returns. The lease is
// renewed until work has returned and then released, unless work is stuck. It is
// errLeaseLost if the lease went first; work may be under way then.
func (e *election) run(ctx context.Context, work func(context.Context) error) error {
	identity, err := identity()
	if err != nil {
		return err
	}
	leading := make(chan struct{})
	lock := &visibleLock{ready: e.ready, order: e.order, namespace: e.options.OperatorNamespace, Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: e.options.OperatorNamespace, Name: leaseName},
		Client:     e.client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name:          leaseName,
		Lock:          lock,
		LeaseDuration: e.options.LeaseDuration,
		RenewDeadline: e.options.RenewDeadline,
		RetryPeriod:   e.options.RetryPeriod,
		WatchDog:      e.watchdog,
		// It would release after a failed renewal too, while work is under way.
		ReleaseOnCancel: false,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				lock.leads.Store(true)
				close(leading)
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(leader string) {
				if leader != identity {
					klog.FromContext(ctx).Info("Another process leads", "leader", leader)
				}
			},
		},
	})
	if err != nil {
		return err
	}

	// The lease outlives ctx: it is held while work comes to its end.
	leaseCtx, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		elector.Run(leaseCtx)
	}()
	select {
	case <-ctx.Done():
		stopRenewing()
		<-ended
		lock.release(ctx) // it may have been won this moment; nothing was begun under it
		return nil
	case <-ended:
		return errLeaseLost
	case <-leading:
	}

	workCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- work(workCtx) }()
	select {
	case <-ended:
		return errLeaseLost
	case err := <-done:
		stopRenewing()
		<-ended
		// Work that is stuck may write still: nobody else may start before the lease
		// has run out.
		if !errors.Is(err, errStuck) {
			lock.release(ctx)
		}
		return err
	}
}

func identity() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this host's name, for the lease: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// visibleLock tells readiness how the election goes until this process leads.
type visibleLock struct {
	resourcelock.Interface
	ready     *readiness
	order     *callOrder
	namespace string
	leads     atomic.Bool
}

// Get reads the lease. Whoever reads another's is ready to take over.
func (l *visibleLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	switch {
	case err == nil && record.HolderIdentity != "" && record.HolderIdentity != l.Identity():
		l.say(true, "standing by: "+record.HolderIdentity+" leads")
	case err != nil && !apierrors.IsNotFound(err):
		l.fail(err)
	}
	return record, raw, err
}

// Create makes the lease where there is none.
func (l *visibleLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	record = l.raise(record)
	err := l.Interface.Create(ctx, record)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		l.fail(err)
	}
	return l.won(record, err)
}

// Update takes the lease over, or renews it.
func (l *visibleLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	record = l.raise(record)
	err := l.Interface.Update(ctx, record)
	if err != nil && !apierrors.IsConflict(err) {
		l.fail(err)
	}
	return l.won(record, err)
}

// raise the term of a record: once for each process that leads, above all terms there
// have been, and again only if an agent knows a higher one.
func (l *visibleLock) raise(record resourcelock.LeaderElectionRecord) resourcelock.LeaderElectionRecord {
	record.LeaderTransitions = max(record.LeaderTransitions, int(l.order.least(time.Now())))
	return record
}

// won remembers the term of a record that was written for this process.
func (l *visibleLock) won(record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil && record.HolderIdentity == l.Identity() {
		l.order.term.Store(int64(record.LeaderTransitions))
		l.order.renewed.Store(record.RenewTime.UnixNano())
	}
	return err
}

// release gives the lease up if this process holds it, so that the next one need not
// wait. If that fails it runs out.
func (l *visibleLock) release(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	record, _, err := l.Get(ctx)
	if err == nil && record.HolderIdentity == l.Identity() {
		now := metav1.Now()
		err = l.Update(ctx, resourcelock.LeaderElectionRecord{
			LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, RenewTime: now, AcquireTime: now,
		})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		klog.FromContext(ctx).Info("The lease was not released and runs out", "reason", err.Error())
	}
}

func (l *visibleLock) fail(err error) {
	l.say(false, fmt.Sprintf("waiting: the lease %s/%s: %v", l.namespace, leaseName, advise(err, l.namespace)))
}

func (l *visibleLock) say(ready bool, what string) {
	if !l.leads.Load() {
		l.ready.set(ready, what)
	}
}

// watchdogGrace is how long after the lease has run out /healthz still hopes that the
// elector notices.
const watchdogGrace = 20 * time.Second
