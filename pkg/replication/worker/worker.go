// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	// CommitTimeout is how long the write of a commit may take while the source is closed
	// for it. It is shorter than a lease: a commit is taken back while this process may
	// still act.
	CommitTimeout = 2 * time.Second
	// WriteTimeout bounds any other write.
	WriteTimeout = 5 * time.Second
	// withdrawTimeout bounds what is done for clients right before a source is closed.
	withdrawTimeout = 500 * time.Millisecond
	// leaseFresh is how old the last renewal of the lease may be when a switchover begins.
	leaseFresh = 5 * time.Second
	// rounds of one pass at most; a pass that needs more continues in the next.
	rounds = 64
	// repeats of one and the same call that took no effect.
	repeats = 2
	// takeBackRounds is how often the old source is tried to be opened again after a
	// commit whose outcome is not known.
	takeBackRounds = 20
)

// Worker runs the passes of replications. It has no state of its own.
type Worker struct {
	// Engine of the replications: MySQL or PostgreSQL.
	Engine  Engine
	Agents  Agents
	Journal Journal
	Clock   Clock
	// Each makes calls that do not depend on each other.
	Each Each
	// Endpoints may be nil.
	Endpoints Endpoints
}

// Outcome of a pass.
type Outcome struct {
	// Plan is the last decision: state, findings, members, labels, and when to run again.
	Plan topology.Plan
	// Recorded as the pass left it.
	Recorded topology.Recorded
	// Changes that were recorded, in their order: their reasons are those of events.
	Changes []topology.Change
	// Steps that were made, with how each ended.
	Steps []Made
}

// Made is a step that was made.
type Made struct {
	topology.Step
	Took time.Duration
	Err  error
}

// pass is one run.
type pass struct {
	*Worker
	loaded  *Loaded
	members *members
	memory  *topology.Memory
	out     Outcome
	// made counts calls that were made and changed nothing in what is decided.
	made map[string]int
	// again: it was loaded again after a conflict.
	again bool
	// published: the new source was.
	published bool
	// withdrawn: the source's label was taken off in this pass.
	withdrawn bool
}

// Run makes one pass. memory is kept by the caller from one pass to the next of the same
// replication. An error means that the pass ended early and should be made again soon;
// the outcome has what was done until then.
func (w *Worker) Run(ctx context.Context, memory *topology.Memory) (Outcome, error) {
	if w.Engine == nil {
		return Outcome{}, errNoEngine
	}
	p := &pass{Worker: w, memory: memory, made: map[string]int{}}
	if err := p.load(ctx); err != nil {
		return p.out, err
	}
	for round := range rounds {
		plan := p.decide()
		p.out.Plan, p.out.Recorded = plan, p.loaded.Recorded
		takingBack := memory.CommitUnknown
		if plan.Change == nil {
			*memory = plan.Memory
		}
		switch {
		case plan.Change != nil:
			err := p.save(ctx, plan)
			if errors.Is(err, ErrConflict) && !p.again {
				// What has changed is read at once: a source may be closed.
				p.again = true
				err = p.load(ctx)
			}
			if err != nil {
				return p.out, err
			}
		case len(plan.Steps) > 0:
			p.withdraw(ctx, plan.Steps)
			p.apply(ctx, plan.Steps)
		case takingBack && memory.CommitUnknown && round < takeBackRounds:
			// The old source must be opened again; nobody else does it as soon.
			p.members.forgive()
			if err := p.Clock.Sleep(ctx, plan.Requeue); err != nil {
				return p.out, err
			}
		default:
			return p.out, nil
		}
		if takingBack && !memory.CommitUnknown {
			return p.out, nil
		}
		if err := ctx.Err(); err != nil {
			return p.out, err
		}
	}
	p.out.Plan.Requeue = time.Millisecond
	return p.out, nil
}

// load what is recorded, and ask all members: the source last, so that what a replica has
// of its transactions is not older than what it has itself.
func (p *pass) load(ctx context.Context) error {
	loaded, err := p.Journal.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the replication: %w", err)
	}
	p.loaded, p.members = loaded, newMembers(p.Engine, loaded)
	p.out.Recorded = loaded.Recorded
	var others []int
	source := -1
	for i, m := range loaded.Members {
		if m.Name == loaded.Recorded.Source {
			source = i
			continue
		}
		others = append(others, i)
	}
	p.Each(len(others), func(i int) { p.ask(ctx, others[i]) })
	if source >= 0 {
		p.ask(ctx, source)
	}
	return nil
}

// ask one member's agent.
func (p *pass) ask(ctx context.Context, i int) {
	m := p.loaded.Members[i]
	if !m.Owned {
		return
	}
	at := p.Clock.Now()
	target, ok := p.loaded.Targets[m.Name]
	if !ok {
		p.members.answered(i, at, nil, errNoPod)
		return
	}
	o, err := p.Agents.Observe(ctx, target)
	p.members.answered(i, at, o, err)
}

var errNoPod = errors.New("it has no pod")

// decide by what is known now.
func (p *pass) decide() topology.Plan {
	now := p.Clock.Now()
	return p.members.decide(p.loaded, *p.memory, now, now.Sub(p.loaded.LeaseRenewed) <= leaseFresh)
}

// save a change. What is to be remembered of it is remembered only if it is recorded.
func (p *pass) save(ctx context.Context, plan topology.Plan) error {
	change := *plan.Change
	timeout := WriteTimeout
	if change.Kind == topology.ChangeCommit {
		timeout = CommitTimeout
	}
	write, cancel := p.Clock.WithTimeout(ctx, timeout)
	err := p.Journal.Save(write, p.loaded.Recorded, change)
	cancel()
	log := klog.FromContext(ctx)
	switch {
	case err == nil:
		log.V(2).Info("Recorded", "what", change.Kind, "reason", change.Reason, "message", change.Message, "epoch", change.To.Epoch)
		*p.memory = plan.Memory
		p.loaded.Recorded = change.To
		p.out.Recorded = change.To
		p.out.Changes = append(p.out.Changes, change)
		p.made = map[string]int{}
		if change.Kind == topology.ChangeEnd && p.Endpoints != nil && !p.published {
			p.publish(ctx)
		}
		return nil
	case errors.Is(err, ErrConflict):
		// Somebody else continues, or changed what this was decided from.
		p.memory.Forget()
		return err
	case change.Kind == topology.ChangeCommit:
		log.Info("The commit was not confirmed, the source is opened again", "error", err.Error())
		p.memory.CommitUnknown = true
		return nil
	}
	p.memory.Forget()
	return fmt.Errorf("recording %s: %w", change.Kind, err)
}

// withdraw the source of a switchover right before its fence, once.
func (p *pass) withdraw(ctx context.Context, steps []topology.Step) {
	w, ok := p.Endpoints.(Withdrawer)
	op := p.loaded.Recorded.Operation
	if !ok || p.withdrawn || op == nil || op.Phase != topology.PhasePreparing || steps[0].Kind != topology.StepDemote || steps[0].Member != op.From {
		return
	}
	p.withdrawn = true
	ctx, cancel := p.Clock.WithTimeout(ctx, withdrawTimeout)
	defer cancel()
	if err := w.Withdraw(ctx, op.From, op.Epoch); err != nil {
		klog.FromContext(ctx).Info("The source is closed although its label is still there", "unit", op.From, "error", err.Error())
	}
}

// opened: an operation has opened its new source, and that is not published yet.
func (p *pass) opened() bool {
	op := p.loaded.Recorded.Operation
	return p.Endpoints != nil && !p.published && op != nil && op.Phase == topology.PhaseOpening && p.members.open(op.To)
}

// publish the source that was opened. A failure is made good by whoever labels pods by
// what the pass came to.
func (p *pass) publish(ctx context.Context) {
	r := p.loaded.Recorded
	if !p.members.open(r.Source) {
		return
	}
	if err := p.Endpoints.Publish(ctx, r.Source, r.Epoch); err != nil {
		klog.FromContext(ctx).Info("The source is not published yet", "unit", r.Source, "error", err.Error())
	}
}

// apply steps that do not depend on each other, and merge what they answered in their
// order.
func (p *pass) apply(ctx context.Context, steps []topology.Step) {
	type answer struct {
		at     time.Time
		result result
		took   time.Duration
	}
	answers := make([]answer, len(steps))
	all := len(steps)
	if p.opened() {
		// Clients are led to the new source while the others are asked to follow it: one
		// that takes long must not keep them waiting.
		p.published = true
		all++
	}
	p.Each(all, func(i int) {
		if i == len(steps) {
			p.publish(ctx)
			return
		}
		at := p.Clock.Now()
		answers[i] = answer{at: at, result: p.make(ctx, steps[i])}
		answers[i].took = p.Clock.Now().Sub(at)
	})
	for i, step := range steps {
		a := answers[i]
		p.out.Steps = append(p.out.Steps, Made{Step: step, Took: a.took, Err: a.result.err})
		klog.FromContext(ctx).V(2).Info("Called", "call", step.Kind, "unit", step.Member, "why", step.Why, "epoch", step.Epoch, "took", a.took, "error", a.result.err)
		p.members.merge(step, a.at, a.result)
		if step.Kind == topology.StepWait || step.Kind == topology.StepObserve || a.result.err != nil {
			continue
		}
		key := fmt.Sprint(step.Kind, step.Member, step.Upstream, step.Acknowledge, step.Rule, step.Open, step.Slots, step.Timeline, step.Epoch)
		if p.made[key]++; p.made[key] >= repeats {
			p.members.refuse(step, "it took no effect")
		}
	}
}

// result of a call.
type result struct {
	// observation that the call answered with; nil: none.
	observation *agentclient.Observation
	status      *agentclient.Status
	executed    *agentclient.Executed
	operation   *agentclient.Operation
	evidence    *agentclient.Evidence
	activity    *agentclient.Activity
	err         error
}

// make one call.
func (p *pass) make(ctx context.Context, s topology.Step) (r result) {
	target, ok := p.loaded.Targets[s.Member]
	if !ok {
		return result{err: errNoPod}
	}
	fence := agentclient.RoleFence{ReplicationUID: p.loaded.Request.UID, Epoch: s.Epoch}
	switch s.Kind {
	case topology.StepPromote:
		r.observation, r.err = p.Agents.Promote(ctx, target, agentclient.PromoteRequest{
			Fence: fence, Durability: durability(s.Rule), Open: s.Open, ServerID: s.ServerID, DataGeneration: s.Generation, Channel: p.loaded.Channel,
			Timeline: s.Timeline, Slots: s.Slots,
		})
	case topology.StepDemote:
		r.observation, r.err = p.Agents.Demote(ctx, target, fence)
	case topology.StepFollow:
		r.observation, r.err = p.Agents.Follow(ctx, target, agentclient.FollowRequest{
			Fence: fence, Upstream: upstream(s, p.loaded.Channel.User), Channel: p.loaded.Channel, UpstreamExecuted: s.UpstreamPosition,
			DataGeneration: s.Generation, Acknowledge: s.Acknowledge,
		})
	case topology.StepIsolate:
		r.observation, r.err = p.Agents.Isolate(ctx, target, fence)
	case topology.StepRelease:
		r.observation, r.err = p.Agents.Release(ctx, target, fence)
	case topology.StepHold, topology.StepUnhold:
		r.status, r.err = p.Agents.SetHold(ctx, target, agentclient.Hold{
			Name: topology.HoldFence, Held: s.Kind == topology.StepHold, Epoch: s.Epoch, ReplicationUID: fence.ReplicationUID,
		})
		if r.err == nil {
			r.observation, r.err = p.Agents.Observe(ctx, target)
		}
	case topology.StepWait:
		r.executed, r.err = p.Agents.WaitExecuted(ctx, target, agentclient.WaitRequest{GTIDSet: s.Position, Timeout: s.Timeout})
		if r.err == nil && !r.executed.Contained {
			// Why it is not further is seen only by asking.
			r.observation, r.err = p.Agents.Observe(ctx, target)
		}
	case topology.StepProvision:
		r.operation, r.err = p.provision(ctx, target, s, fence)
	case topology.StepEvidence:
		r.evidence, r.err = p.Agents.SaveErrant(ctx, target, agentclient.SaveErrantRequest{Fence: fence, GTIDSet: s.Position})
	case topology.StepActivity:
		r.activity, r.err = p.Agents.Activity(ctx, target)
	case topology.StepObserve:
		if s.Timeout > 0 {
			if r.err = p.Clock.Sleep(ctx, s.Timeout); r.err != nil {
				return r
			}
		}
		r.observation, r.err = p.Agents.Observe(ctx, target)
	default:
		r.err = fmt.Errorf("no call is known for the step %q", s.Kind)
	}
	return r
}
