// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// observe reads from caches what there is of a Unit.
func (c *Controller) observe(unit *slim.Unit) *state {
	key := cache.MetaObjectToName(unit)
	s := &state{
		unit:        unit,
		status:      *unit.Status.DeepCopy(),
		claims:      map[string]*slim.Claim{},
		newestAgent: c.cfg.AgentImage,
		found:       findings.Set{},
	}
	s.pod = ours(s, c.cfg.Children.Pods, c.control.pods.CheckOurs, unit.Name)
	for _, t := range unit.Claims {
		if claim := ours(s, c.cfg.Children.Claims, c.control.claims.CheckOurs, podspec.ClaimName(unit.Name, t.Name)); claim != nil {
			s.claims[t.Name] = claim
		}
	}
	s.secret = ours(s, c.cfg.Children.Secrets, c.control.secrets.CheckOurs, podspec.TLSSecretName(unit.Name))
	if kept, ok := c.cfg.Children.ConfigMaps.Get(cache.NewObjectName(unit.Namespace, keptName(unit.Name))); ok && c.control.configMaps.IsOurs(unit, kept) {
		s.kept = kept
	}
	s.member = c.members.Of(membership.Of(unit))
	s.node = c.observeNode(s)
	s.standing = meta.IsStatusConditionTrue(unit.Status.Conditions, v1alpha2.ConditionReinitAccepted)
	s.replacing = interlock.Replacing(c.cfg.Calls.ByIndex(slim.ByTarget, key.String()))
	m := c.memory(key)
	if s.pod != nil && m.podUID == s.pod.UID {
		s.agent = m.agent
	}
	s.useUnwritten(m.unwritten)
	return s
}

// ours is the child of a name; none if there is none, or if it is somebody else's.
func ours[T slim.Type](s *state, children *slim.Informer[T], check func(*slim.Unit, metav1.Object) error, name string) (none T) {
	obj, ok := children.Get(cache.NewObjectName(s.unit.Namespace, name))
	if !ok {
		return none
	}
	if err := check(s.unit, obj); err != nil {
		s.found.Because(v1alpha2.ConditionNameConflict, "%v", err)
		return none
	}
	return obj
}

func (c *Controller) observeNode(s *state) nodeState {
	var n nodeState
	if s.unit.NodeName != "" {
		_, n.Bound = c.cfg.Nodes.Get(cache.NewObjectName("", s.unit.NodeName))
	}
	if s.pod != nil && s.pod.NodeName != "" {
		node, ok := c.cfg.Nodes.Get(cache.NewObjectName("", s.pod.NodeName))
		n.Gone = !ok
		n.Silent = ok && node.Ready == corev1.ConditionUnknown
	}
	return n
}

// readUnit reads the whole Unit, once in a sync, and not one that has just come by. One
// that is newer than the cache ends the sync until the cache has it, else what is made
// of the one would be compared with the other.
func (c *Controller) readUnit(ctx context.Context, s *state) (*v1alpha2.Unit, error) {
	if s.live != nil {
		return s.live, nil
	}
	if s.pod == nil && s.status.PodUID == "" {
		// No pod was ever made of it, so nothing can be made twice.
		if whole, ok := c.cfg.Children.NewUnits.Get(cache.MetaObjectToName(s.unit), s.unit.ResourceVersion); ok {
			s.live = whole
			return whole, nil
		}
	}
	live, err := c.control.upm.UpmV1alpha2().Units(s.unit.Namespace).Get(ctx, s.unit.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the Unit: %w", err)
	}
	if live.UID != s.unit.UID || live.Generation != s.unit.Generation || live.DeletionTimestamp != nil {
		c.control.Record(s.unit, unitsResource, live)
		return nil, &consistency.StaleError{Resource: unitsResource, Written: live.ResourceVersion, Seen: s.unit.ResourceVersion}
	}
	s.live = live
	return live, nil
}

// memory of a Unit. Only the worker that has the Unit uses it.
func (c *Controller) memory(key cache.ObjectName) *memory {
	m, _ := c.memories.LoadOrStore(key, &memory{})
	return m.(*memory)
}

// forget what is kept of a Unit that is gone.
func (c *Controller) forget(key cache.ObjectName) {
	c.wrote.Clear(key, "")
	c.cfg.References.Forget(key)
	c.contacts.forget(key)
	c.memories.Delete(key)
}
