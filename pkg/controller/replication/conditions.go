// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

// conditionsOfReplication other than Ready.
var conditionsOfReplication = findings.Kind{
	Blockers: []string{
		v1alpha1.ReplicationInvalidSpec,
		v1alpha1.ReplicationMemberTaken,
		v1alpha1.ReplicationMemberMissing,
		v1alpha1.ReplicationSecretMissing,
		v1alpha1.ReplicationNameConflict,
		v1alpha1.ReplicationQuotaExceeded,
		v1alpha1.ReplicationRefused,
		v1alpha1.ReplicationReleasePending,
		v1alpha1.ReplicationWritesBlocked,
	},
	Notices: []string{
		v1alpha1.ReplicationDegraded,
		v1alpha1.ReplicationProgressing,
		v1alpha1.ReplicationSourceReplaceable,
		v1alpha1.ReplicationPaused,
		v1alpha1.ReplicationNotActedOn,
	},
	Calm: []string{v1alpha1.ReplicationReady, v1alpha1.ReplicationProgressing, v1alpha1.ReplicationSourceReplaceable, v1alpha1.ReplicationPaused, v1alpha1.ReplicationNotActedOn},
}

// Reasons of Ready and of events that are this package's own. The others are the states
// of pkg/replication.
const (
	// reasonObserving: Ready is Unknown until the members were asked once.
	reasonObserving = "Observing"
	// reasonAccountsApplied: the accounts of spec.secret were written on the source.
	reasonAccountsApplied = "AccountsApplied"
)

// actionReplicate is the action of events about what passes do.
const actionReplicate = "Replicate"

// annotationAccounts of the channel's Secret is the keyed hash of the accounts that were
// applied last.
const annotationAccounts = "unit-operator.io/applied-accounts"

// explain adds what is wrong with the spec, and what of it nothing acts on.
func (s *state) explain() {
	r := s.replication
	if s.wanted.invalid != "" {
		s.found.Because(v1alpha1.ReplicationInvalidSpec, "%s. Until that is mended the topology of generation %d stands", s.wanted.invalid, s.status.AcceptedGeneration)
	}
	for i := range s.members {
		if m := &s.members[i]; m.owner != nil {
			s.found.Because(v1alpha1.ReplicationMemberTaken, "Unit %s is owned by %s, which is older: nothing is done to it; take it out of one of the two", m.Name, m.owner)
		}
	}
	switch missing := s.wanted.missing; len(missing) {
	case 0:
	case 1:
		s.found.Because(v1alpha1.ReplicationMemberMissing, "Unit %s does not exist; it becomes a member when it does", missing[0])
	default:
		s.found.Because(v1alpha1.ReplicationMemberMissing, "Units %s do not exist; each becomes a member when it does", strings.Join(missing, ", "))
	}
	var ignored []string
	if r.Spec.AESSecret != nil {
		ignored = append(ignored, "spec.aesSecret: passwords are plain values of the Secret")
	}
	if r.Spec.Mode == r.Kind.group {
		ignored = append(ignored, "spec.mode "+r.Spec.Mode+": the members are left as they are")
	}
	if len(ignored) > 0 {
		s.found.Because(v1alpha1.ReplicationNotActedOn, "nothing acts on %s", strings.Join(ignored, "; "))
	}
}

// tolerate turns what only somebody else can end into a condition.
func (s *state) tolerate(err error) error {
	if err == nil {
		return nil
	}
	if again := child.Explain(s.found, err); again > 0 {
		s.retryAfter(again)
		return nil
	}
	return err
}
