// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// held is a call that runs as far as the API tells: nothing here has an agent.
type held struct {
	e        *environment
	ns, name string
}

func (e *environment) startCall(t *testing.T, ns, name, unit string) held {
	t.Helper()
	_, err := e.upm.UpmV1alpha1().GrpcCalls(ns).Create(t.Context(), &v1alpha1.GrpcCall{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.GrpcCallSpec{
			TargetUnit: unit, Type: "mysql", Action: v1alpha1.ActionPhysicalBackup, TTLSecondsAfterFinished: new(int32(3600)),
			Parameters: map[string]v1alpha1.JSON{"destination": {Raw: []byte(`"s3://backups/"`)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := held{e, ns, name}
	h.status(t, map[string]any{"operation": map[string]any{"journalID": "j"}, "startTime": metav1.Now(), "phase": v1alpha1.GrpcCallRunning})
	return h
}

func (h held) end(t *testing.T) {
	t.Helper()
	h.status(t, map[string]any{"result": v1alpha1.ResultSuccess, "phase": v1alpha1.GrpcCallFinished, "completionTime": metav1.Now()})
}

func (h held) status(t *testing.T, status map[string]any) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		t.Fatal(err)
	}
	calls := h.e.upm.UpmV1alpha1().GrpcCalls(h.ns)
	if _, err := calls.Patch(t.Context(), h.name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}

// runAgent makes a pod one whose agent runs, as far as its kubelet would tell.
func (e *environment) runAgent(t *testing.T, ns, pod string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"status": corev1.PodStatus{
		Phase: corev1.PodRunning,
		InitContainerStatuses: []corev1.ContainerStatus{{
			Name: "agent", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.kube.CoreV1().Pods(ns).Patch(t.Context(), pod, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}

// waitsFor is nil if a condition is there for a call that runs, and names it.
func waitsFor(conditions []metav1.Condition, conditionType, call string) error {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || c.Reason != "OperationRunning" || !strings.Contains(c.Message, "GrpcCall "+call+" (physical-backup), running since ") {
		return fmt.Errorf("%s is %+v", conditionType, c)
	}
	return nil
}

func TestACallThatRunsHoldsUpTheRestartAndTheRemovalOfItsUnit(t *testing.T) {
	t.Parallel()
	e := require(t)
	p := newProxy(t, e.config, e.token)
	ns := e.namespace(t, "hold")
	startOperator(t, operatorOptions{host: p.URL(), namespace: ns})
	e.create(t, mysqlGroup(ns, "orders", 2))
	e.settled(t, ns, 2)
	units := e.upm.UpmV1alpha2().Units(ns)
	before := e.podUIDs(t, ns)

	e.runAgent(t, ns, "orders-1")
	nightly := e.startCall(t, ns, "nightly", "orders-1")
	// A Unit without this record is one that an older operator made: edits of it stand.
	template := []byte(`{"metadata":{"annotations":{"unit-operator.io/made":null}},"spec":{"template":{"spec":{"terminationGracePeriodSeconds":601}}}}`)
	if _, err := units.Patch(t.Context(), "orders-1", types.MergePatchType, template, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the restart to wait", func(ctx context.Context) error {
		u, err := units.Get(ctx, "orders-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return waitsFor(u.Status.Conditions, "UpdatePending", "nightly")
	})
	if now := e.podUIDs(t, ns); now["orders-1"] != before["orders-1"] {
		t.Fatal("the pod was replaced")
	}
	nightly.end(t)
	eventually(t, "the pod to be replaced", func(context.Context) error {
		if now := e.podUIDs(t, ns)["orders-1"]; now == "" || now == before["orders-1"] {
			return fmt.Errorf("it is %q, was %q", now, before["orders-1"])
		}
		return nil
	})

	weekly := e.startCall(t, ns, "weekly", "orders-1")
	e.scale(t, ns, 1)
	eventually(t, "the removal to wait", func(ctx context.Context) error {
		set, err := e.upm.UpmV1alpha2().UnitSets(ns).Get(ctx, "orders", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return waitsFor(set.Status.Conditions, "ScalingDown", "weekly")
	})
	if u, err := units.Get(t.Context(), "orders-1", metav1.GetOptions{}); err != nil || u.DeletionTimestamp != nil {
		t.Fatalf("the unit is deleted at %v, %v", u.DeletionTimestamp, err)
	}
	weekly.end(t)
	e.settled(t, ns, 1)
}
