// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
)

// releaseRetry is how soon an agent that did not answer is asked again to release.
const releaseRetry = 5 * time.Second

// syncDeletion lets the Replication go once its members are released: they go on as they
// are, the source writable, the replicas following. One that may be the source and was
// neither released nor seen to end keeps it: nobody else knows that it must not write once
// another one does.
func (c *Controller) syncDeletion(ctx context.Context, s *state) error {
	r := s.replication
	if !slices.Contains(r.Finalizers, v1alpha2.FinalizerReplication) {
		return errWritten
	}
	if child.Paused(r) && len(c.unreleased(s)) > 0 {
		s.found.Because(v1alpha1.ReplicationPaused, "the deletion waits while the annotation %s is \"true\"", v1alpha2.AnnotationPaused)
		return nil
	}
	force := r.Annotations[v1alpha2.AnnotationForceRelease] == "true"
	// A Unit goes after its pod's end is proven: with all of them nobody is left whose role an
	// operation could settle.
	units := slices.ContainsFunc(s.members, func(m member) bool { return m.unit != nil })
	if op := s.status.Operation; op != nil && units && !force {
		s.found.Because(v1alpha1.ReplicationReleasePending,
			"the members are released when the operation that is under way has ended (%s); the annotation %s=\"true\" lets the object go at once, and may leave no member that accepts writes",
			describe(op), v1alpha2.AnnotationForceRelease)
		return nil
	}
	waits := c.unreleased(s)
	if blocking := mayBeSource(s, waits); len(blocking) > 0 && !force {
		s.found.Because(v1alpha1.ReplicationReleasePending,
			"%s may accept writes, and its agent has not heard that this object is being deleted. It goes when the agent answers, or the end of the pod is proven; "+
				"the annotation %s=\"true\" lets it go at once, and whoever sets it makes sure that no second member accepts writes",
			strings.Join(blocking, ", "), v1alpha2.AnnotationForceRelease)
		return nil
	}
	for i := range s.members {
		if m := &s.members[i]; m.pod != nil && m.pod.Labels[v1alpha2.LabelReplication] == r.Name {
			if err := c.control.relabel(ctx, r, relabel{pod: m.pod, epoch: s.status.Epoch}); err != nil {
				return err
			}
		}
	}
	finalizers := slices.DeleteFunc(slices.Clone(r.Finalizers), func(f string) bool { return f == v1alpha2.FinalizerReplication })
	if err := c.control.setFinalizers(ctx, r, finalizers); err != nil {
		return err
	}
	return errWritten
}

// unreleased are the members whose agents have not released the Replication and whose
// pods have not been seen to end.
func (c *Controller) unreleased(s *state) []string {
	if s.status.Epoch == 0 {
		// It never gave a role.
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	released := c.memory(s.replication).released
	var names []string
	for i := range s.members {
		switch m := &s.members[i]; {
		case m.unit == nil || !m.adopted:
		case m.pod != nil && released[m.pod.UID]:
		case m.pod == nil && (m.unit.Status.PodUID == "" || m.unit.Status.LastPod != nil && m.unit.Status.LastPod.Ended != ""):
		case m.pod != nil && !started(m.pod) && (m.unit.Status.LastPod == nil || m.unit.Status.LastPod.Ended != ""):
			// No agent was there to be given a role. What is recorded of the unit says how it
			// continues once there is one.
		default:
			names = append(names, m.Name)
		}
	}
	return names
}

// mayBeSource are those of the names that may have the role of the source.
func mayBeSource(s *state, names []string) []string {
	may := map[string]bool{s.status.CurrentSource: true}
	if o := s.status.Operation; o != nil {
		may[o.From], may[o.To] = true, true
	}
	for i := range s.status.Topology {
		if t := &s.status.Topology[i]; t.Role == v1alpha2.RoleSource {
			may[t.Name] = true
		}
	}
	if t := s.status.LastTransition; t != nil {
		// It may not have heard that another took its place.
		may[t.From] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !may[name] })
}

// release notifies the members' agents that the Replication goes. It is what a pass does
// for one that is being deleted.
func (c *Controller) release(ctx context.Context, s *state) (time.Duration, error) {
	waits := c.unreleased(s)
	var again time.Duration
	var errs []error
	epoch := s.status.Epoch
	for i := range s.members {
		m := &s.members[i]
		if !slices.Contains(waits, m.Name) || !m.agentUp() {
			continue
		}
		_, err := c.agents.Release(ctx, m.target(), c.fence(s.replication.UID, s.status.Epoch))
		switch {
		case err == nil:
			klog.FromContext(ctx).Info("Released", "unit", klog.KRef(s.replication.Namespace, m.Name))
			c.mu.Lock()
			c.memory(s.replication).released[m.pod.UID] = true
			c.mu.Unlock()
			c.loop.Enqueue(cache.MetaObjectToName(s.replication))
		case agentclient.IsUnavailable(err), agentclient.IsBusy(err):
			again = releaseRetry
		case agentclient.IsStaleFence(err):
			o, seeErr := c.agents.Observe(ctx, m.target())
			if seeErr != nil || o.Status == nil || o.Status.Epoch <= s.status.Epoch {
				errs = append(errs, fmt.Errorf("releasing Unit %s: %w", m.Name, err))
				continue
			}
			// The status is older than what was done by it, such as one from a backup.
			epoch = max(epoch, o.Status.Epoch+1)
		default:
			errs = append(errs, fmt.Errorf("releasing Unit %s: %w", m.Name, err))
		}
	}
	if epoch > s.status.Epoch {
		status := s.replication.Status.DeepCopy()
		status.Epoch = epoch
		errs = append(errs, c.control.patchStatus(ctx, s.replication, *status))
		again = busyDelay
	}
	return again, errors.Join(errs...)
}

// fence of a call, in its place among all calls.
func (c *Controller) fence(uid types.UID, epoch int64) agentclient.RoleFence {
	term, seq := c.order()
	return agentclient.RoleFence{ReplicationUID: uid, Epoch: epoch, Term: term, Seq: seq}
}
