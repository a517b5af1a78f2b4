// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

// Fence is what a former source must be proven to be.
type Fence struct {
	// Epoch of the operation: what an agent recorded before it proves nothing, for a call
	// of the operation before may still come.
	Epoch int64
	// Replication that calls.
	Replication types.UID
	// Pod that was last given the role of the source.
	Pod types.UID
}

// Proof that the member acknowledges nothing any more; empty: there is none. The quorum
// fence is Silence's.
func (f Fence) Proof(m Member, o *Observed) v1alpha1.FenceProof {
	switch {
	case f.closed(m, o):
		return v1alpha1.FenceClosed
	case o != nil && o.PodUID == m.PodUID && o.Epoch >= f.Epoch && o.Held(HoldFence) && o.Stopped():
		return v1alpha1.FenceStopped
	case f.Pod != "" && m.EndedPodUID == f.Pod && (m.PodUID == "" || m.PodUID == f.Pod || f.harmless(o)):
		return v1alpha1.FencePodEnded
	}
	return ""
}

// closed: its agent has recorded in this operation that it is no source, and the server
// refuses writes.
func (f Fence) closed(m Member, o *Observed) bool {
	return o != nil && o.PodUID == m.PodUID && f.harmless(o) && o.Epoch >= f.Epoch && o.Answered && o.ReadOnly
}

// harmless: the agent has a record of this replication that is not a source's.
func (f Fence) harmless(o *Observed) bool {
	return o != nil && o.Record != nil && o.Record.Replication == f.Replication && o.Record.Epoch >= f.Epoch &&
		o.Record.Role != RoleSource && o.Record.Role != RoleNone
}

// Vote reports whether a member has promised, in this operation, not to acknowledge
// anything of the former source any more, and whether its receiver was seen stopped
// after that. receiving says whether it receives now.
func (f Fence) Vote(m Member, o *Observed, receiving bool) bool {
	return o != nil && o.PodUID == m.PodUID && f.harmless(o) && o.Record.Role == RoleIsolated && (o.Answered && !receiving)
}
