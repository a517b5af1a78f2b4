// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

const (
	// restInterval is how often the source is asked while all is well, wholeInterval how
	// often every member is.
	restInterval  = 10 * time.Second
	wholeInterval = time.Minute
	// earlyInterval is how soon a pass is made again that ended early, troubleInterval
	// how soon accounts are tried again.
	earlyInterval   = time.Second
	troubleInterval = 5 * time.Second
	// lookInterval is how old the newest position of the source may be when the members
	// are compared with it, lookPause what they are given to have it.
	lookInterval = 2 * time.Second
	lookPause    = 100 * time.Millisecond
)

// drive is a pass of a Replication that is not being deleted.
func (c *Controller) drive(ctx context.Context, s *state) (time.Duration, error) {
	r := s.replication
	if c.quiet(ctx, s) {
		return restInterval, nil
	}
	c.mu.Lock()
	memory := c.memory(r).plans
	c.mu.Unlock()
	j := &journal{c: c, namespace: r.Namespace, name: r.Name, uid: r.UID}
	asked := &askedAgents{Agents: c.agents, order: c.order, heard: map[types.UID]*agentclient.Observation{}}
	c.look(ctx, s, &memory)
	made, err := c.run(ctx, c, j, asked, &memory)
	plan := made.Plan
	c.count(made)
	out := newOutcome(plan, err, j, asked, c.clock.Now())
	c.mu.Lock()
	m := c.memory(r)
	m.plans, m.settled = memory, ""
	if keeps := m.outcome != nil && c.clock.Since(m.outcome.at) < wholeInterval; plan.State != "" && err == nil || !keeps {
		m.outcome = out
	} else {
		// What was shown stays for a while, but not over what was recorded since.
		kept := *m.outcome
		kept.plan.Members = made.Recorded.Members
		m.outcome = &kept
	}
	if out.healthy() {
		m.settled = m.passed
	}
	c.mu.Unlock()
	if err != nil {
		// A source may be closed meanwhile: it is made again soon.
		klog.FromContext(ctx).Info("The pass ended early", "reason", err.Error())
		return earlyInterval, nil
	}
	if err := c.ensureAccounts(ctx, s, j, asked, plan); err != nil {
		klog.FromContext(ctx).Info("The accounts could not be made", "reason", err.Error())
		return troubleInterval, nil
	}
	again := plan.Requeue
	if again <= 0 || again > restInterval {
		again = restInterval
	}
	return again, nil
}

// look at the source before its replicas are asked, unless that was done a moment ago.
// How far a replica is behind is judged by the positions that the source is remembered to
// have had: without a fresh one a replica of a source that is written to would seem to be
// as far behind as the last look is ago.
func (c *Controller) look(ctx context.Context, s *state, memory *topology.Memory) {
	if n := len(memory.Positions); n > 0 && c.clock.Since(memory.Positions[n-1].At) < lookInterval {
		return
	}
	if s.silent || !memory.FailingSince.IsZero() {
		// It has no position to tell, and the question would take the time that a failover
		// is waited for.
		return
	}
	for i := range s.members {
		m := &s.members[i]
		if m.Name != s.status.CurrentSource || !m.adopted || !m.agentUp() {
			continue
		}
		at := c.clock.Now()
		o, err := c.agents.Observe(ctx, m.target())
		if err != nil || !o.Answered {
			return
		}
		executed, followed := c.kind.position(o)
		if executed == nil {
			return
		}
		if n := len(memory.Positions); n > 0 && memory.Positions[n-1].ServerID != o.ServerID {
			memory.Positions = nil
		}
		memory.Positions = append(slices.Clone(memory.Positions), topology.Position{At: at, ServerID: o.ServerID, Executed: executed})
		if followed {
			_ = c.sleep(ctx, lookPause)
		}
		return
	}
}

// count what a pass recorded and called.
func (c *Controller) count(made worker.Outcome) {
	if c.measure == nil {
		return
	}
	for i := range made.Changes {
		if reason := made.Changes[i].Reason; reason != "" {
			c.measure.ReplicationChange(reason)
		}
	}
	for i := range made.Steps {
		step := &made.Steps[i]
		c.measure.ReplicationStep(string(step.Kind), step.Err != nil, step.Took)
	}
}

// timePhase that ends with the operation as it is recorded next; nil: the operation ends.
// One that this process has not begun is not measured.
func (c *Controller) timePhase(r owner, next *v1alpha1.ReplicationOperation) {
	last, now := r.Status.Operation, c.clock.Now()
	if last != nil && next != nil && last.Phase == next.Phase && last.ID == next.ID {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.memory(r)
	if last != nil && !m.phaseSince.IsZero() && c.measure != nil {
		c.measure.ReplicationPhase(string(last.Type), last.Phase, now.Sub(m.phaseSince))
	}
	m.phaseSince = time.Time{}
	if next != nil {
		m.phaseSince = now
	}
}

// newOutcome of a pass that has ended. What was not decided leaves labels as they are.
func newOutcome(plan topology.Plan, err error, j *journal, asked *askedAgents, now time.Time) *outcome {
	out := &outcome{kind: j.c.kind, plan: plan, at: now, pods: map[string]types.UID{}, heard: map[string]bool{}, sights: map[string]string{}}
	if err != nil {
		out.trouble = err.Error()
		return out
	}
	for i := range j.loaded {
		m := &j.loaded[i]
		out.pods[m.Name] = m.PodUID
		if o := asked.of(m.PodUID); o != nil {
			out.heard[m.Name], out.sights[m.Name] = true, j.c.kind.sight(o)
		}
	}
	return out
}

// quiet says whether nothing can have changed since the last pass: all was well, nothing
// that the API has is different, and the source says what it said. So a healthy replica
// is asked once a minute and the source more often: it says who receives from it.
func (c *Controller) quiet(ctx context.Context, s *state) bool {
	o := s.outcome
	if o == nil || !o.healthy() || o.plan.Requeue > 0 && o.plan.Requeue < restInterval || c.clock.Since(o.at) >= wholeInterval || child.Paused(s.replication) {
		return false
	}
	c.mu.Lock()
	same := c.memory(s.replication).passed == c.memory(s.replication).settled
	c.mu.Unlock()
	if !same {
		return false
	}
	for i := range s.members {
		m := &s.members[i]
		if m.Name != s.status.CurrentSource {
			continue
		}
		if !m.agentUp() || m.pod.UID != o.pods[m.Name] {
			return false
		}
		seen, err := c.agents.Observe(ctx, m.target())
		s.silent = err != nil || !seen.Answered
		return err == nil && c.kind.sight(seen) == o.sights[m.Name]
	}
	return false
}

// sight of a server: what of an observation would lead to another decision.
func (k *kind) sight(o *agentclient.Observation) string {
	parts := []any{o.Answered, o.ReadOnly, o.ServerID}
	if o.Status != nil {
		parts = append(parts, o.Status.Record, o.Status.Holds, o.Status.Epoch, o.Status.State)
	}
	return slim.ContentHash(append(parts, k.server(o)...))
}

// ensureAccounts makes the accounts of spec.secret on the open source, whenever the
// Secret is not what was applied last. A password that somebody changes in the server
// stays until the Secret changes.
func (c *Controller) ensureAccounts(ctx context.Context, s *state, j *journal, asked *askedAgents, plan topology.Plan) error {
	r := s.replication
	if child.Paused(r) || r.DeletionTimestamp != nil {
		return nil
	}
	live, err := j.current(ctx)
	if err != nil {
		return err
	}
	source := live.Status.CurrentSource
	if source == "" || plan.Labels[source] != topology.RoleSource {
		return nil
	}
	users, err := c.accountsSecret(ctx, r)
	if err != nil || users == nil {
		return err
	}
	channel, err := c.channelSecret(ctx, r)
	if err != nil || channel == nil {
		return err
	}
	accounts := accountsOf(r, users)
	if len(accounts) == 0 {
		return nil
	}
	key := agentclient.Password(channel.Data[keyHash])
	if channel.Annotations[annotationAccounts] == agentclient.AccountsHash(key, accounts) {
		return nil
	}
	for i := range s.members {
		m := &s.members[i]
		if m.Name != source || !m.agentUp() {
			continue
		}
		done, err := asked.EnsureAccounts(ctx, m.target(), agentclient.EnsureAccountsRequest{
			Fence: agentclient.RoleFence{ReplicationUID: r.UID, Epoch: live.Status.Epoch}, Accounts: accounts, HashKey: key,
		})
		if err != nil {
			return fmt.Errorf("making the accounts of Secret %s on Unit %s: %w", users.Name, source, err)
		}
		if len(done.Changed) > 0 {
			c.control.Events.Normal(r, reasonAccountsApplied, actionReplicate, "The accounts of Secret %s are applied on Unit %s", users.Name, source)
		}
		return c.control.annotateSecret(ctx, r, channel, annotationAccounts, done.Hash)
	}
	return nil
}

// accountsOf a Secret; none while a value is missing.
func accountsOf(r owner, secret *corev1.Secret) []agentclient.Account {
	var out []agentclient.Account
	for _, a := range []struct {
		key     string
		purpose agentclient.AccountPurpose
	}{{r.Spec.Secret.Manager, r.Kind.manager}, {r.Spec.Secret.Replication, agentclient.PurposeReplication}} {
		if len(secret.Data[a.key]) == 0 {
			return nil
		}
		out = append(out, agentclient.Account{Name: a.key, Password: agentclient.Password(secret.Data[a.key]), Purpose: a.purpose})
	}
	return out
}
