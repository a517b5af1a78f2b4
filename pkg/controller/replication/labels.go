// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// The role label of a pod is what the Services select by. It follows what was observed
// of the server, and never contradicts the recorded source: a label that does is removed
// without waiting for an agent.

// labelled is a pod and the role that its server is observed in.
type labelled struct {
	pod *slim.Pod
	// role is RoleSource, RoleReplica, or empty for a server that clients must not
	// reach.
	role string
	// unknown: nobody could tell of this pod; it keeps what it has.
	unknown bool
	// recorded: status.currentSource names its unit.
	recorded bool
}

// want is the label that the pod is to have.
func (l labelled) want(replication string) string {
	role := l.role
	if l.unknown {
		role = ""
		if l.pod.Labels[v1alpha2.LabelReplication] == replication {
			role = l.pod.Labels[v1alpha2.LabelRole]
		}
	}
	if (role == v1alpha2.RoleSource) != l.recorded {
		// A source that is not the recorded one, and a recorded one that is none.
		return ""
	}
	return role
}

// relabel is one change of a pod's labels.
type relabel struct {
	pod *slim.Pod
	// role to give; empty to take the label off.
	role  string
	epoch int64
}

// planLabels are the changes, in the order in which they are made: what is taken off
// comes first, so that at no time two pods are called the source.
func planLabels(replication string, epoch int64, pods []labelled) []relabel {
	var changes []relabel
	for _, l := range pods {
		want := l.want(replication)
		have := l.pod.Labels[v1alpha2.LabelRole]
		if want == have && (have == "" || l.pod.Labels[v1alpha2.LabelReplication] == replication) {
			continue
		}
		if stampedAbove(l.pod, epoch) {
			// An operator that knows more was here.
			continue
		}
		changes = append(changes, relabel{pod: l.pod, role: want, epoch: epoch})
	}
	slices.SortStableFunc(changes, func(a, b relabel) int {
		return cmp.Compare(turn(a.role), turn(b.role))
	})
	return changes
}

// turn of a change: whoever becomes the source comes last.
func turn(role string) int {
	if role == v1alpha2.RoleSource {
		return 1
	}
	return 0
}

// stampedAbove says whether a pod's labels come from a later epoch.
func stampedAbove(pod *slim.Pod, epoch int64) bool {
	stamp, err := strconv.ParseInt(pod.Annotations[v1alpha2.AnnotationRoleEpoch], 10, 64)
	return err == nil && stamp > epoch
}
