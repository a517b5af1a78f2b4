// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// settledUnit runs the update revision with all that the set asks for.
func settledUnit(set *v1alpha2.UnitSet, ordinal int32, edits ...func(*observedUnit)) *observedUnit {
	u := unitAt(set, ordinal)
	u.Annotations[v1alpha2.AnnotationRevision], u.Status.Revision = "new", "new"
	u.Resources = *set.Spec.Resources.DeepCopy()
	for _, s := range set.Spec.Storages {
		u.Status.PersistentVolumeClaim = append(u.Status.PersistentVolumeClaim, v1alpha2.PvcInfo{
			Name: podspec.ClaimName(u.Name, s.Name), Capacity: v1alpha2.PvcCapacity{Storage: resource.MustParse(s.Size)},
		})
	}
	for _, edit := range edits {
		edit(u)
	}
	return u
}

func TestStatusSaysHowFarTheUnitsAre(t *testing.T) {
	type units = []func(*observedUnit)
	type summary struct {
		Units, Ready, Updated    int32
		InUpdate                 string
		Image, Resources, Claims v1alpha2.SyncStatus
		ReadyReason              string
		ProgressingReason        string
		Progressing              bool
	}
	const synced, syncing, notSynced = v1alpha2.Synced, v1alpha2.Syncing, v1alpha2.NotSynced
	ok := func(*observedUnit) {}
	for _, tc := range []struct {
		name   string
		wanted int32
		units  units
		edit   func(*state)
		want   summary
	}{
		{"all is well", 2, units{ok, ok}, nil, summary{2, 2, 2, "false", synced, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"none is wanted", 0, nil, nil, summary{0, 0, 0, "false", synced, synced, synced, v1alpha2.ReasonNoUnitsWanted, v1alpha2.ReasonSettled, false}},
		{"units are being made", 3, units{ok}, nil, summary{1, 1, 1, "false", syncing, syncing, syncing, v1alpha2.ReasonUnitsNotReady, v1alpha2.ReasonScalingUp, true}},
		{"units cannot be made", 3, units{ok}, func(s *state) {
			s.waiting = true
			s.found.Because(v1alpha2.ConditionPackageNotFound, "none")
		}, summary{1, 1, 1, "false", notSynced, notSynced, notSynced, v1alpha2.ConditionPackageNotFound, v1alpha2.ReasonBlocked, false}},
		{"a unit is too many", 1, units{ok, ok}, nil, summary{2, 2, 2, "false", syncing, syncing, syncing, v1alpha2.ReasonUnitsNotReady, v1alpha2.ReasonScalingDown, true}},
		{"a unit is not Ready", 2, units{ok, func(u *observedUnit) { u.Status.Phase = v1alpha2.UnitRunning }}, nil,
			summary{2, 1, 2, "false", synced, synced, synced, v1alpha2.ReasonUnitsNotReady, v1alpha2.ReasonWaitingForUnits, true}},
		{"a unit is being deleted", 1, units{func(u *observedUnit) { u.DeletionTimestamp = new(metav1.Time) }}, nil,
			summary{1, 0, 1, "false", synced, synced, synced, v1alpha2.ReasonUnitsNotReady, v1alpha2.ReasonWaitingForUnits, true}},
		{"a unit is behind", 2, units{ok, func(u *observedUnit) {
			u.Annotations[v1alpha2.AnnotationRevision], u.Status.Revision = "old", "old"
		}}, nil, summary{2, 2, 1, "false", notSynced, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"a unit is being replaced", 2, units{ok, func(u *observedUnit) { u.Status.Revision = "old" }}, nil,
			summary{2, 2, 2, "true", syncing, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"a unit has no pod yet", 1, units{func(u *observedUnit) { u.Status.Revision, u.Status.Phase = "", v1alpha2.UnitPending }}, nil,
			summary{1, 0, 1, "false", syncing, synced, synced, v1alpha2.ReasonUnitsNotReady, v1alpha2.ReasonWaitingForUnits, true}},
		{"a unit has other resources", 1, units{func(u *observedUnit) {
			u.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("7")}
		}}, nil, summary{1, 1, 1, "false", synced, notSynced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"equal amounts that are written differently", 1, units{func(u *observedUnit) {
			u.Resources.Limits[corev1.ResourceCPU] = resource.MustParse("1000m")
		}}, nil, summary{1, 1, 1, "false", synced, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"a claim is too small", 1, units{func(u *observedUnit) { u.Status.PersistentVolumeClaim[0].Capacity.Storage = resource.MustParse("1Gi") }}, nil,
			summary{1, 1, 1, "false", synced, synced, notSynced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"a claim is not bound", 1, units{func(u *observedUnit) { u.Status.PersistentVolumeClaim = nil }}, nil,
			summary{1, 1, 1, "false", synced, synced, syncing, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonSettled, false}},
		{"the spec is invalid", 0, nil, func(s *state) { s.found.Because(v1alpha2.ConditionInvalidSpec, "no") },
			summary{0, 0, 0, "false", notSynced, notSynced, notSynced, v1alpha2.ConditionInvalidSpec, v1alpha2.ReasonBlocked, false}},
		{"all have the old revision and the new one cannot be made", 2, units{ok, ok}, func(s *state) {
			s.waiting, s.pending = true, true
			s.found.Because(v1alpha2.ConditionPackageNotFound, "none")
		}, summary{2, 2, 2, "false", notSynced, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonBlocked, false}},
		{"the new revision is being made", 2, units{ok, ok}, func(s *state) { s.waiting, s.pending = true, true },
			summary{2, 2, 2, "false", notSynced, synced, synced, v1alpha2.ReasonAllUnitsReady, v1alpha2.ReasonNewRevision, true}},
		{"the set is being deleted", 1, units{ok}, func(s *state) { s.set.DeletionTimestamp = new(metav1.NewTime(someTime)) },
			summary{1, 1, 1, "false", synced, synced, synced, v1alpha2.ReasonDeleting, v1alpha2.ReasonDeleting, true}},
	} {
		set := newSet(func(set *v1alpha2.UnitSet) { set.Spec.Units = new(tc.wanted) })
		s := &state{set: set, update: "new", current: "new", found: findings.Set{}}
		for i, edit := range tc.units {
			s.units = append(s.units, settledUnit(set, int32(i), edit))
		}
		if tc.edit != nil {
			tc.edit(s)
		}
		status := computeStatus(s, someTime)
		ready := meta.FindStatusCondition(status.Conditions, v1alpha2.ConditionReady)
		progressing := meta.FindStatusCondition(status.Conditions, v1alpha2.ConditionProgressing)
		got := summary{
			status.Units, status.ReadyUnits, status.UpdatedUnits, status.InUpdate,
			status.UnitImageSynced, status.UnitResourceSynced, status.UnitPVCSynced,
			ready.Reason, progressing.Reason, progressing.Status == metav1.ConditionTrue,
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, d)
		}
		set.Status = status
		if again := computeStatus(s, someTime.Add(time.Hour)); !equality.Semantic.DeepEqual(status, again) {
			t.Errorf("%s: an hour later the status is another: %s", tc.name, cmp.Diff(status, again))
		}
	}
}

func TestReplicationIsMissedOnlyWhereItIsMeant(t *testing.T) {
	for _, tc := range []struct {
		name    string
		edit    func(*v1alpha2.UnitSet)
		members map[string]membership.Membership
		want    bool
	}{
		{"independent databases", func(*v1alpha2.UnitSet) {}, nil, false},
		{"ARCH_MODE", func(s *v1alpha2.UnitSet) { s.Spec.Env = []corev1.EnvVar{{Name: "ARCH_MODE"}} }, nil, true},
		{"REPL_USER", func(s *v1alpha2.UnitSet) { s.Spec.Env = []corev1.EnvVar{{Name: "REPL_USER"}} }, nil, true},
		{"a Replication", func(s *v1alpha2.UnitSet) { s.Spec.Env = []corev1.EnvVar{{Name: "ARCH_MODE"}} }, map[string]membership.Membership{"orders-0": {}}, false},
		{"one unit", func(s *v1alpha2.UnitSet) {
			s.Spec.Env, s.Spec.Units = []corev1.EnvVar{{Name: "ARCH_MODE"}}, new(int32(1))
		}, nil, false},
		{"a proxy", func(s *v1alpha2.UnitSet) {
			s.Spec.Env, s.Spec.Type = []corev1.EnvVar{{Name: "ARCH_MODE"}}, v1alpha2.UnitTypeProxySQL
		}, nil, false},
	} {
		if got := replicationMissing(newSet(tc.edit), tc.members); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

func TestMessagesNameTheFirstFew(t *testing.T) {
	if got := list([]string{"a", "b", "c", "d", "e", "f", "g"}); got != "a, b, c, d, e and 2 more" {
		t.Error(got)
	}
	if got := list([]string{"a", "b"}); got != "a, b" {
		t.Error(got)
	}
}
