// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"fmt"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/membership"
)

// Before a step that stops a member's server the set asks the unit's Replication,
// by the annotation unit-operator.io/evacuate of the Unit, and waits for the answer
// in the Replication's status.topology[]. Only the set writes the annotation, and
// takes it off when the step is no longer wanted.

// clearance says whether a unit's Replication lets a step go on; because says why
// not.
type clearance struct {
	granted bool
	because findings.Finding
	// ask is true if the request has to be written first.
	ask bool
}

// clearanceOf a unit for a request. What is granted was granted to this very Unit
// and for this very request: an answer to another one, or to an earlier Unit of the
// same name, is none.
func clearanceOf(u *observedUnit, m membership.Membership, request v1alpha1.EvacuationRequest) clearance {
	held := func(reason, format string, args ...any) clearance {
		return clearance{because: findings.New(reason, format, args...)}
	}
	switch {
	case m.Owner == nil:
		return clearance{granted: true}
	case m.Contested():
		return held(v1alpha2.ReasonMemberOfSeveral, "Unit %s is a member of %s and listed by %s, too: nothing is done to it until one Replication lists it", u.Name, m.Owner, m.Names())
	case u.Annotations[v1alpha2.AnnotationEvacuate] != string(request):
		c := held(v1alpha2.ReasonEvacuating, "waiting until %s has evacuated Unit %s", m.Owner, u.Name)
		c.ask = true
		return c
	}
	var answer *v1alpha1.MemberEvacuation
	if member := m.Owner.Member; member != nil && member.UnitUID == u.UID && member.Evacuation != nil && member.Evacuation.Request == request {
		answer = member.Evacuation
	}
	switch {
	case answer == nil && m.Owner.Epoch == 0 && m.Owner.Member == nil:
		return held(v1alpha2.ReasonEvacuating, "waiting until %s has evacuated Unit %s; it has not answered yet, nor has any controller acted on it: take the unit out of it to go on without", m.Owner, u.Name)
	case answer == nil:
		return held(v1alpha2.ReasonEvacuating, "waiting until %s has evacuated Unit %s; it has not answered yet", m.Owner, u.Name)
	case answer.State == v1alpha1.EvacuationDone:
		return clearance{granted: true}
	case answer.State == v1alpha1.EvacuationRefused:
		return held(v1alpha2.ReasonEvacuationRefused, "%s refuses to evacuate Unit %s%s", m.Owner, u.Name, inWords(answer))
	default:
		return held(v1alpha2.ReasonEvacuating, "waiting until %s has evacuated Unit %s%s", m.Owner, u.Name, inWords(answer))
	}
}

// inWords is the Replication's own explanation.
func inWords(answer *v1alpha1.MemberEvacuation) string {
	switch {
	case answer.Message != "" && answer.Reason != "":
		return fmt.Sprintf(": %s (%s)", answer.Message, answer.Reason)
	case answer.Message != "" || answer.Reason != "":
		return ": " + answer.Message + answer.Reason
	}
	return ""
}

// cleared is clearanceOf a unit as the API server knows its Replication now: the
// answer may have been taken back since the cache saw it, because the source was
// lost and no other member can follow it.
func (c *Controller) cleared(ctx context.Context, s *state, u *observedUnit, request v1alpha1.EvacuationRequest) (clearance, error) {
	m := s.members[u.Name]
	if m.Owner == nil {
		return clearance{granted: true}, nil
	}
	live, err := c.control.readMembership(ctx, s.set, u, m.Owner)
	if err != nil {
		return clearance{}, err
	}
	if live.Owner == nil || live.Owner.UID != m.Owner.UID {
		// The cache will show who owns it now.
		return clearance{because: findings.New(v1alpha2.ReasonEvacuating, "%s no longer lists Unit %s", m.Owner, u.Name)}, nil
	}
	return clearanceOf(u, live, request), nil
}
