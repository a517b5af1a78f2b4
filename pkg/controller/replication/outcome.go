// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// healthy says whether there is nothing to do and nothing to wait for.
func (o *outcome) healthy() bool { return o.trouble == "" && o.plan.State == o.kind.healthy }

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
	case slices.Contains(o.kind.blocked, o.plan.State):
		s.found.Add(v1alpha1.ReplicationWritesBlocked, o.reason(), "%s", o.message())
	case slices.Contains(o.kind.degraded, o.plan.State):
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
