// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// AgentContainer is the name of the agent's container in the pod of a unit.
const AgentContainer = "agent"

// AgentUp says whether there is an agent in the pod to speak to, and since when.
func AgentUp(pod *Pod) (since time.Time, up bool) {
	if pod == nil || len(pod.PodIPs) == 0 || pod.Phase == corev1.PodFailed || pod.Phase == corev1.PodSucceeded {
		return time.Time{}, false
	}
	agent := pod.Container(AgentContainer)
	if agent == nil || agent.State.Running == nil {
		return time.Time{}, false
	}
	return agent.State.Running.StartedAt.Time, true
}

// AgentOf a unit in a pod of it.
func AgentOf(unit *Unit, pod *Pod) agentclient.Target {
	t := agentclient.Target{Namespace: unit.Namespace, Unit: unit.Name, UnitUID: unit.UID}
	if pod != nil {
		t.Pod, t.PodUID = pod.Name, pod.UID
		if len(pod.PodIPs) > 0 {
			t.PodIP = pod.PodIPs[0].IP
		}
	}
	return t
}
