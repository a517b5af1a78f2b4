// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// transitionRecorder follows the status of the Replication: who became the source, and
// why nobody did.
type transitionRecorder struct {
	set writtenSet

	mu          sync.Mutex
	last        *v1alpha1.ReplicationTransition
	transitions []v1alpha1.ReplicationTransition
	refused     []string
}

// watch until the context ends. A watch skips no version of the object.
func (r *transitionRecorder) watch(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := r.set.watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + r.set.replication})
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for event := range w.ResultChan() {
			if v, ok := r.set.viewOf(event.Object); ok {
				r.see(v)
			}
		}
	}
}

func (r *transitionRecorder) see(v replicationView) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := v.lastTransition; now != nil && !equality.Semantic.DeepEqual(now, r.last) {
		if r.last != nil {
			r.transitions = append(r.transitions, *now)
		}
		r.last = now
	}
	for _, kind := range []string{v1alpha1.ReplicationReady, v1alpha1.ReplicationProgressing, v1alpha1.ReplicationDegraded} {
		c := meta.FindStatusCondition(v.conditions, kind)
		if c != nil && slices.Contains(r.set.refusals, c.Reason) && !slices.Contains(r.refused, c.Reason) {
			r.refused = append(r.refused, c.Reason)
		}
	}
}

// reset forgets what was seen, but for who is the source.
func (r *transitionRecorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.transitions, r.refused = nil, nil
}

// seen since the last reset goes into the result; how often the source changed is
// returned.
func (r *transitionRecorder) seen(result *checkwrites.Result) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.transitions {
		if t.Type == v1alpha1.OperationFailover {
			result.Failovers++
		} else {
			result.Switchovers++
		}
	}
	result.Refused = slices.Clone(r.refused)
	return len(r.transitions)
}
