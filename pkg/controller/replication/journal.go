// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// journal is the worker's Journal of one Replication: its status, and what the API knows
// of the members. It is used by one pass.
type journal struct {
	c *Controller
	// uid of the object that the pass is about.
	namespace, name string
	uid             types.UID
	// object as it was read last, for its name; live as it was read or written last, nil
	// where that is not known.
	object, live owner
	// loaded are the members that the last Load gave.
	loaded []topology.Member
}

// Load implements worker.Journal.
func (j *journal) Load(ctx context.Context) (*worker.Loaded, error) {
	live, err := j.read(ctx)
	if err != nil {
		return nil, err
	}
	s := j.c.observe(live)
	secret, err := j.c.channelSecret(ctx, live)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, fmt.Errorf("Secret %s does not exist yet", channelSecretName(live.Name)) //nolint:staticcheck // The name of a kind.
	}
	channel := channelAccount(secret)
	loaded := &worker.Loaded{
		Request:      topologyRequest(s, j.c),
		Recorded:     recorded(&live.Status),
		LeaseRenewed: j.c.leaseRenewed(),
		Targets:      map[string]agentclient.Target{},
		Channel:      channel,
	}
	loaded.Request.Channel = channel.ID
	for i := range s.members {
		m := &s.members[i]
		loaded.Members = append(loaded.Members, request(s, m))
		if m.pod != nil && m.unit != nil && m.agentUp() {
			loaded.Targets[m.Name] = m.target()
		}
	}
	j.loaded = loaded.Members
	return loaded, nil
}

func (j *journal) read(ctx context.Context) (owner, error) {
	live, err := j.c.replications.read(ctx, cache.NewObjectName(j.namespace, j.name))
	if err != nil {
		return nil, err
	}
	if live.UID != j.uid {
		return nil, fmt.Errorf("another %s has the name %s", j.c.kind.Kind, j.name)
	}
	j.object, j.live = live, live
	return live, nil
}

// current is the object as far as this pass knows, read again after a write.
func (j *journal) current(ctx context.Context) (owner, error) {
	if j.live != nil {
		return j.live, nil
	}
	return j.read(ctx)
}

// Save implements worker.Journal: it records over the very state that was read. A change
// of anything else, such as a label, is read again and not in the way.
func (j *journal) Save(ctx context.Context, from topology.Recorded, change topology.Change) error {
	for {
		before, err := j.current(ctx)
		if err != nil {
			return err
		}
		if !apiequality.Semantic.DeepEqual(recorded(&before.Status), from) {
			return worker.ErrConflict
		}
		if before.DeletionTimestamp != nil && before.Status.Operation == nil {
			// Its members are released next. An operation that is under way is ended first: a
			// source may be closed for it.
			return worker.ErrConflict
		}
		status := before.Status.DeepCopy()
		record(status, change.To)
		// Whatever becomes of the write, it is read again before the next one.
		j.live = nil
		err = j.c.control.patchStatus(ctx, before, *status)
		if apierrors.IsConflict(err) {
			continue
		}
		if err != nil {
			return err
		}
		j.c.timePhase(before, change.To.Operation)
		j.tell(before, change)
		return nil
	}
}

// tell of what was recorded.
func (j *journal) tell(r owner, change topology.Change) {
	if change.Reason == "" {
		return
	}
	write := j.c.control.Events.Normal
	if change.Warning {
		write = j.c.control.Events.Warning
	}
	write(r, change.Reason, actionReplicate, "%s", change.Message)
}

// recorded is what a status has recorded.
func recorded(status *Status) topology.Recorded {
	r := topology.Recorded{
		Source: status.CurrentSource, Epoch: status.Epoch, Durability: status.Durability, Operation: status.Operation,
		LastTransition: status.LastTransition, Members: status.Topology,
	}
	if status.Data != nil {
		r.Data = *status.Data
	}
	return r.Clone()
}

// record into a status.
func record(status *Status, to topology.Recorded) {
	r := to.Clone()
	status.CurrentSource, status.Epoch, status.Durability, status.Operation = r.Source, r.Epoch, r.Durability, r.Operation
	status.LastTransition, status.Topology = r.LastTransition, r.Members
	status.Data = nil
	if !apiequality.Semantic.DeepEqual(r.Data, v1alpha1.ReplicationData{}) {
		status.Data = &r.Data
	}
}

// topologyRequest is what the last valid spec and the annotations ask for.
func topologyRequest(s *state, c *Controller) topology.Request {
	r := s.replication
	accepted := s.wanted.accepted
	out := topology.Request{
		UID: r.UID, Sync: accepted.Mode == r.Kind.sync,
		Source: accepted.Members[0].Name, Switchover: r.Annotations[v1alpha2.AnnotationSwitchover],
		Paused:     child.Paused(r),
		Hibernated: s.hibernated(),
		Failover:   topology.Failover{Delay: 30 * time.Second, MinimumInterval: 10 * time.Minute},
	}
	out.Force, out.ForceEpoch = forced(r.Annotations[v1alpha2.AnnotationForcePromote])
	if f := r.Spec.Failover; f != nil {
		out.Failover.Enabled = f.Enabled
		out.Failover.Delay = seconds(ptr.Deref(f.DelaySeconds, 30))
		out.Failover.MinimumInterval = seconds(ptr.Deref(f.MinimumIntervalSeconds, 600))
		if f.MaximumLagSeconds != nil {
			out.Failover.MaximumLag = new(seconds(*f.MaximumLagSeconds))
		}
	}
	if d := r.Spec.Durability; d != nil {
		out.Durability = topology.Durability{Replicas: ptr.Deref(d.Replicas, 0), Preferred: d.Policy == v1alpha1.DurabilityPreferred}
	}
	if source := s.status.CurrentSource; source != "" {
		out.Replacing = replacementDue(c.calls.ByIndex(slim.ByTarget, r.Namespace+"/"+source))
	}
	return out
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// request is what the API knows of a member.
func request(s *state, m *member) topology.Member {
	out := topology.Member{
		Name: m.Name, UnitUID: m.UnitUID, Host: m.Host, Port: m.Port, Isolated: m.Isolated, Priority: 1, Leaving: m.leaving, Owned: m.adopted,
	}
	spec := &s.replication.Spec
	if spec.Source.Name == m.Name {
		out.Priority = ptr.Deref(spec.Source.Priority, 1)
	}
	for i := range spec.Replicas {
		if p := &spec.Replicas[i]; p.Name == m.Name {
			out.Priority, out.Delay = ptr.Deref(p.Priority, 1), seconds(p.DelaySeconds)
		}
	}
	if m.unit == nil {
		return out
	}
	if d := m.unit.Status.DataIdentity; d != nil {
		// What the status says of being pristine may be older than the first role.
		replicated := m.unit.Status.Released != nil || m.unit.Status.Replication != nil && m.unit.Status.Replication.Epoch > 0
		out.HadData = d.SystemID != "" && (replicated || !ptr.Deref(d.Pristine, false))
	}
	out.StoppedByUser = !m.unit.Startup
	out.Reinit = m.unit.Annotations[v1alpha2.AnnotationReinit]
	out.Evacuate = v1alpha1.EvacuationRequest(m.unit.Annotations[v1alpha2.AnnotationEvacuate])
	if last := m.unit.Status.LastPod; last != nil && last.Ended != "" {
		out.EndedPodUID = last.UID
	}
	out.PodTerminating = m.pod != nil && ending(m.pod)
	switch {
	case (m.leaving || out.Evacuate == v1alpha1.EvacuationRemove) && m.neverRan():
		// Where it can never run, such as for want of an image or of quota, it could never
		// be taken out otherwise.
		out.NeverRan = true
	case m.pod == nil:
	case m.pod.NodeName == "":
		// It has no node, so nothing of it runs or ever did: as good as one that has ended,
		// unless one before it has not.
		if out.EndedPodUID == "" && m.unit.Status.LastPod == nil {
			out.EndedPodUID = m.pod.UID
		}
	default:
		out.PodUID, out.PodReady = m.pod.UID, databaseReady(m.pod)
	}
	return out
}

// neverRan says whether no pod of the member has ever started anything: its agent was
// never there to be given a role.
func (m *member) neverRan() bool {
	status := &m.unit.Status
	if status.LastPod != nil || status.DataIdentity != nil {
		return false
	}
	if m.pod == nil {
		return status.PodUID == ""
	}
	return !started(m.pod)
}

// started says whether any container of a pod has ever run.
func started(pod *slim.Pod) bool {
	ran := func(c slim.Container) bool {
		return c.State.Running != nil || c.State.Terminated != nil || c.LastTerminationState.Terminated != nil || c.RestartCount > 0
	}
	return slices.ContainsFunc(pod.InitContainers, ran) || slices.ContainsFunc(pod.Containers, ran)
}
