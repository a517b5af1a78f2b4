// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// state is what one sync knows of a set: what observe read, and what the steps
// found out.
type state struct {
	set *v1alpha2.UnitSet

	// units that the set controls, lowest ordinal first. The other children are by
	// name, whoever controls them.
	units      []*observedUnit
	services   map[string]*slim.Object
	configMaps map[string]*slim.Object
	pdb        *slim.Object
	revisions  []*observedRevision
	// orphans are left by an earlier set of this name.
	orphans []orphan
	// members are the set's units that a Replication owns, by name.
	members map[string]membership.Membership
	// operations are the calls in progress on the set's units, by the unit's name.
	operations map[string]*v1alpha1.GrpcCall

	// inputsHash of the spec, and the revision that spec, package and ports would
	// give; nil if something it is made from is missing, which missing explains.
	inputsHash string
	candidate  *candidate
	missing    findings.Set

	// update and current name the revisions, pkg and ports are the update's.
	// available is the hash of what could be adopted.
	update, current, available string
	pkg                        *v1alpha2.PackageReference
	ports                      []corev1.ContainerPort
	// collisions of revision names, as the status has or is to have them.
	collisions *int32
	// waiting is true while no unit can be made: a condition says why.
	waiting bool
	// pending is true while the spec asks for a revision that does not exist: no
	// unit can have what the spec says.
	pending bool
	// data of the revisions that were read in this sync, by name.
	data map[string]*revision.Data

	found findings.Set
}

// observedUnit is a Unit of the set.
type observedUnit struct {
	*slim.Unit
	Ordinal int32
}

func compareUnits(a, b *observedUnit) int { return cmp.Compare(a.Ordinal, b.Ordinal) }

type observedRevision struct {
	metav1.ObjectMeta
	Number      int64
	InputsHash  string
	ContentHash string
	Package     v1alpha2.PackageReference
	Ports       []corev1.ContainerPort
}

// ours says whether the set is the controller of what has a child's name, if anything
// has.
func (s *state) ours(obj *slim.Object) bool { return obj != nil && ownerref.ControlledBy(obj, s.set) }

// useRevision makes a revision the one that units are to have.
func (s *state) useRevision(r *observedRevision) {
	s.update = r.Name
	s.current = currentRevision(s.units, s.revisions, s.set.Status.CurrentRevision, s.update)
	s.ports = r.Ports
	s.pkg = &r.Package
}

func (s *state) revisionOfNewUnit(ordinal int32) string {
	return revisionOfNewUnit(s.set, ordinal, s.current, s.update)
}

// serviceOrdinals are the units that have or are to have a Service of their own:
// a unit that is being removed keeps it to the end.
func (s *state) serviceOrdinals() []int32 {
	var ordinals []int32
	for ordinal := range wantedUnits(s.set) {
		ordinals = append(ordinals, ordinal)
	}
	for _, u := range s.units {
		if u.Ordinal >= wantedUnits(s.set) {
			ordinals = append(ordinals, u.Ordinal)
		}
	}
	return ordinals
}

// stoppedUnits is how many of the wanted units the user has stopped.
func (s *state) stoppedUnits() int32 {
	var n int32
	for _, u := range s.units {
		if !u.Startup && u.Ordinal < wantedUnits(s.set) {
			n++
		}
	}
	return n
}

// decide which revision units are to have, and say why the one that the spec asks for
// cannot be made.
func (s *state) decide() revisionDecision {
	decision := decideRevision(s.inputsHash, s.set.Annotations[v1alpha2.AnnotationAdoptRevision], s.revisions, s.candidate)
	s.available = decision.available
	if decision.waiting {
		s.waiting, s.pending = true, true
		for condition, f := range s.missing {
			s.found.Add(condition, f.Reason, "%s", f.Message)
		}
	}
	return decision
}

// explainWait says what a unit that will be removed waits for.
func (s *state) explainWait(u *observedUnit) {
	if call := s.operations[u.Name]; call != nil {
		s.found.Add(v1alpha2.ConditionScalingDown, v1alpha2.ReasonOperationRunning,
			"Unit %s will be removed after %s; deleting the call cancels it", u.Name, interlock.Describe(call))
		return
	}
	c := clearanceOf(u, s.members[u.Name], v1alpha1.EvacuationRemove)
	s.found.Add(v1alpha2.ConditionScalingDown, c.because.Reason, "%s", c.because.Message)
}

// explainRemoval says what becomes of a removed unit's data.
func (s *state) explainRemoval(u *observedUnit) {
	claims := "its claims stay"
	if whenScaled(s.set) == v1alpha2.DeleteClaims {
		claims = "its claims are deleted (whenScaled)"
	}
	if dataOnEmptyDir(&s.set.Spec) {
		claims = "its data is on an emptyDir and is deleted"
	}
	if hibernating(s.set) {
		if !dataOnEmptyDir(&s.set.Spec) {
			claims += " whatever whenScaled says, and are used again when units is raised"
		}
		s.found.Add(v1alpha2.ConditionScalingDown, v1alpha2.ReasonHibernating, "Unit %s stops, the set is scaled to zero; %s", u.Name, claims)
		return
	}
	if member, listed := s.members[u.Name]; listed {
		s.found.Add(v1alpha2.ConditionScalingDown, v1alpha2.ReasonScalingDown, "Unit %s is removed, %s has evacuated it; %s", u.Name, member.Owner, claims)
		return
	}
	s.found.Add(v1alpha2.ConditionScalingDown, v1alpha2.ReasonNotReplicated,
		"Unit %s is removed and no Replication lists it, so its data is nowhere else; %s", u.Name, claims)
}
