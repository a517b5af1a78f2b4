// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

// state is what one sync knows of a Replication.
type state struct {
	// replication is shared with the cache; status is the one being made.
	replication owner
	status      Status
	// set is the UnitSet of spec.unitSet; nil without one.
	set *v1alpha2.UnitSet
	// retiring is the set that knows which members it does not want any more; nil if they
	// are of none.
	retiring *v1alpha2.UnitSet
	// units that the spec or the status names, or its set has, by name.
	units map[string]*slim.Unit
	// wanted is the topology that the spec asks for.
	wanted wanted
	// members are those of the accepted topology, the requested source first, and
	// then those of status.topology that are not gone yet.
	members []member
	// silent: the source was asked a moment ago and has not answered.
	silent bool
	// outcome of the last pass over the members' agents; nil before the first.
	outcome *outcome

	found findings.Set
	// again is when to look again though nothing changed; 0 for never.
	again time.Duration
}

// member is one server of the topology.
type member struct {
	v1alpha1.AcceptedMember
	// leaving: the accepted topology does not have it any more.
	leaving bool
	// unit is nil if there is none of that UID; pod is its pod, nil without one.
	unit *slim.Unit
	pod  *slim.Pod
	// owner is the Replication that owns the unit; nil if that is this one, or if
	// there is no unit.
	owner *membership.Replication
	// adopted: the unit's status names this Replication as its owner.
	adopted bool
}

// retryAfter makes the sync run again after d, unless sooner is asked for.
func (s *state) retryAfter(d time.Duration) {
	if d > 0 && (s.again == 0 || d < s.again) {
		s.again = d
	}
}

// agentUp says whether there is an agent to speak to.
func (m *member) agentUp() bool {
	_, up := slim.AgentUp(m.pod)
	return up && m.unit != nil
}

func (m *member) target() agentclient.Target { return slim.AgentOf(m.unit, m.pod) }

// observe reads from caches what there is of a Replication.
func (c *Controller) observe(r owner) *state {
	s := &state{replication: r, status: *r.Status.DeepCopy(), units: map[string]*slim.Unit{}, found: findings.Set{}}
	if r.Spec.UnitSet != "" {
		if set, ok := c.unitSets.Get(cache.NewObjectName(r.Namespace, r.Spec.UnitSet)); ok {
			s.set = set
		}
		for _, u := range c.children.Units.ByIndex(slim.ByUnitSet, r.Namespace+"/"+r.Spec.UnitSet) {
			s.units[u.Name] = u
		}
	}
	names := []string{r.Spec.Source.Name}
	for i := range r.Spec.Replicas {
		names = append(names, r.Spec.Replicas[i].Name)
	}
	for i := range r.Status.Topology {
		names = append(names, r.Status.Topology[i].Name)
	}
	if a := r.Status.Accepted; a != nil {
		for i := range a.Members {
			names = append(names, a.Members[i].Name)
		}
	}
	for _, name := range names {
		if u, ok := c.children.Units.Get(cache.NewObjectName(r.Namespace, name)); ok {
			s.units[name] = u
		}
	}
	s.retiring = s.set
	if r.Spec.UnitSet == "" {
		s.retiring = c.setOfMembers(s)
	}
	s.wanted = planWanted(wantedInput{replication: r, units: s.units, set: s.set, retiring: s.retiring})
	if s.wanted.accepted != nil {
		for _, m := range s.wanted.accepted.Members {
			s.members = append(s.members, c.member(s, m, false))
		}
	}
	for i := range r.Status.Topology {
		t := &r.Status.Topology[i]
		// One name is one member: a Unit that was made again takes the place of the one
		// before it.
		if !slices.ContainsFunc(s.members, func(m member) bool { return m.Name == t.Name }) && !c.gone(s, t) {
			s.members = append(s.members, c.member(s, v1alpha1.AcceptedMember{Name: t.Name, UnitUID: t.UnitUID}, true))
		}
	}
	s.outcome = c.outcome(r)
	return s
}

// gone says whether a member that is not accepted any more has left nothing behind: no
// Unit, no pod, and nothing in the records that is still judged by its name.
func (c *Controller) gone(s *state, t *v1alpha1.ReplicationMemberStatus) bool {
	if u := s.units[t.Name]; u != nil && (t.UnitUID == "" || u.UID == t.UnitUID) {
		return false
	}
	pod, there := c.children.Pods.Get(cache.NewObjectName(s.replication.Namespace, t.Name))
	if there && (pod.UID == t.PodUID || ownerref.ControlledByUID(pod, t.UnitUID)) {
		return false
	}
	if op := s.status.Operation; s.status.CurrentSource == t.Name || op != nil && (op.From == t.Name || op.To == t.Name) {
		return false
	}
	return !slices.ContainsFunc(s.status.Durability, func(e v1alpha1.ReplicationDurabilityEntry) bool {
		return topology.RuleOf(e).Has(t.Name)
	})
}

// setOfMembers is the set that listed units are, or were, part of: it says which of
// them it does not want any more.
func (c *Controller) setOfMembers(s *state) *v1alpha2.UnitSet {
	if source := s.replication.Spec.Source.Name; len(s.units) == 0 {
		// A set that was asked for no units has none to say so.
		if i := strings.LastIndex(source, "-"); i > 0 {
			set, _ := c.unitSets.Get(cache.NewObjectName(s.replication.Namespace, source[:i]))
			return set
		}
		return nil
	}
	for _, u := range s.units {
		if name := slim.SetOf(u); name != "" {
			if set, ok := c.unitSets.Get(cache.NewObjectName(u.Namespace, name)); ok {
				return set
			}
		}
	}
	return nil
}

func (c *Controller) member(s *state, accepted v1alpha1.AcceptedMember, leaving bool) member {
	m := member{AcceptedMember: accepted, leaving: leaving}
	unit := s.units[accepted.Name]
	if unit == nil || accepted.UnitUID != "" && unit.UID != accepted.UnitUID {
		return m
	}
	m.unit = unit
	if owner := c.members.Of(membership.Of(unit)).Owner; owner != nil && owner.UID != s.replication.UID {
		m.owner = owner
	}
	m.adopted = m.owner == nil && unit.Status.Replication != nil && unit.Status.Replication.UID == s.replication.UID
	if pod, ok := c.children.Pods.Get(cache.MetaObjectToName(unit)); ok && ownerref.ControlledBy(pod, unit) {
		m.pod = pod
	}
	return m
}

// outcome of the last pass over the members' agents: what the status and the labels
// follow.
type outcome struct {
	kind *kind
	plan topology.Plan
	// trouble is why there was no decision at all; empty if there was one.
	trouble string
	// at is when the pass ended.
	at time.Time
	// pods of the members when the pass asked them, which of their agents answered, and
	// what each of those said, as far as it decides.
	pods   map[string]types.UID
	heard  map[string]bool
	sights map[string]string
}

// memory is what is kept of a Replication between syncs.
type memory struct {
	uid     types.UID
	outcome *outcome
	// accounts and channel are the Secrets as they were read last.
	accounts, channel *corev1.Secret
	// passed is what the last pass was made from; empty before the first.
	passed string
	// settled is what the last pass was made from that found all well.
	settled string
	// plans is what the worker remembers between its decisions.
	plans topology.Memory
	// phaseSince is when this process recorded the phase of the operation that is under
	// way; zero if another one did, or there is none.
	phaseSince time.Time
	// released are the pods whose agents have released this Replication.
	released map[types.UID]bool
}

// memory of a Replication. The caller holds no lock; what it gets is changed under the
// controller's only.
func (c *Controller) memory(r owner) *memory {
	key := cache.MetaObjectToName(r)
	m := c.memories[key]
	if m == nil || m.uid != r.UID {
		m = &memory{uid: r.UID, released: map[types.UID]bool{}}
		c.memories[key] = m
	}
	return m
}

func (c *Controller) outcome(r owner) *outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory(r).outcome
}

// forget what is kept of a Replication that is gone.
func (c *Controller) forget(key cache.ObjectName) {
	c.wrote.Clear(key, "")
	c.references.Forget(key)
	c.mu.Lock()
	delete(c.memories, key)
	c.mu.Unlock()
}

// databaseReady says whether the kubelet calls the pod ready.
func databaseReady(pod *slim.Pod) bool {
	c := pod.Condition(corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// ending says whether a pod is being deleted, or about to be.
func ending(pod *slim.Pod) bool {
	c := pod.Condition(corev1.DisruptionTarget)
	return pod.DeletionTimestamp != nil || c != nil && c.Status == corev1.ConditionTrue
}

// hibernated says whether the set that the members are of was asked for no units.
func (s *state) hibernated() bool {
	return s.retiring != nil && ptr.Deref(s.retiring.Spec.Units, 1) == 0
}

// forced is the member that a person wants promoted, and the epoch at which that counts.
func forced(annotation string) (member string, epoch int64) {
	name, text, ok := strings.Cut(annotation, "/")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return "", 0
	}
	return name, n
}
