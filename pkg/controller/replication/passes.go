// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/loop"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Passes ask the members' agents and change their roles: the decisions are those of
// pkg/replication. They have a queue and workers of their own, keyed by Replication: an
// agent that does not answer keeps no other Replication's objects from being synced, and
// a switchover is one pass.

const (
	// passWorkers is how many passes run at the same time. They wait more than they work.
	passWorkers = 32
	// slowPass is when a pass no longer counts as one of them, since it waits for agents
	// that do not answer, or for transactions: Replications whose agents answer do not
	// wait for it. There is one at a time of each Replication.
	slowPass = time.Second
)

// busyDelay is how soon a pass is tried again that met a sync of the same object.
const busyDelay = 50 * time.Millisecond

func (c *Controller) newPasses(cfg Config, synced []cache.InformerSynced) *loop.Loop {
	return loop.New(loop.Config{
		Name: c.kind.controller + "-passes", Kind: c.kind.log, Sync: c.pass, Clock: cfg.Clock, Observe: cfg.Observe, Synced: synced, StandInAfter: slowPass,
	})
}

// begin says whether the caller has the Replication now: a sync and a pass never write
// the same status at the same time.
func (c *Controller) begin(key cache.ObjectName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[key] {
		return false
	}
	c.busy[key] = true
	return true
}

func (c *Controller) end(key cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, key)
}

// schedule a pass if anything has changed that the last one was made from.
func (c *Controller) schedule(s *state) {
	r := s.replication
	if !c.hasPasses(s) {
		return
	}
	from := c.fingerprint(s)
	c.mu.Lock()
	m := c.memory(r)
	changed := m.passed != from
	c.mu.Unlock()
	if changed {
		c.passes.Enqueue(cache.MetaObjectToName(r))
	}
}

// hasPasses says whether anything of the Replication is acted upon.
func (c *Controller) hasPasses(s *state) bool {
	r := s.replication
	if r.DeletionTimestamp != nil && s.status.Operation == nil {
		return !child.Paused(r) && len(c.unreleased(s)) > 0
	}
	return s.status.Accepted != nil && s.status.Accepted.Mode != c.kind.group
}

// fingerprint of all that a pass is made from, apart from what agents say and what passes
// record themselves.
func (c *Controller) fingerprint(s *state) string {
	r := s.replication
	parts := []any{r.Generation, r.Annotations, r.DeletionTimestamp, s.wanted.accepted, s.wanted.invalid, s.hibernated()}
	for i := range s.members {
		m := &s.members[i]
		parts = append(parts, request(s, m), m.agentUp())
	}
	if source := s.status.CurrentSource; source != "" {
		parts = append(parts, replacementDue(c.calls.ByIndex(slim.ByTarget, r.Namespace+"/"+source)))
	}
	if secret, ok := c.children.Secrets.Get(cache.NewObjectName(r.Namespace, channelSecretName(r.Name))); ok {
		parts = append(parts, secret.UID, secret.ContentHash)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.memory(r); m.accounts != nil {
		parts = append(parts, m.accounts.UID, m.accounts.ResourceVersion)
	}
	return slim.ContentHash(parts)
}

// pass is one unit of work on the members' agents.
func (c *Controller) pass(ctx context.Context, key cache.ObjectName) (time.Duration, error) {
	if err := c.wrote.EnsureReady(key); err != nil {
		return 0, err
	}
	r, there := c.replications.get(key)
	if !there {
		return 0, nil
	}
	if !c.begin(key) {
		return 0, loop.RetryAfter(nil, busyDelay)
	}
	defer func() {
		// Whatever comes of the pass, and if it had nothing to do: nobody else lets go of the
		// Replication, nor wakes the sync that was turned away meanwhile.
		c.end(key)
		c.loop.Enqueue(key)
	}()
	s := c.observe(r)
	s.explain()
	if !c.hasPasses(s) {
		return 0, nil
	}
	from := c.fingerprint(s)
	c.mu.Lock()
	c.memory(r).passed = from
	c.mu.Unlock()
	work := c.drive
	if r.DeletionTimestamp != nil && s.status.Operation == nil {
		work = c.release
	}
	return work(ctx, s)
}
