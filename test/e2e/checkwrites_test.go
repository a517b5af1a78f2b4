// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// What make check-writes asks for; without rounds it is the short form that make e2e runs,
// each set its own.
var (
	writesRounds = flag.Int("rounds", 0, "of check-writes: how many rounds; the short form if 0")
	writesSeed   = flag.Uint64("seed", 0, "of check-writes: which faults strike whom, and when; that of the short form if 0")
	writesFaults = flag.String("faults", "", "of check-writes: a list with commas; all if empty, or those of the short form")
	writesMode   = flag.String("mode", "", "of check-writes: rpl_semi_sync (MySQL) or rpl_sync (PostgreSQL), in which a lost row is a failure and which is meant if empty, or rpl_async, in which it is reported")
	writesHold   = flag.Duration("hold", 4*time.Second, "of check-writes: how long a node is away or a server frozen, at most")
	writesRepeat = flag.Bool("repeat", false, "of check-writes: repeat rounds in which the machine stood still")
)

const (
	writesClients = 5
	writesRate    = 50
	// shortestHold of what lasts.
	shortestHold = 2 * time.Second
	// settleTime is how long a set may take to be whole again after a round.
	settleTime = 5 * time.Minute
	// failoverDelay is spec.failover.delaySeconds: less than a server takes to come back,
	// so that there are failovers.
	failoverDelay = 1
)

// writesRun is clients that write to a set while faults strike it.
type writesRun struct {
	*environment
	set      writtenSet
	clients  checkwrites.Clients
	watcher  *checkwrites.Watcher
	recorder *transitionRecorder
	// permitted are the members' servers that may be rebuilt.
	permitted map[string]bool
	stalls    *checkwrites.Stalls
	unsynced  unsyncedFiles
}

// startWrites begins to watch the set, whose members replicate.
func (e *environment) startWrites(t *testing.T, set writtenSet) *writesRun {
	t.Helper()
	account := checkwrites.Account{User: set.account, Password: e.secret(t, set.group, set.account)}
	r := &writesRun{
		environment: e, set: set, recorder: &transitionRecorder{set: set}, permitted: map[string]bool{}, stalls: &checkwrites.Stalls{},
		clients: checkwrites.Clients{
			Engine: set.engine, Account: account, Addresses: e.nodePorts(t, ns, set.replication+"-readwrite"),
			N: writesClients, Interval: time.Second * writesClients / writesRate, History: checkwrites.NewHistory(),
		},
	}
	r.watcher = &checkwrites.Watcher{Engine: set.engine, Account: account, Address: r.sqlAddress}
	eventually(t, time.Minute, "the clients' tables", r.clients.Prepare)
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	over.Go(func() { r.stalls.Measure(ctx) })
	over.Go(func() { r.recorder.watch(ctx) })
	for i := range set.units {
		over.Go(func() { r.watcher.Watch(ctx, set.unit(i)) })
	}
	t.Cleanup(func() {
		cancel()
		over.Wait()
	})
	return r
}

// sqlAddress of a member's server, past every Service.
func (r *writesRun) sqlAddress(ctx context.Context, unit string) (string, error) {
	p, err := r.kube.CoreV1().Pods(ns).Get(ctx, unit, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if p.Status.PodIP == "" {
		return "", fmt.Errorf("pod %s has no address", unit)
	}
	return net.JoinHostPort(p.Status.PodIP, r.set.port), nil
}

// asked is what the flags ask for, where they are silent the set's short form.
func (f shortForm) asked(t *testing.T) (seed uint64, rounds []checkwrites.Round) {
	t.Helper()
	n, list := *writesRounds, *writesFaults
	if seed = *writesSeed; seed == 0 {
		seed = f.seed
	}
	if n == 0 && list == "" {
		list = f.faults
	}
	if n == 0 {
		n = f.rounds
	}
	faults, err := checkwrites.ParseFaults(list)
	if err != nil {
		t.Fatal(err)
	}
	return seed, checkwrites.Plan(seed, n, faults, shortestHold, *writesHold)
}

// rowsSurvive what make check-writes is asked to strike with. In rpl_async a lost row is
// what that mode promises, and only reported.
func (e *environment) rowsSurvive(t *testing.T, set writtenSet) {
	seed, rounds := set.short.asked(t)
	mode := *writesMode
	if mode == "" {
		mode = set.mode
	}
	report := e.checkWrites(t, set, checkwrites.Report{Seed: seed, Mode: mode, Clients: writesClients, Rate: writesRate}, rounds)
	if mode == set.mode {
		for _, problem := range report.Problems() {
			t.Error(problem)
		}
	}
	lost := 0
	for _, r := range report.Results {
		if r.Gone < r.Unsynced {
			t.Errorf("%s: %d of %d files that were not synced are there after the power failure: it was none", r.Round, r.Unsynced-r.Gone, r.Unsynced)
		}
		// A check that finds nothing where rows are lost proves nothing where it finds nothing.
		if r.Round.Name() == string(checkwrites.ForcedFailover) && len(r.Verdict.Lost) == lost {
			t.Errorf("%s: no row is reported as lost, although the new source had received nothing", r.Round)
		}
		lost = len(r.Verdict.Lost)
	}
}

// checkWrites runs the rounds and returns the report with what came of them.
func (e *environment) checkWrites(t *testing.T, set writtenSet, report checkwrites.Report, rounds []checkwrites.Round) checkwrites.Report {
	t.Helper()
	set.begin(t, report.Mode, &v1alpha1.ReplicationFailover{Enabled: true, DelaySeconds: new(int32(failoverDelay)), MinimumIntervalSeconds: new(int32(0))})
	run := e.startWrites(t, set)
	run.settles(t)
	// Also of rounds before one in which the test gives up.
	defer func() { t.Logf("check-writes:\n%s", report) }()
	for todo := rounds; len(todo) > 0; todo = todo[1:] {
		result := run.round(t, todo[0])
		report.Results = append(report.Results, result)
		for _, problem := range result.Problems() {
			t.Log(problem)
		}
		if *writesRepeat && result.Repeats() && len(report.Results) < 2*len(rounds) {
			todo = append(todo, todo[0])
		}
	}
	set.end(t)
	run.settles(t)
	return report
}

// round strikes, heals, and judges.
func (r *writesRun) round(t *testing.T, round checkwrites.Round) checkwrites.Result {
	t.Helper()
	begun := time.Now()
	before, marked, permitted := len(r.clients.History.Writes()), len(r.watcher.Markers()), len(r.permitted)
	stop := r.startClients(t)
	result := checkwrites.Result{Round: round}
	r.recorder.reset()
	from := time.Now()
	healed := r.strike(t, round)
	r.settles(t)
	r.allServed(t)
	to := time.Now()
	stop()
	result.Unsynced, result.Gone = r.unsynced.count(t, r)

	writes := r.clients.History.Writes()
	result.Gap = checkwrites.Gap(writes[before:], from, to)
	result.Stall = r.stalls.Worst(from, to)
	result.Verdict = r.verdict(t, writes)
	result.Rebuilt = len(r.permitted) - permitted
	transitions := r.recorder.seen(&result)
	since := r.watcher.Markers()[marked:]
	result.Overlaps = checkwrites.Overlaps(since)
	result.Unrecorded = max(0, checkwrites.Changes(since)-transitions)
	t.Logf("%s; whole again %.1fs after its end; gap %.2fs, stall %.2fs, %d rows acknowledged, %d lost, %d switchovers, %d failovers, refused %v, %.0fs in all",
		round, to.Sub(healed).Seconds(), result.Gap.Seconds(), result.Stall.Seconds(), result.Verdict.Acknowledged, len(result.Verdict.Lost),
		result.Switchovers, result.Failovers, result.Refused, time.Since(begun).Seconds())
	return result
}

// startClients returns when each of them was served, and with a function that ends them.
func (r *writesRun) startClients(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	for c := range r.clients.N {
		over.Go(func() { r.clients.Run(ctx, c) })
	}
	stop = sync.OnceFunc(func() {
		cancel()
		over.Wait()
	})
	t.Cleanup(stop)
	r.allServed(t)
	return stop
}

// allServed waits until each client had a write acknowledged that it began after now.
func (r *writesRun) allServed(t *testing.T) {
	t.Helper()
	since := time.Now()
	eventually(t, time.Minute, "each client to be served", func(context.Context) error {
		if client, err, waiting := r.clients.History.Waiting(since, r.clients.N); waiting {
			return fmt.Errorf("client %d is not: %w", client, err)
		}
		return nil
	})
}

// settles waits until all members replicate from one source.
func (r *writesRun) settles(t *testing.T) {
	t.Helper()
	eventually(t, settleTime, "the set to be whole again", func(ctx context.Context) error {
		_, err := r.whole(ctx, t)
		return err
	})
}

// whole is the source from which all members replicate. Members with transactions that
// only they have get the permission that they wait for.
func (r *writesRun) whole(ctx context.Context, t *testing.T) (source string, err error) {
	v, err := r.set.view(ctx)
	if err != nil {
		return "", err
	}
	for _, member := range v.topology {
		server := member.Name + " " + member.ServerID
		if member.Errant == nil || member.Errant.Evidence == "" || member.ServerID == "" || r.permitted[server] {
			continue
		}
		if err := r.permitRebuild(ctx, member); err != nil {
			return "", err
		}
		r.permitted[server] = true
		t.Logf("%s has %s, kept in %s, and is rebuilt with permission", member.Name, member.Errant.GTIDs, member.Errant.Evidence)
	}
	others := r.set.units - 1
	if v.observedGeneration != v.Generation || v.operation != nil || v.replicas != others || v.readyReplicas != others ||
		!meta.IsStatusConditionTrue(v.conditions, v1alpha1.ReplicationReady) {
		return "", fmt.Errorf("%d of %d replicas, generation %d of %d, operation %+v: %s", v.readyReplicas, v.replicas, v.observedGeneration, v.Generation, v.operation, sentence(v.conditions))
	}
	return v.source, r.setReady(ctx, ns, r.set.set)
}

// permitRebuild of a member, as a person does who has looked at the evidence.
func (e *environment) permitRebuild(ctx context.Context, member v1alpha1.ReplicationMemberStatus) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha2.AnnotationReinit, member.ServerID)
	_, err := e.upm.UpmV1alpha2().Units(ns).Patch(ctx, member.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// verdict on all writes of the run. A set looks whole until what struck it is noticed: a
// member that does not get the rows is looked after, and asked again.
func (r *writesRun) verdict(t *testing.T, writes []checkwrites.Write) checkwrites.Verdict {
	t.Helper()
	var v checkwrites.Verdict
	eventually(t, settleTime, "the rows of all members", func(ctx context.Context) error {
		source, err := r.whole(ctx, t)
		if err != nil {
			return err
		}
		addresses := map[string]string{}
		for i := range r.set.units {
			if addresses[r.set.unit(i)], err = r.sqlAddress(ctx, r.set.unit(i)); err != nil {
				return err
			}
		}
		rows, err := r.set.engine.ReadAll(ctx, r.clients.Account, source, addresses)
		if err == nil {
			v = checkwrites.Judge(writes, source, rows)
		}
		return err
	})
	return v
}
