// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// healing ends what a strike has begun.
type healing struct {
	due time.Time
	end func(t *testing.T)
}

// strike injects the faults of a round, lets them last, and ends them; it returns when
// the last one was ended. A strike that finds nobody to strike, because another one was
// there before it, is logged.
func (r *writesRun) strike(t *testing.T, round checkwrites.Round) (healed time.Time) {
	t.Helper()
	v, err := r.set.view(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source := v.source
	begun := time.Now()
	var healings []healing
	t.Cleanup(func() {
		// A round that ends early leaves the nodes to the tests that follow.
		for _, h := range healings {
			h.end(t)
		}
	})
	for _, s := range round.Strikes {
		time.Sleep(time.Until(begun.Add(s.After)))
		victim := source
		if s.Victim == checkwrites.Replica {
			victim = r.other(source, round.Number)
		}
		end, err := r.inject(t, s.Fault, victim, round.Number)
		if err != nil {
			t.Logf("%s: %s of %s did not strike: %v", round, s.Fault, victim, err)
			continue
		}
		if end != nil {
			done := false
			healings = append(healings, healing{due: time.Now().Add(s.Hold), end: func(t *testing.T) {
				if !done {
					done = true
					end(t)
				}
			}})
		}
	}
	slices.SortFunc(healings, func(a, b healing) int { return a.due.Compare(b.due) })
	for _, h := range healings {
		time.Sleep(time.Until(h.due))
		h.end(t)
	}
	return time.Now()
}

// other member than this one; each number has its own.
func (r *writesRun) other(unit string, number int) string {
	var others []string
	for i := range r.set.units {
		if name := r.set.unit(i); name != unit {
			others = append(others, name)
		}
	}
	return others[number%len(others)]
}

// inject one fault. The function returned ends it; nil where it ends by itself.
func (r *writesRun) inject(t *testing.T, fault checkwrites.Fault, victim string, number int) (end func(*testing.T), err error) {
	t.Helper()
	switch fault {
	case checkwrites.Switchover:
		to := r.other(victim, number)
		r.askForSource(t, to)
		return func(t *testing.T) { r.becomesSource(t, to) }, nil
	case checkwrites.KillServer:
		return nil, signal(victim, serverProcess(r.set.kind), syscall.SIGKILL)
	case checkwrites.KillAgent:
		return nil, signal(victim, agentProcess, syscall.SIGKILL)
	case checkwrites.KillOperator:
		r.stopOperator()
		return func(t *testing.T) { r.restartOperator(t) }, nil
	case checkwrites.DeletePod:
		return nil, r.kube.CoreV1().Pods(ns).Delete(t.Context(), victim, metav1.DeleteOptions{})
	case checkwrites.PowerFailure:
		return r.powerFailure(t, victim)
	case checkwrites.CutNode:
		node, err := r.nodeOf(t.Context(), victim)
		if err != nil {
			return nil, err
		}
		return func(t *testing.T) { r.node(t, "join", node) }, r.bedNode(t.Context(), "cut", node)
	case checkwrites.FreezeServer:
		return freezeServer(victim, serverProcess(r.set.kind))
	case checkwrites.ForcedFailover:
		return r.forcedFailover(t, victim, r.other(victim, number))
	}
	return nil, fmt.Errorf("nothing injects %s", fault)
}

// signal a process of a unit.
func signal(unit string, match func([]string) bool, s syscall.Signal) error {
	pid, err := hostProcess(unit, match)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

func (e *environment) nodeOf(ctx context.Context, unit string) (string, error) {
	p, err := e.kube.CoreV1().Pods(ns).Get(ctx, unit, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if p.Spec.NodeName == "" {
		return "", fmt.Errorf("pod %s is on no node", unit)
	}
	return p.Spec.NodeName, nil
}

// bedNode stops, starts, cuts or joins a node.
func (e *environment) bedNode(ctx context.Context, verb, node string) error {
	if out, err := exec.CommandContext(ctx, e.bed, "node", verb, node).CombinedOutput(); err != nil {
		return fmt.Errorf("bed node %s %s: %w: %s", verb, node, err, bytes.TrimSpace(out))
	}
	return nil
}

// node is bedNode for what must succeed, also when the test has ended.
func (e *environment) node(t *testing.T, verb, node string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := e.bedNode(ctx, verb, node); err != nil {
		t.Error(err)
	}
}

// askForSource as a user does: by the spec, or by the annotation where the spec names
// that member already, because of a failover.
func (r *writesRun) askForSource(t *testing.T, to string) {
	t.Helper()
	if r.set.askForSource(t, to) {
		return
	}
	eventually(t, time.Minute, "the annotation to be taken", func(ctx context.Context) error {
		return r.annotate(ctx, v1alpha2.AnnotationSwitchover, to)
	})
}

// annotate the Replication.
func (r *writesRun) annotate(ctx context.Context, name, value string) error {
	return r.set.patch(ctx, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, name, value))
}

// becomesSource waits until the member is the source.
func (r *writesRun) becomesSource(t *testing.T, to string) {
	t.Helper()
	eventually(t, 2*time.Minute, to+" to be the source", func(ctx context.Context) error {
		v, err := r.set.view(ctx)
		if err == nil && v.source != to {
			err = fmt.Errorf("it is %s: %s", v.source, sentence(v.conditions))
		}
		return err
	})
}

// unsyncedFiles were written to volumes right before their nodes lost power.
type unsyncedFiles map[string]string

// unsyncedFile is not synced, and larger than what a file system keeps elsewhere.
var unsyncedFile = bytes.Repeat([]byte("this was never synced\n"), 1<<16)

// powerFailure of a unit's node. A file that is written to the unit's volume first, and
// not synced, has to be gone afterwards: else this is no power failure.
func (r *writesRun) powerFailure(t *testing.T, unit string) (end func(*testing.T), err error) {
	t.Helper()
	node, err := r.nodeOf(t.Context(), unit)
	if err != nil {
		return nil, err
	}
	agent, err := hostProcess(unit, agentProcess)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("unsynced-%d", time.Now().UnixNano())
	if err := os.WriteFile(filepath.Join(dataVolume(agent), name), unsyncedFile, 0o600); err != nil {
		return nil, err
	}
	if err := r.bedNode(t.Context(), "stop", node); err != nil {
		return nil, err
	}
	if r.unsynced == nil {
		r.unsynced = unsyncedFiles{}
	}
	r.unsynced[name] = unit
	return func(t *testing.T) { r.node(t, "start", node) }, nil
}

// dataVolume of a unit, as its agent sees it.
func dataVolume(agent int) string { return fmt.Sprintf("/proc/%d/root/DATA_MOUNT", agent) }

// count the files, and those whose content is not there any more; both are forgotten.
func (u unsyncedFiles) count(t *testing.T, r *writesRun) (files, gone int) {
	t.Helper()
	for name, unit := range u {
		files++
		eventually(t, time.Minute, "the volume of "+unit, func(context.Context) error {
			agent, err := hostProcess(unit, agentProcess)
			if err != nil {
				return err
			}
			path := filepath.Join(dataVolume(agent), name)
			content, err := os.ReadFile(path)
			switch {
			case errors.Is(err, os.ErrNotExist):
				// Is it the file that is not there, or the volume?
				if _, err := os.Stat(filepath.Join(dataVolume(agent), ".unit-agent", "identity.json")); err != nil {
					return err
				}
				gone++
				return nil
			case err != nil:
				return err
			}
			if !bytes.Equal(content, unsyncedFile) {
				gone++
			}
			return os.Remove(path)
		})
		delete(u, name)
	}
	return files, gone
}

// forcedFailover loses rows: the replicas stop to receive, clients are acknowledged, the
// source's node loses power, and a person makes a replica the source. Nobody may mend the
// replicas meanwhile, so the operator is away and their agents stand still.
func (r *writesRun) forcedFailover(t *testing.T, source, to string) (end func(*testing.T), err error) {
	t.Helper()
	r.stopOperator()
	start, err := r.acknowledgedBySourceAlone(t, source)
	r.restartOperator(t)
	if err != nil {
		return nil, err
	}
	// The node is started also if nobody becomes the source.
	once := sync.OnceFunc(func() { start(t) })
	t.Cleanup(once)
	// Each attempt names the epoch that the status has then: another one is no order.
	eventually(t, 2*time.Minute, to+" to be made the source by force", func(ctx context.Context) error {
		v, err := r.set.view(ctx)
		if err != nil || v.source == to {
			return err
		}
		order := fmt.Sprintf("%s/%d", to, v.epoch)
		if v.Annotations[v1alpha2.AnnotationForcePromote] != order {
			if err := r.annotate(ctx, v1alpha2.AnnotationForcePromote, order); err != nil {
				return err
			}
		}
		return fmt.Errorf("it is %s: %s", v.source, strings.TrimSpace(sentence(v.conditions)))
	})
	return func(*testing.T) { once() }, nil
}

// acknowledgedBySourceAlone returns when the source has acknowledged what nobody else has,
// and its node has lost power.
func (r *writesRun) acknowledgedBySourceAlone(t *testing.T, source string) (start func(*testing.T), err error) {
	t.Helper()
	for i := range r.set.units {
		unit := r.set.unit(i)
		if unit == source {
			continue
		}
		thaw, err := freezeProcess(unit, agentProcess)
		if err != nil {
			return nil, err
		}
		defer thaw(t)
		resume, err := r.set.stopReceiving(t, unit)
		if err != nil {
			return nil, err
		}
		defer resume(t)
	}
	r.allServed(t)
	return r.powerFailure(t, source)
}
