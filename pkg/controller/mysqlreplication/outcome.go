// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysqlreplication

import (
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// blocked are the states in which no commit is acknowledged.
var blocked = []topology.State{
	mysql.Uninitialised, mysql.SourceInOperation, mysql.SourceLostData, mysql.SourceStoppedByUser, mysql.SourceFailed, mysql.WritesBlocked,
}

// degraded are those in which commits are acknowledged and something is not as it should
// be.
var degraded = []topology.State{mysql.SplitBrain, mysql.SourceUnreachable, mysql.SemiSyncDegraded, mysql.Provisioning, mysql.Degraded}

// healthy says whether there is nothing to do and nothing to wait for.
func (o *outcome) healthy() bool { return o.trouble == "" && o.plan.State == mysql.Healthy }

// reason of conditions, in one word.
func (o *outcome) reason() string {
	if o.plan.Reason != "" {
		return o.plan.Reason
	}
	return string(o.plan.State)
}

// message for people: what the state means, and what there is to know of the members.
func (o *outcome) message() string {
	parts := []string{}
	if o.plan.Message != "" {
		parts = append(parts, o.plan.Message)
	}
	for _, f := range o.plan.Findings {
		text := f.Message
		if f.Member != "" {
			text = f.Member + ": " + text
		}
		if f.Message != "" && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return "every member replicates"
	}
	return strings.Join(parts, "; ")
}

// conclude adds what the last pass says of the whole.
func (s *state) conclude() {
	o := s.outcome
	if op := s.status.Operation; op != nil {
		s.found.Add(v1alpha1.ReplicationProgressing, string(op.Type), "%s", describe(op))
	}
	if o == nil || o.trouble != "" || s.replication.DeletionTimestamp != nil {
		return
	}
	if o.plan.MayReplace {
		s.found.Because(v1alpha1.ReplicationSourceReplaceable, "the data of %s may be replaced: the other members are isolated, and are made again from it afterwards", s.status.CurrentSource)
	}
	switch {
	case slices.Contains(blocked, o.plan.State):
		s.found.Add(v1alpha1.ReplicationWritesBlocked, o.reason(), "%s", o.message())
	case slices.Contains(degraded, o.plan.State):
		s.found.Add(v1alpha1.ReplicationDegraded, o.reason(), "%s", o.message())
	}
}

// describe an operation that is under way.
func describe(op *v1alpha1.ReplicationOperation) string {
	text := string(op.Type)
	if op.From != "" {
		text += " from " + op.From
	}
	if op.To != "" {
		text += " to " + op.To
	}
	if op.Phase != "" {
		text += ", " + op.Phase
	}
	return text
}
