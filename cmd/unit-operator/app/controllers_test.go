// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/upmio/unit-operator/pkg/agentclient"
	agentfake "github.com/upmio/unit-operator/pkg/agentclient/fake"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	upmfake "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/fake"
	"github.com/upmio/unit-operator/pkg/metrics"
)

// stub is a controller that does what a test wants.
type stub struct {
	run      func(ctx context.Context, workers int) error
	enqueued []cache.ObjectName
}

func (s *stub) Run(ctx context.Context, workers int) error { return s.run(ctx, workers) }
func (s *stub) Enqueue(key cache.ObjectName)               { s.enqueued = append(s.enqueued, key) }

func row(name string, workers int) descriptor {
	return descriptor{name: name, workers: func(*Options) int { return workers }}
}

func TestControllersEndBeforeTheirRunDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := map[string]int{}
		slow := func(name string, took time.Duration) *stub {
			return &stub{run: func(ctx context.Context, workers int) error {
				<-ctx.Done()
				time.Sleep(took)
				finished[name] = workers
				return nil
			}}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		made := controllers{"a": slow("a", time.Second), "b": slow("b", 0)}
		if err := made.run(ctx, []descriptor{row("a", 3), row("b", 7)}, NewOptions(), 10*time.Second); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(map[string]int{"a": 3, "b": 7}, finished); d != "" {
			t.Errorf("finished (-want +got):\n%s", d)
		}
	})
}

func TestAControllerThatDoesNotEndIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		made := controllers{
			"a": &stub{run: func(context.Context, int) error { <-release; return nil }},
			"b": &stub{run: func(ctx context.Context, _ int) error { <-ctx.Done(); return nil }},
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := made.run(ctx, []descriptor{row("a", 1), row("b", 1)}, NewOptions(), 10*time.Second)
		if !errors.Is(err, errStuck) || !strings.Contains(err.Error(), "controllers a did not") {
			t.Errorf("error %v", err)
		}
		close(release)
	})
}

func TestOneControllerThatFailsEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		for name, end := range map[string]error{"with an error": boom, "without one": nil} {
			made := controllers{
				"a": &stub{run: func(context.Context, int) error { return end }},
				"b": &stub{run: func(ctx context.Context, _ int) error { <-ctx.Done(); return nil }},
			}
			err := made.run(t.Context(), []descriptor{row("a", 1), row("b", 1)}, NewOptions(), time.Second)
			if err == nil || !strings.Contains(err.Error(), "controller a") || strings.Contains(err.Error(), "controller b") {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
}

func TestAChangedReferenceWakesItsOwnerInItsController(t *testing.T) {
	sets, units := &stub{}, &stub{}
	made := controllers{"unitset": sets, "unit": units}
	// A set and a unit may have the same name.
	var woken []cache.ObjectName
	references := slim.NewReferences(metadatafake.NewSimpleMetadataClient(metadatafake.NewTestScheme()), slim.AllNamespaces,
		func(owner cache.ObjectName) { woken = append(woken, owner) })
	orders := cache.NewObjectName("shop", "orders")
	for _, scope := range []string{"unitset", "unit"} {
		references.Scope(scope).Set(orders, []slim.Reference{{Kind: slim.Secret, Key: cache.NewObjectName("shop", scope+"-secret")}})
	}
	made.enqueueScoped(cache.NewObjectName("shop", "unit/orders"))
	made.enqueueScoped(cache.NewObjectName("shop", "nobody/orders"))
	if d := cmp.Diff([]cache.ObjectName{orders}, units.enqueued); d != "" {
		t.Errorf("units (-want +got):\n%s", d)
	}
	if len(sets.enqueued) > 0 {
		t.Errorf("sets were woken: %v", sets.enqueued)
	}
	if len(woken) > 0 {
		t.Errorf("setting a reference woke %v", woken)
	}
}

func TestEveryControllerOfTheTableIsMadeAndStops(t *testing.T) {
	o := NewOptions()
	o.AgentImage = "agent:1"
	kube := fake.NewClientset()
	c := &clients{kube: kube, upm: upmfake.NewSimpleClientset(), metadata: metadatafake.NewSimpleMetadataClient(metadatafake.NewTestScheme())}
	data, err := agenttls.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := agenttls.LoadCA(data)
	if err != nil {
		t.Fatal(err)
	}
	made := controllers{}
	informers, err := newInformers(c, o, made.enqueueScoped)
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{options: o, clients: c, informers: informers, agents: agentfake.New(), ca: ca, recorder: events.NewFakeRecorder(10), metrics: metrics.New()}
	workers := map[string]int{}
	for _, row := range table {
		if made[row.name], err = row.make(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		workers[row.name] = row.workers(o)
	}
	if d := cmp.Diff(map[string]int{"unitset": 16, "unit": 16, "grpccall": 8, "mysqlreplication": 4, "postgresreplication": 4}, workers); d != "" {
		t.Errorf("controllers and workers (-want +got):\n%s", d)
	}
	if err := informers.check(t.Context()); err == nil || !strings.Contains(err.Error(), "units") || !strings.Contains(err.Error(), "podtemplates of packages") {
		t.Errorf("before the start the caches are said to be synced: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	informersCtx, stopInformers := context.WithCancel(t.Context())
	defer stopInformers()
	wait := informers.start(informersCtx)
	if !newReadiness().until(t.Context(), time.Millisecond, informers.check) {
		t.Fatal("the caches never synced")
	}
	cancel()
	if err := made.run(ctx, table, o, drain); err != nil {
		t.Error(err)
	}
	stopInformers()
	wait()
}

func TestAgentsAreDialledAsAsked(t *testing.T) {
	way := func(name string, err error) agentclient.Dialer {
		return agentclient.DialerFunc(func(context.Context, agentclient.Target) (net.Conn, error) {
			return nil, errors.Join(errors.New(name), err)
		})
	}
	for name, tc := range map[string]struct {
		dial      string
		inCluster bool
		want      []string
	}{
		"pod-ip":                    {dialPodIP, false, []string{"by ip"}},
		"port-forward":              {dialPortForward, true, []string{"by port-forward"}},
		"auto in the cluster":       {dialAuto, true, []string{"by ip"}},
		"auto out of it falls back": {dialAuto, false, []string{"by ip", "by port-forward"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newDialer(tc.dial, tc.inCluster, way("by ip", nil), way("by port-forward", nil)).Dial(t.Context(), agentclient.Target{PodUID: "u"})
			if err == nil || err.Error() != strings.Join(tc.want, "\n") {
				t.Errorf("dialled %v, want %v", err, tc.want)
			}
		})
	}
}
