// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// phaseInput is what the phase follows from.
type phaseInput struct {
	pod *slim.Pod
	// silent: the kubelet of the pod's node does not report.
	silent  bool
	startup bool
	// database is the name of its container.
	database string
	// agent is the server's state as its agent told it last; empty if unknown.
	agent agentclient.ServerState
}

// phaseOf a unit.
func phaseOf(in phaseInput) v1alpha2.UnitPhase {
	pod := in.pod
	if pod == nil {
		return v1alpha2.UnitPending
	}
	switch {
	case pod.Phase == corev1.PodSucceeded:
		return v1alpha2.UnitSucceeded
	case pod.Phase == corev1.PodFailed:
		return v1alpha2.UnitFailed
	case in.silent || pod.Phase == corev1.PodUnknown:
		return v1alpha2.UnitUnknown
	case pod.Phase != corev1.PodRunning:
		return v1alpha2.UnitPending
	case pod.DeletionTimestamp != nil || !in.startup:
		return v1alpha2.UnitRunning
	case databaseReady(pod):
		return v1alpha2.UnitReady
	case in.agent == agentclient.StateFailed || in.agent == agentclient.StateDataMissing:
		return v1alpha2.UnitFailed
	}
	if c := pod.Container(in.database); c != nil && c.State.Waiting != nil && !starting[c.State.Waiting.Reason] {
		return v1alpha2.UnitFailed
	}
	return v1alpha2.UnitRunning
}

// starting are reasons for which a container waits that mean no harm.
var starting = map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true}

// findInPod says what is wrong with the pod itself.
func findInPod(found findings.Set, pod *slim.Pod, silent bool) {
	if pod == nil {
		return
	}
	if silent {
		found.Because(v1alpha2.ConditionNodeNotReporting,
			"the kubelet of node %s does not report, so nothing is known of the server; it ends when the node reports, or is deleted or tainted node.kubernetes.io/out-of-service", pod.NodeName)
	}
	if pod.DeletionTimestamp != nil {
		found.Because(v1alpha2.ConditionPodTerminating,
			"the pod on node %s is being stopped since %s; the next one is made when it is gone", pod.NodeName, deletionRequest(pod).UTC().Format("15:04:05Z"))
		return
	}
	if c := pod.Condition(corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
		found.Because(v1alpha2.ConditionUnschedulable, "%s", c.Message)
	}
	for _, list := range [][]slim.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			if text := failure(&list[i]); text != "" {
				found.Because(v1alpha2.ConditionContainerFailing, "%s", text)
			}
		}
	}
}

// failure of a container in a sentence that stays the same while the kubelet's
// back-off grows; empty if there is none.
func failure(c *slim.Container) string {
	waiting := c.State.Waiting
	if waiting == nil || starting[waiting.Reason] {
		return ""
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff":
		return fmt.Sprintf("container %s: image %s cannot be pulled; the pod's events say why", c.Name, c.Image)
	case "CrashLoopBackOff":
	default:
		return fmt.Sprintf("container %s: %s: %s", c.Name, waiting.Reason, waiting.Message)
	}
	if last := c.LastTerminationState.Terminated; last != nil {
		return fmt.Sprintf("container %s crashes again and again; last: %s, exit code %d", c.Name, last.Reason, last.ExitCode)
	}
	return fmt.Sprintf("container %s crashes again and again", c.Name)
}
