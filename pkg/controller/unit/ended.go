// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// A pod object that is gone proves nothing: it may have been deleted by force while
// its node, cut off, runs its server on. So the pod of a Replication's member has a
// finalizer until the end of all its processes is proven, and no other pod of the unit
// is made before that.

// held says whether a pod is held for the proof of its end.
func held(pod *slim.Pod) bool { return slices.Contains(pod.Finalizers, v1alpha2.FinalizerPodEnded) }

// kubeletEnded says whether the kubelet has reported that all containers of a pod that
// is being deleted have ended. One that ended before the deletion may have been started
// again by a kubelet that has not heard of it, unless the whole pod is over.
func kubeletEnded(pod *slim.Pod) bool {
	ended, known := true, false
	for _, list := range [][]slim.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			state := &list[i].State
			if state.Running != nil {
				return false
			}
			known = true
			ended = ended && state.Terminated != nil && !state.Terminated.FinishedAt.Time.Before(deletionRequest(pod))
		}
	}
	return pod.Phase == corev1.PodSucceeded || pod.Phase == corev1.PodFailed || known && ended
}

// deletionRequest is when the deletion of a pod was asked for: the API server adds the
// grace period to it.
func deletionRequest(pod *slim.Pod) time.Time {
	if pod.DeletionTimestamp == nil {
		return time.Time{}
	}
	var grace int64
	if pod.DeletionGracePeriodSeconds != nil {
		grace = *pod.DeletionGracePeriodSeconds
	}
	return pod.DeletionTimestamp.Add(-time.Duration(grace) * time.Second)
}

// proof that no process of a pod runs any more; empty if there is none. pod is nil if
// its object is gone. What the cache says of a node is asked of the API server: a node
// that has just come is not in it yet.
func (c *Controller) proof(ctx context.Context, uid types.UID, node string, pod *slim.Pod, confirmed string) (v1alpha2.PodEnd, error) {
	switch {
	case confirmed == string(uid):
		return v1alpha2.PodEndConfirmed, nil
	case pod != nil && kubeletEnded(pod):
		return v1alpha2.PodEndKubelet, nil
	case pod != nil && node == "":
		// The API server binds no pod that is being deleted.
		return v1alpha2.PodEndNodeGone, nil
	case node == "":
		return "", nil
	}
	if cached, ok := c.cfg.Nodes.Get(cache.NewObjectName("", node)); ok && !cached.OutOfService {
		return "", nil
	}
	live, err := c.control.kube.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return v1alpha2.PodEndNodeGone, nil
	case err != nil:
		return "", fmt.Errorf("reading node %s: %w", node, err)
	case slim.FromNode(live).OutOfService:
		return v1alpha2.PodEndOutOfService, nil
	}
	return "", nil
}

// syncEnd looks for the proof of the end of a pod that is being deleted, or whose
// object is gone, records it and lets the pod go.
func (c *Controller) syncEnd(ctx context.Context, s *state) error {
	if s.pod == nil {
		return c.syncVanished(ctx, s)
	}
	pod := s.pod
	switch {
	case !held(pod):
		return nil
	case pod.DeletionTimestamp == nil:
		if s.unit.Status.Replication == nil && s.member.Owner == nil && s.unit.DeletionTimestamp == nil {
			// It is nobody's member any more.
			_, err := c.control.pods.RemoveFinalizer(ctx, s.unit, pod, v1alpha2.FinalizerPodEnded)
			return err
		}
		return nil
	}
	end, err := c.prove(ctx, s, &v1alpha2.UnitLastPod{UID: pod.UID, NodeName: pod.NodeName})
	if end == "" || err != nil {
		return err
	}
	return c.letGo(ctx, s.unit, pod, end)
}

// prove the end of the unit's last pod and record it; empty while nothing proves it, which
// is said once its kubelet has had the time to.
func (c *Controller) prove(ctx context.Context, s *state, last *v1alpha2.UnitLastPod) (v1alpha2.PodEnd, error) {
	end, err := c.proof(ctx, last.UID, last.NodeName, s.pod, s.unit.Annotations[v1alpha2.AnnotationConfirmEnded])
	if err != nil {
		return "", err
	}
	if end != "" {
		return end, c.recordEnd(ctx, s, last, end)
	}
	s.status.LastPod = last
	if s.pod != nil && !s.node.Silent {
		if left := s.pod.DeletionTimestamp.Sub(c.cfg.Clock.Now()); left > 0 {
			s.retryAfter(left)
			return "", nil
		}
	}
	s.unproven(last)
	return "", nil
}

// syncEndWhilePaused lets a pod go whose end its kubelet has reported. Nothing of the
// unit changes by that, and whoever deleted the pod, such as a drain or the deletion of
// the namespace, need not wait for a person. Any other proof is judged once the unit is
// not paused any more.
func (c *Controller) syncEndWhilePaused(ctx context.Context, s *state) error {
	if s.pod == nil || !held(s.pod) || s.pod.DeletionTimestamp == nil || !kubeletEnded(s.pod) {
		return nil
	}
	return c.syncEnd(ctx, s)
}

// syncVanished is syncEnd of a member whose last pod has no object any more, though
// nothing has proven its end: somebody took its finalizer off.
func (c *Controller) syncVanished(ctx context.Context, s *state) error {
	if s.unit.Status.Replication == nil {
		return nil
	}
	last := &v1alpha2.UnitLastPod{UID: s.unit.Status.PodUID, NodeName: s.unit.Status.NodeName}
	known := s.unit.Status.LastPod
	switch {
	case last.UID == "" && (known == nil || known.Ended != ""):
		return nil
	case last.UID == "":
		last = known.DeepCopy()
	case known != nil && known.UID == last.UID && known.Ended != "":
		return nil
	}
	// A pod that lost its labels is not in the cache, and has not vanished: it gets
	// them back where a pod is made.
	live, err := c.control.readPod(ctx, s.unit)
	if err != nil || live != nil && live.UID == last.UID && live.DeletionTimestamp == nil {
		return err
	}
	if end, err := c.prove(ctx, s, last); end == "" || err != nil {
		return err
	}
	return errWritten
}

// unproven says what is waited for, and what would end it.
func (s *state) unproven(last *v1alpha2.UnitLastPod) {
	node, wait := last.NodeName, "no other pod of the unit is made"
	if node == "" {
		node = "(unknown)"
	}
	if s.unit.DeletionTimestamp != nil {
		wait = "the Unit stays"
	}
	kubelet := "the node's kubelet reports that all its containers ended; "
	if s.pod == nil {
		// It reports of no pod whose object is gone.
		kubelet = ""
	}
	s.found.Because(v1alpha2.ConditionPodEndUnproven,
		"nothing proves that the processes of pod %s on node %s have ended, so %s. One of these ends it: %sthe Node is deleted; "+
			"the Node is tainted %s; or, once you have made sure of it, such as by switching the node off, the Unit is annotated %s=%s",
		last.UID, node, wait, kubelet, corev1.TaintNodeOutOfService, v1alpha2.AnnotationConfirmEnded, last.UID)
}

// recordEnd in the status, before the pod goes.
func (c *Controller) recordEnd(ctx context.Context, s *state, last *v1alpha2.UnitLastPod, end v1alpha2.PodEnd) error {
	if known := s.unit.Status.LastPod; known != nil && known.UID == last.UID && known.Ended != "" {
		return nil
	}
	last.Ended, last.Time = end, new(metav1.NewTime(c.cfg.Clock.Now().Truncate(time.Second)))
	if err := c.record(ctx, s, func(status *v1alpha2.UnitStatus) { status.LastPod = last }); err != nil {
		return err
	}
	s.status.LastPod = last
	if end != v1alpha2.PodEndKubelet {
		c.control.Events.Normal(s.unit, v1alpha2.ReasonPodEndProven, actionReconcile, "Pod %s on node %s has ended: %s", last.UID, last.NodeName, endInWords[end])
	}
	return nil
}

var endInWords = map[v1alpha2.PodEnd]string{
	v1alpha2.PodEndNodeGone:     "its Node does not exist any more",
	v1alpha2.PodEndOutOfService: "its Node is tainted " + corev1.TaintNodeOutOfService,
	v1alpha2.PodEndConfirmed:    "annotation " + v1alpha2.AnnotationConfirmEnded + " says so",
}

// letGo of a pod that has ended. Where its kubelet cannot, its grace period is ended
// first: without the finalizer its object goes then.
func (c *Controller) letGo(ctx context.Context, unit *slim.Unit, pod *slim.Pod, end v1alpha2.PodEnd) error {
	var err error
	if g := pod.DeletionGracePeriodSeconds; end != v1alpha2.PodEndKubelet && (g == nil || *g != 0) {
		err = c.control.pods.Delete(ctx, unit, pod.Name, pod.UID, "its end is proven", new(int64(0)))
	} else {
		_, err = c.control.pods.RemoveFinalizer(ctx, unit, pod, v1alpha2.FinalizerPodEnded)
	}
	if err != nil {
		return err
	}
	return errWritten
}

// holdPod makes sure that the pod there is, if any, is held for the proof of its end.
// It is false for one that cannot be any more.
func (c *Controller) holdPod(ctx context.Context, s *state) (bool, error) {
	switch {
	case s.pod == nil || held(s.pod):
		return true, nil
	case s.pod.DeletionTimestamp != nil:
		return false, nil
	}
	return c.control.pods.AddFinalizer(ctx, s.unit, s.pod, v1alpha2.FinalizerPodEnded)
}

// syncStrayPod lets a pod go that is held and being deleted, and whose Unit is not
// there any more: it was deleted without its children, or its finalizer was taken off.
// A person confirms its end by the annotation on the pod itself.
func (c *Controller) syncStrayPod(ctx context.Context, key cache.ObjectName, unit *slim.Unit) error {
	pod, ok := c.cfg.Children.Pods.Get(key)
	if !ok || !held(pod) || pod.DeletionTimestamp == nil || unit != nil && ownerref.ControlledBy(pod, unit) {
		return nil
	}
	end, err := c.proof(ctx, pod.UID, pod.NodeName, pod, pod.Annotations[v1alpha2.AnnotationConfirmEnded])
	if err != nil || end == "" {
		return err
	}
	if unit == nil {
		unit = &slim.Unit{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	}
	return c.letGo(ctx, unit, pod, end)
}
