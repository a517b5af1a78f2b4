// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// computeStatus of a set from what was observed and found in this sync.
func computeStatus(s *state, now time.Time) v1alpha2.UnitSetStatus {
	status := *s.set.Status.DeepCopy()
	status.ObservedGeneration = s.set.Generation
	status.Units = int32(len(s.units))
	status.ReadyUnits = int32(len(namesWhere(s.units, isReady)))
	status.Selector = labels.SelectorFromSet(selectorOf(s.set)).String()
	status.UpdateRevision = s.update
	status.CurrentRevision = s.current
	status.AvailableRevision = s.available
	status.UpdatedUnits = int32(len(s.units) - len(behindRevision(s.units, s.update)))
	status.Package = s.pkg
	status.CollisionCount = s.collisions
	status.UnitImageSynced, status.UnitResourceSynced, status.UnitPVCSynced = syncStatuses(s)
	status.InUpdate = strconv.FormatBool(inUpdate(s))

	found := s.statusFindings()
	isReady, why := readiness(s, found)
	why.Write(&status.Conditions, v1alpha2.ConditionReady, statusOf(isReady), s.set.Generation, now)
	isProgressing, why := progress(s, found, isReady)
	why.Write(&status.Conditions, v1alpha2.ConditionProgressing, statusOf(isProgressing), s.set.Generation, now)
	conditionsOfSet.Write(&status.Conditions, found, s.set.Generation, now)
	return status
}

func statusOf(is bool) metav1.ConditionStatus {
	if is {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

func isReady(u *observedUnit) bool {
	return u.Status.Phase == v1alpha2.UnitReady && u.DeletionTimestamp == nil
}

// readiness is what Ready says.
func readiness(s *state, found findings.Set) (bool, findings.Finding) {
	wanted := int(wantedUnits(s.set))
	notReady := namesWhere(s.units, func(u *observedUnit) bool { return !isReady(u) })
	if s.set.DeletionTimestamp != nil {
		return false, findings.New(v1alpha2.ReasonDeleting, "the set is being deleted; %d units are left", len(s.units))
	}
	if len(s.units) == wanted && len(notReady) == 0 && !found.Has(v1alpha2.ConditionInvalidSpec) {
		if wanted == 0 {
			return true, findings.New(v1alpha2.ReasonNoUnitsWanted, "no units are wanted")
		}
		return true, findings.New(v1alpha2.ReasonAllUnitsReady, "all %d units are Ready", wanted)
	}
	if _, f, ok := found.First(conditionsOfSet.Blockers); ok {
		return false, f
	}
	message := fmt.Sprintf("%d of %d units are Ready", len(s.units)-len(notReady), wanted)
	if len(notReady) > 0 {
		message += "; not Ready: " + list(notReady)
	}
	return false, findings.New(v1alpha2.ReasonUnitsNotReady, "%s", message)
}

// progress is what Progressing says.
func progress(s *state, found findings.Set, ready bool) (bool, findings.Finding) {
	wanted := int(wantedUnits(s.set))
	switch {
	case s.set.DeletionTimestamp != nil:
		return true, findings.New(v1alpha2.ReasonDeleting, "the set is being deleted")
	case child.Paused(s.set):
		return false, found[v1alpha2.ConditionPaused]
	case len(s.units) > 0 && hibernating(s.set):
		return true, findings.New(v1alpha2.ReasonHibernating, "%d units will stop; their claims stay", len(s.units))
	case len(s.units) > wanted:
		return true, findings.New(v1alpha2.ReasonScalingDown, "%d units will be removed, the highest ordinal first", len(s.units)-wanted)
	case ready && !s.pending:
		return false, findings.New(v1alpha2.ReasonSettled, "there is nothing to do")
	}
	if conditionType, f, ok := found.First(conditionsOfSet.Blockers); ok {
		return false, findings.New(v1alpha2.ReasonBlocked, "waiting for what the condition %s says: %s", conditionType, f.Message)
	}
	if len(s.units) < wanted {
		return true, findings.New(v1alpha2.ReasonScalingUp, "%d units are to be made", wanted-len(s.units))
	}
	if s.pending {
		return true, findings.New(v1alpha2.ReasonNewRevision, "the revision that the spec asks for is being made")
	}
	return true, findings.New(v1alpha2.ReasonWaitingForUnits, "all units exist; waiting until they are Ready")
}

// syncStatuses says of revision, cpu and memory, and claims how far the units
// follow the spec.
func syncStatuses(s *state) (image, resources, claims v1alpha2.SyncStatus) {
	if s.found.Has(v1alpha2.ConditionInvalidSpec) {
		// Nothing is done for it, so nothing is as it says.
		return v1alpha2.NotSynced, v1alpha2.NotSynced, v1alpha2.NotSynced
	}
	small, unbound := claimsOf(s.set, s.units)
	scaling := len(s.units) != int(wantedUnits(s.set))
	held := s.waiting && len(s.units) < int(wantedUnits(s.set))
	image = syncStatus(held || s.pending || len(behindRevision(s.units, s.update)) > 0, scaling || len(beingReplaced(s.units, s.update)) > 0)
	resources = syncStatus(held || len(behindResources(s.set, s.units)) > 0, scaling)
	claims = syncStatus(held || len(small) > 0, scaling || len(unbound) > 0)
	return image, resources, claims
}

// syncStatus in the document's terms. What is held outweighs what is under way.
func syncStatus(held, underWay bool) v1alpha2.SyncStatus {
	switch {
	case held:
		return v1alpha2.NotSynced
	case underWay:
		return v1alpha2.Syncing
	default:
		return v1alpha2.Synced
	}
}

// inUpdate says whether a unit that ran another revision is being brought to the
// update revision now.
func inUpdate(s *state) bool {
	for _, u := range s.units {
		if u.Status.Revision != "" && u.Annotations[v1alpha2.AnnotationRevision] == s.update && u.Status.Revision != s.update {
			return true
		}
	}
	return false
}

// statusFindings are those of this sync and those that follow from what was
// observed.
func (s *state) statusFindings() findings.Set {
	found := s.found
	if dataOnEmptyDir(&s.set.Spec) {
		found.Because(v1alpha2.ConditionDataOnEmptyDir,
			"the data lies on an emptyDir and is lost with its pod; a storage named %s keeps it", podspec.DataName)
	}
	if fields := notActedOn(s.set); len(fields) > 0 {
		found.Add(v1alpha2.ConditionNotActedOn, v1alpha2.ReasonNotYetSupported,
			"this version of the operator accepts and ignores %s", strings.Join(fields, ", "))
	}
	if replicationMissing(s.set, s.members) {
		found.Because(v1alpha2.ConditionNotReplicated,
			"the set is meant to replicate (ARCH_MODE or REPL_USER) and needs a %s that lists its units; until then they are independent databases",
			replicationKind(s.set.Spec.Type))
	}
	if s.available != "" {
		found.Because(v1alpha2.ConditionRevisionAvailable,
			"the package, the shared ports or the operator would make units differently (%s); taken up with the next change of the spec, or by annotation %s=%s",
			s.available, v1alpha2.AnnotationAdoptRevision, s.available)
	}
	if behind := behindRevision(s.units, s.update); len(behind) > 0 {
		found.Add(v1alpha2.ConditionUpdatePending, v1alpha2.ReasonNotRolledOut,
			"%s do not have revision %s and this version of the operator does not restart them for it; a Unit that is deleted is made again from it and keeps its claims", list(behind), s.update)
	}
	if behind := behindResources(s.set, s.units); len(behind) > 0 {
		found.Add(v1alpha2.ConditionResizePending, v1alpha2.ReasonNotRolledOut,
			"%s do not have the cpu and memory of the spec and this version of the operator does not change them; a Unit that is deleted is made again with them and keeps its claims", list(behind))
	}
	if small, _ := claimsOf(s.set, s.units); len(small) > 0 {
		found.Add(v1alpha2.ConditionExpansionPending, v1alpha2.ReasonNotRolledOut,
			"claims %s are smaller than the spec asks for and this version of the operator does not expand them", list(small))
	}
	return found
}

// replicationMissing says whether a set was prepared for replication, has more
// than one unit, and no Replication lists any of them.
func replicationMissing(set *v1alpha2.UnitSet, members map[string]membership.Membership) bool {
	if wantedUnits(set) < 2 || replicationKind(set.Spec.Type) == "" || len(members) > 0 {
		return false
	}
	for _, e := range set.Spec.Env {
		if e.Name == "ARCH_MODE" || e.Name == "REPL_USER" {
			return true
		}
	}
	return false
}

// replicationKind is the kind that replicates a type; empty for types that do not
// replicate.
func replicationKind(t v1alpha2.UnitType) string {
	switch t {
	case v1alpha2.UnitTypeMySQL:
		return "MysqlReplication"
	case v1alpha2.UnitTypePostgreSQL:
		return "PostgresReplication"
	default:
		return ""
	}
}
