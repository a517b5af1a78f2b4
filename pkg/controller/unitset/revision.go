// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"cmp"
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
)

// revisionHistoryLimit is how many revisions that no unit uses are kept.
const revisionHistoryLimit = 10

// candidate is the revision that the spec, the package and the ports would give
// now.
type candidate struct {
	data *revision.Data
	// hash of the content.
	hash string
}

// revisionDecision says which revision units are to have.
type revisionDecision struct {
	// update is that revision, nil if there is none yet or cut is set.
	update *observedRevision
	// cut is true if the candidate becomes a revision.
	cut bool
	// bump is true if update is an older revision that is to be the newest again.
	bump bool
	// available is the hash of the candidate if nobody asked for it.
	available string
	// waiting is true if the spec asks for a revision that cannot be made now.
	waiting bool
}

// decideRevision cuts a revision when the spec asks for another one, or when the
// one that is available is adopted by name. Nothing else: an edited package, a
// newer renderer and edited shared ports restart no database.
//
// candidate is nil if what it is made from is missing.
func decideRevision(inputsHash, adopt string, revisions []*observedRevision, candidate *candidate) revisionDecision {
	newest := newestRevision(revisions)
	if newest != nil && newest.InputsHash == inputsHash {
		if candidate == nil || candidate.hash == newest.ContentHash {
			return revisionDecision{update: newest}
		}
		if adopt != candidate.hash {
			return revisionDecision{update: newest, available: candidate.hash}
		}
	}
	if candidate == nil {
		return revisionDecision{update: newest, waiting: true}
	}
	for _, r := range revisions {
		if r.ContentHash == candidate.hash && r.InputsHash == inputsHash {
			return revisionDecision{update: r, bump: true}
		}
	}
	return revisionDecision{cut: true}
}

func newestRevision(revisions []*observedRevision) *observedRevision {
	if len(revisions) == 0 {
		return nil
	}
	return slices.MaxFunc(revisions, compareRevisions)
}

// nextRevisionNumber after those there are.
func nextRevisionNumber(revisions []*observedRevision) int64 {
	if newest := newestRevision(revisions); newest != nil {
		return newest.Number + 1
	}
	return 1
}

func compareRevisions(a, b *observedRevision) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Name, b.Name))
}

// currentRevision is the one that units came from before they are brought to
// update: update itself when all are there. A name that is neither a revision that
// exists nor the one in the status is somebody's edit of one Unit and counts for
// nothing, else it would stop the whole set.
func currentRevision(units []*observedUnit, revisions []*observedRevision, status, update string) string {
	lowest := ""
	for _, u := range units {
		r := u.Annotations[v1alpha2.AnnotationRevision]
		if r == update || r == "" {
			continue
		}
		if r == status {
			return status
		}
		if lowest == "" && revisionNamed(revisions, r) {
			lowest = r
		}
	}
	return cmp.Or(lowest, update)
}

func revisionNamed(revisions []*observedRevision, name string) bool {
	return slices.ContainsFunc(revisions, func(r *observedRevision) bool { return r.Name == name })
}

// revisionOfNewUnit is what a unit that is to be made is made from: below the
// partition the current revision, else the update, as in StatefulSet.
func revisionOfNewUnit(set *v1alpha2.UnitSet, ordinal int32, current, update string) string {
	strategy := set.Spec.UpdateStrategy
	if strategy.Type == v1alpha2.OnDeleteStrategy || strategy.RollingUpdate == nil || strategy.RollingUpdate.Partition == nil {
		return update
	}
	if ordinal < *strategy.RollingUpdate.Partition && current != "" {
		return current
	}
	return update
}

// surplusRevisions are those beyond the history limit that nothing uses, oldest
// first.
func surplusRevisions(revisions []*observedRevision, units []*observedUnit, inUse ...string) []*observedRevision {
	used := sets.New(inUse...)
	for _, u := range units {
		used.Insert(u.Annotations[v1alpha2.AnnotationRevision], u.Status.Revision)
	}
	var unused []*observedRevision
	for _, r := range revisions {
		if !used.Has(r.Name) {
			unused = append(unused, r)
		}
	}
	slices.SortFunc(unused, compareRevisions)
	return unused[:max(0, len(unused)-revisionHistoryLimit)]
}

// newRevision is the ControllerRevision that stores the candidate.
func newRevision(set *v1alpha2.UnitSet, c *candidate, inputsHash string, number int64) (*appsv1.ControllerRevision, error) {
	raw, err := revision.Encode(c.data)
	if err != nil {
		return nil, err
	}
	ports, err := json.Marshal(c.data.Ports)
	if err != nil {
		return nil, err
	}
	hash, err := revision.ContentHash(c.data, deref(set.Status.CollisionCount))
	if err != nil {
		return nil, err
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name:      revisionName(set.Name, hash),
			Namespace: set.Namespace,
			Labels:    setLabels(set),
			Annotations: map[string]string{
				revision.AnnotationInputsHash:  inputsHash,
				revision.AnnotationContentHash: c.hash,
				revision.AnnotationPorts:       string(ports),
				v1alpha2.AnnotationPackage:     c.data.Package.Name,
				annotationPackageRevision:      c.data.Package.Revision,
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, controllerKind)},
		},
		Data:     raw,
		Revision: number,
	}, nil
}

// annotationPackageRevision of a ControllerRevision is the revision of the
// package it was made from.
const annotationPackageRevision = "unit-operator.io/package-revision"

// portsOf a revision, as they were pinned.
func portsOf(annotations map[string]string) ([]corev1.ContainerPort, error) {
	var ports []corev1.ContainerPort
	if text := annotations[revision.AnnotationPorts]; text != "" {
		if err := json.Unmarshal([]byte(text), &ports); err != nil {
			return nil, err
		}
	}
	return ports, nil
}
