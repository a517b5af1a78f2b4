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
	replication "github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// refusals are the reasons for which a source that failed is not replaced.
var refusals = []string{
	replication.ReasonDataLossRisk, replication.ReasonNotFenced, replication.ReasonNoCandidate, replication.ReasonDiverged, replication.ReasonTooSoon,
}

// transitionRecorder follows the status of the Replication: who became the source, and
// why nobody did.
type transitionRecorder struct {
	mu          sync.Mutex
	last        *v1alpha1.ReplicationTransition
	transitions []v1alpha1.ReplicationTransition
	refused     []string
}

// watch until the context ends. A watch skips no version of the object.
func (r *transitionRecorder) watch(ctx context.Context, e *environment) {
	client := e.upm.UpmV1alpha1().MysqlReplications(ns)
	for ctx.Err() == nil {
		w, err := client.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + mysqlReplication})
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for event := range w.ResultChan() {
			if o, ok := event.Object.(*v1alpha1.MysqlReplication); ok {
				r.see(o)
			}
		}
	}
}

func (r *transitionRecorder) see(o *v1alpha1.MysqlReplication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := o.Status.LastTransition; now != nil && !equality.Semantic.DeepEqual(now, r.last) {
		if r.last != nil {
			r.transitions = append(r.transitions, *now)
		}
		r.last = now
	}
	for _, kind := range []string{v1alpha1.ReplicationReady, v1alpha1.ReplicationProgressing, v1alpha1.ReplicationDegraded} {
		c := meta.FindStatusCondition(o.Status.Conditions, kind)
		if c != nil && slices.Contains(refusals, c.Reason) && !slices.Contains(r.refused, c.Reason) {
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
