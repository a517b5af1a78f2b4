// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/metrics"
)

// newAgents makes the client of the agents.
func newAgents(o *Options, c *clients, ca *agenttls.CA, m *metrics.Metrics, order *callOrder) *agentclient.Client {
	// Port-forwards are long: they count against no rate limit.
	forward := agentclient.PortForward(rest.CopyConfig(c.config), c.kube)
	return agentclient.New(agentclient.Options{
		Operator: agenttls.NewOperator(ca, clock.RealClock{}),
		Dialer:   newDialer(o.AgentDial, c.inCluster, agentclient.PodIP(), forward),
		Observe:  m.ObserveAgentCall,
		// Agents know the term of a former leader.
		Overtaken: order.overtaken,
	})
}

// newDialer chooses between the two ways. In the cluster auto does not fall back: pods
// are routed there, the service account may not forward ports, and a refusal of that
// would hide why a pod does not answer.
func newDialer(dial string, inCluster bool, podIP, portForward agentclient.Dialer) agentclient.Dialer {
	switch {
	case dial == dialPortForward:
		return portForward
	case dial == dialPodIP || inCluster:
		return podIP
	}
	return agentclient.Auto(podIP, portForward)
}
