// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// syncPod reports a pod as a kubelet would: that it runs, then that it is Ready, in two
// writes; and removes one that is being deleted.
func (f *Fleet) syncPod(ctx context.Context, key cache.ObjectName) error {
	obj, exists, err := f.pods.GetStore().GetByKey(key.String())
	if err != nil {
		return err
	}
	if !exists {
		f.agents.gone(key)
		return nil
	}
	pod := obj.(*corev1.Pod)
	f.agents.replaced(key, pod.UID)
	switch {
	case pod.DeletionTimestamp != nil:
		f.agents.gone(key)
		return f.end(ctx, pod)
	case pod.Spec.NodeName == "":
		if f.options.Schedule {
			return f.bind(ctx, pod)
		}
		return nil
	case pod.Status.Phase == corev1.PodPending:
		return f.begin(ctx, pod)
	}
	if unitOf(pod) != "" {
		agent, err := f.agents.serve(pod)
		if err != nil || !agent.told() {
			return err
		}
	}
	if !Ready(pod) {
		return f.ready(ctx, pod)
	}
	return nil
}

// unitOf a pod; empty for one that is no unit's.
func unitOf(pod *corev1.Pod) string {
	if pod.Labels[v1alpha2.LabelManaged] != "true" {
		return ""
	}
	return pod.Labels[v1alpha2.LabelUnit]
}

func (f *Fleet) end(ctx context.Context, pod *corev1.Pod) error {
	err := f.kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func (f *Fleet) bind(ctx context.Context, pod *corev1.Pod) error {
	err := f.kube.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: f.node()},
	}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or bound already
	}
	return err
}

// begin reports that the containers run and that none is ready but the sidecars.
func (f *Fleet) begin(ctx context.Context, pod *corev1.Pod) error {
	ip, err := f.address()
	if err != nil {
		return err
	}
	now := metav1.Now()
	next := pod.DeepCopy()
	s := &next.Status
	s.Phase, s.StartTime = corev1.PodRunning, &now
	s.HostIP, s.PodIP, s.PodIPs = ip.String(), ip.String(), []corev1.PodIP{{IP: ip.String()}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	for _, c := range pod.Spec.InitContainers {
		status := corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: true, State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now},
		}}
		if c.RestartPolicy != nil {
			status.Started, status.State = new(true), running
		}
		s.InitContainerStatuses = append(s.InitContainerStatuses, status)
	}
	for _, c := range pod.Spec.Containers {
		s.ContainerStatuses = append(s.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Started: new(true), State: running,
		})
	}
	s.Conditions = conditions(s.Conditions, corev1.ConditionFalse, now)
	_, err = f.kube.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	return gone(err)
}

// ready reports that all containers are.
func (f *Fleet) ready(ctx context.Context, pod *corev1.Pod) error {
	next := pod.DeepCopy()
	for i := range next.Status.ContainerStatuses {
		next.Status.ContainerStatuses[i].Ready = true
	}
	next.Status.Conditions = conditions(next.Status.Conditions, corev1.ConditionTrue, metav1.Now())
	_, err := f.kube.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, next, metav1.UpdateOptions{})
	return gone(err)
}

// conditions of a pod that runs, beside those that others write.
func conditions(old []corev1.PodCondition, ready corev1.ConditionStatus, now metav1.Time) []corev1.PodCondition {
	want := map[corev1.PodConditionType]corev1.ConditionStatus{
		corev1.PodReadyToStartContainers: corev1.ConditionTrue, corev1.PodInitialized: corev1.ConditionTrue,
		corev1.ContainersReady: ready, corev1.PodReady: ready,
	}
	var out []corev1.PodCondition
	for _, c := range old {
		if _, ours := want[c.Type]; !ours {
			out = append(out, c)
		}
	}
	for _, t := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		out = append(out, corev1.PodCondition{Type: t, Status: want[t], LastTransitionTime: now})
	}
	return out
}

// gone forgives that the object is not there any more.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
