// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// computeStatus makes of what was found the status. What decides about roles
// (currentSource, epoch, durability, operation, data, lastTransition) is recorded by
// passes and left as it is.
func computeStatus(s *state, now time.Time) {
	status := &s.status
	status.ObservedGeneration = s.replication.Generation
	if s.wanted.invalid == "" && s.wanted.accepted != nil {
		status.Accepted, status.AcceptedGeneration = s.wanted.accepted, s.replication.Generation
	}
	if status.Accepted != nil {
		status.Endpoints = endpoints(s.replication, status.Accepted.Members[0].Port)
	}
	if o := s.outcome; o != nil && o.trouble == "" && s.replication.DeletionTimestamp == nil {
		status.Topology = o.plan.Members
		status.Replicas, status.ReadyReplicas, status.Lag = s.countReplicas()
	}
	s.conclude()
	conditionsOfReplication.Write(&status.Conditions, s.found, s.replication.Generation, now)
	value, ready := s.ready()
	ready.Write(&status.Conditions, v1alpha1.ReplicationReady, value, s.replication.Generation, now)
}

// lags in the order of how far a replica is behind.
var lags = []v1alpha1.ReplicationLag{
	v1alpha1.LagCaughtUp, v1alpha1.LagUnder10s, v1alpha1.LagUnder1m, v1alpha1.LagUnder10m, v1alpha1.LagOver10m,
}

// countReplicas that are asked for, that replicate, and how far the slowest is behind.
func (s *state) countReplicas() (wanted, ready int32, worst v1alpha1.ReplicationLag) {
	for i := range s.members {
		m := &s.members[i]
		if m.leaving || m.Isolated || m.Name == s.status.CurrentSource {
			continue
		}
		wanted++
		if s.outcome.plan.Labels[m.Name] != topology.RoleReplica {
			continue
		}
		ready++
		for j := range s.status.Topology {
			t := &s.status.Topology[j]
			if t.Name == m.Name && request(s, m).Delay == 0 && slices.Index(lags, t.Lag) > slices.Index(lags, worst) {
				worst = t.Lag
			}
		}
	}
	return wanted, ready, worst
}

// ready is the condition that is always there.
func (s *state) ready() (metav1.ConditionStatus, findings.Finding) {
	if condition, f, ok := s.found.First(conditionsOfReplication.Blockers); ok {
		return metav1.ConditionFalse, findings.Finding{Reason: condition, Message: f.Message}
	}
	if s.replication.Spec.Mode == s.replication.Kind.group {
		return metav1.ConditionFalse, findings.Finding{Reason: v1alpha1.ReplicationNotActedOn, Message: s.found[v1alpha1.ReplicationNotActedOn].Message}
	}
	o := s.outcome
	switch {
	case o == nil:
		return metav1.ConditionUnknown, findings.Finding{Reason: reasonObserving, Message: "the members have not been asked yet"}
	case o.trouble != "":
		return metav1.ConditionUnknown, findings.Finding{Reason: reasonObserving, Message: o.trouble}
	case o.healthy():
		return metav1.ConditionTrue, findings.Finding{Reason: o.reason(), Message: o.message()}
	}
	return metav1.ConditionFalse, findings.Finding{Reason: o.reason(), Message: o.message()}
}
