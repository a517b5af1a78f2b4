// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// cutFromAPI cuts a node off from the API server and from nothing else: its kubelet
// hears of nothing, its pods are reached. The function returned ends it.
func (e *environment) cutFromAPI(t *testing.T, node string) (join func()) {
	t.Helper()
	u, err := url.Parse(e.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	// Both ways: what the API server sends on a connection that is there arrives else.
	rules := [][]string{
		{"OUTPUT", "-d", u.Hostname(), "-p", "tcp", "--dport", u.Port(), "-j", "DROP"},
		{"INPUT", "-s", u.Hostname(), "-p", "tcp", "--sport", u.Port(), "-j", "DROP"},
	}
	iptables := func(verb string) error {
		for _, rule := range rules {
			out, err := exec.Command("ip", append([]string{"netns", "exec", "uobed-" + node, "iptables", verb}, rule...)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("iptables %s: %w: %s", verb, err, out)
			}
		}
		return nil
	}
	if err := iptables("-I"); err != nil {
		t.Fatal(err)
	}
	joined := false
	join = func() {
		if joined {
			return
		}
		joined = true
		if err := iptables("-D"); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(join)
	return join
}

// A pod that was deleted by force proves nothing: its server runs on where the kubelet
// has not heard of it.
func TestAMemberWhosePodIsDeletedByForceHasNoOtherPodBeforeItsEndIsProven(t *testing.T) {
	e := requireBed(t)
	e.operationsNamespace(t, e.startStore(t))
	const unit = "member"
	e.standalone(t, unit)
	replications := e.upm.UpmV1alpha1().PostgresReplications(opsNamespace)
	r := &v1alpha1.PostgresReplication{ObjectMeta: metav1.ObjectMeta{Name: unit}, Spec: v1alpha1.PostgresReplicationSpec{
		Mode:    v1alpha1.PostgresReplicationAsync,
		Secret:  v1alpha1.PostgresReplicationSecret{Name: unit, Postgres: "postgres", Replication: "repl"},
		Primary: v1alpha1.PostgresReplicationMember{Name: unit, Host: unit, Port: 5432},
	}}
	r.Spec.Standby = []v1alpha1.PostgresStandbyMember{{PostgresReplicationMember: v1alpha1.PostgresReplicationMember{Name: "elsewhere", Host: "elsewhere", Port: 5432}}}
	if _, err := replications.Create(t.Context(), r, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = replications.Delete(context.Background(), unit, metav1.DeleteOptions{}) })

	before := e.pod(t, opsNamespace, unit)
	eventually(t, time.Minute, "the member's pod to be held for the proof of its end", func(ctx context.Context) error {
		p, err := e.kube.CoreV1().Pods(opsNamespace).Get(ctx, unit, metav1.GetOptions{})
		if err == nil && !slices.Contains(p.Finalizers, v1alpha2.FinalizerPodEnded) {
			err = fmt.Errorf("finalizers %v", p.Finalizers)
		}
		return err
	})
	join := e.cutFromAPI(t, before.Spec.NodeName)
	e.kubectlRun(t, "delete", "pod", "-n", opsNamespace, unit, "--force", "--grace-period=0", "--wait=false")

	eventually(t, 2*time.Minute, "the unit to say what its next pod waits for", func(ctx context.Context) error {
		return e.unitConditionTrue(ctx, opsNamespace, unit, "PodEndUnproven")
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		p, err := e.kube.CoreV1().Pods(opsNamespace).Get(t.Context(), unit, metav1.GetOptions{})
		if err != nil || p.UID != before.UID {
			t.Fatalf("pod %v (%v), want %s, whose server still runs", p.UID, err, before.UID)
		}
		// One that does not run never greets again.
		eventually(t, patience, "the server, whose kubelet has heard of nothing, to greet", func(context.Context) error {
			return greeting("postgresql", before.Status.PodIP+":5432")
		})
	}

	join()
	eventually(t, 3*time.Minute, "another pod, once the kubelet has reported the end of the first", func(ctx context.Context) error {
		p, err := e.kube.CoreV1().Pods(opsNamespace).Get(ctx, unit, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return err
		}
		if err == nil && p.UID == before.UID {
			err = fmt.Errorf("it is the same, deleted at %v", p.DeletionTimestamp)
		}
		return err
	})
	u, err := e.upm.UpmV1alpha2().Units(opsNamespace).Get(t.Context(), unit, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if last := u.Status.LastPod; last == nil || last.UID != before.UID || last.Ended != v1alpha2.PodEndKubelet {
		t.Errorf("status.lastPod is %+v, want %s, reported by the kubelet", last, before.UID)
	}
}
