// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// loopingAgent takes the agent's place: it fails where that would serve, and is the agent
// where a probe or a hook of the database container asks.
const loopingAgent = `#!/bin/sh
[ "$1" != serve ] || { echo "this agent fails" >&2; exit 3; }
exec "$0.away" "$@"
`

// breakAgent lets the agent of a pod end at each start, until the function returned is
// called, at the latest until the test ends.
func (e *environment) breakAgent(t *testing.T, p *corev1.Pod) (mend func()) {
	t.Helper()
	// One that was killed before may be waiting for its kubelet.
	eventually(t, 2*time.Minute, "the agent of "+p.Name+" to run", func(context.Context) error {
		_, err := hostProcess(p.Name, agentProcess)
		return err
	})
	// The node's own view of the pod's volume: the containers' is read-only.
	pattern := filepath.Join(filepath.Dir(e.kubeconfig), "*", "kubelet", "pods", string(p.UID), "volumes", "kubernetes.io~empty-dir", "*", "unit-agent")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	program := found[0]
	if err := os.WriteFile(program+".failing", []byte(loopingAgent), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, rename := range [][2]string{{program, program + ".away"}, {program + ".failing", program}} {
		if err := os.Rename(rename[0], rename[1]); err != nil {
			t.Fatal(err)
		}
	}
	mend = sync.OnceFunc(func() {
		if err := os.Rename(program+".away", program); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(mend)
	kill(t, p.Name, agentProcess)
	return mend
}

// sendsTo says whether a Service sends clients to the address.
func (e *environment) sendsTo(ctx context.Context, service, ip string) (bool, error) {
	slices, err := e.kube.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return false, err
	}
	for i := range slices.Items {
		for _, endpoint := range slices.Items[i].Endpoints {
			if len(endpoint.Addresses) > 0 && endpoint.Addresses[0] == ip {
				return endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready, nil
			}
		}
	}
	return false, nil
}

// servicesFollow waits until the pod is ready, or is not, and all of the Services send
// clients to it as its readiness says.
func (e *environment) servicesFollow(t *testing.T, pod string, ready bool, services ...string) {
	t.Helper()
	eventually(t, 2*time.Minute, fmt.Sprintf("%s to be ready: %t, and %s to follow", pod, ready, strings.Join(services, ", ")), func(ctx context.Context) error {
		p, err := e.kube.CoreV1().Pods(ns).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		isReady := func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }
		if now := slices.ContainsFunc(p.Status.Conditions, isReady); now != ready {
			return fmt.Errorf("its readiness is %t", now)
		}
		for _, service := range services {
			if there, err := e.sendsTo(ctx, service, p.Status.PodIP); err != nil || there != ready {
				return fmt.Errorf("%s sends clients to it: %t (%v)", service, there, err)
			}
		}
		return nil
	})
}

// agentLoops: an agent that crashes again and again costs its server nothing, and clients
// only what follows the pod's readiness.
func (e *environment) agentLoops(t *testing.T, g group) {
	requireBed(t)
	unit := g.unit(1)
	e.kubectlRun(t, "patch", "unitset", g.set, "-n", ns, "--type", "merge", "-p", `{"spec": {"externalService": {"type": "ClusterIP"}}}`)
	e.servicesFollow(t, unit, true, g.set+"-svc")
	before := e.pod(t, ns, unit)
	ip := before.Status.PodIP
	s := e.open(t, g, 1)
	s.answered(t, unit)
	mend := e.breakAgent(t, before)

	eventually(t, 2*time.Minute, "the unit to say that its agent crashes again and again", func(ctx context.Context) error {
		u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, unit, metav1.GetOptions{})
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(u.Status.Conditions, v1alpha2.ConditionContainerFailing)
		if c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "container agent crashes again and again") || !strings.Contains(c.Message, "exit code 3") {
			return fmt.Errorf("conditions: %s", sentence(u.Status.Conditions))
		}
		t.Log(c.Message)
		return nil
	})
	restarted := restarts(e.pod(t, ns, unit), "agent")
	eventually(t, 2*time.Minute, "the kubelet to try it again and again", func(ctx context.Context) error {
		p, err := e.kube.CoreV1().Pods(ns).Get(ctx, unit, metav1.GetOptions{})
		if err == nil && restarts(p, "agent") < restarted+3 {
			err = fmt.Errorf("%d restarts", restarts(p, "agent"))
		}
		return err
	})

	e.servicesFollow(t, unit, false, g.set+"-svc")

	// The server serves, by its name too, and nobody touches its pod.
	eventually(t, patience, "the server to answer", func(context.Context) error { return g.answersAt(ip) })
	now := e.pod(t, ns, unit)
	if now.UID != before.UID || now.DeletionTimestamp != nil || restarts(now, g.kind) != restarts(before, g.kind) {
		t.Errorf("pod %s (was %s), deleted at %v, the server restarted %d times (was %d)", now.UID, before.UID, now.DeletionTimestamp, restarts(now, g.kind), restarts(before, g.kind))
	}
	if there, err := e.sendsTo(t.Context(), g.set+"-headless-svc", ip); err != nil || !there {
		t.Errorf("the unit's name does not lead to it: %v, %v", there, err)
	}
	if out, err := e.exec(t.Context(), ns, g.unit(0), g.kind, "", "nslookup", g.host(1)); err != nil || !strings.Contains(out, ip) {
		t.Errorf("%s resolves to %q, %v; want %s", g.host(1), out, err, ip)
	}
	// Others go on as they were.
	for _, i := range []int{0, 2} {
		if err := e.unitPhase(t.Context(), ns, g.unit(i), v1alpha2.UnitReady); err != nil {
			t.Errorf("%s: %v", g.unit(i), err)
		}
	}

	mend()
	eventually(t, 2*time.Minute, "the agent to be back and all to be ready", func(ctx context.Context) error {
		u, err := e.upm.UpmV1alpha2().Units(ns).Get(ctx, unit, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha2.ConditionContainerFailing) || u.Status.Phase != v1alpha2.UnitReady {
			return fmt.Errorf("%s, conditions: %s", u.Status.Phase, sentence(u.Status.Conditions))
		}
		return e.setReady(ctx, ns, g.set)
	})
	e.servicesFollow(t, unit, true, g.set+"-svc")
	s.finish(t, unit)
	after := e.pod(t, ns, unit)
	if after.UID != before.UID || restarts(after, g.kind) != restarts(before, g.kind) {
		t.Errorf("the server was restarted: pod %s (was %s), %d restarts (was %d)", after.UID, before.UID, restarts(after, g.kind), restarts(before, g.kind))
	}
}
