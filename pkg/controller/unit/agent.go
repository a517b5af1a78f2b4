// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

const (
	// agentRetry is how soon an agent that did not answer is asked again, and
	// agentRest how soon once it is known to be away.
	agentRetry = 3 * time.Second
	agentRest  = 15 * time.Second
	// agentGrace is what a starting agent gets before it is called unreachable.
	agentGrace = 15 * time.Second
	// startPoll is how often a server that starts is asked after, for startTime;
	// then every stuckPoll.
	startPoll = 5 * time.Second
	// askPause is the least time between two answers.
	askPause  = 2 * time.Second
	startTime = time.Minute
	stuckPoll = 30 * time.Second
)

// agentUp says whether the pod has an agent to speak to that is not about to end, and
// since when.
func agentUp(pod *slim.Pod) (since time.Time, up bool) {
	if pod == nil || pod.DeletionTimestamp != nil {
		return time.Time{}, false
	}
	return slim.AgentUp(pod)
}

func (s *state) target() agentclient.Target { return slim.AgentOf(s.unit, s.pod) }

// acknowledged says whether the agent of this pod has what this sync would tell
// it, as far as the status knows.
func (s *state) acknowledged() bool {
	sync := &s.status.ConfigSyncStatus
	return s.answered() && (s.offer == nil || sync.AppliedHash == s.offer.Hash) &&
		sync.AppliedGeneration == s.unit.Generation && meta.IsStatusConditionTrue(s.status.Conditions, v1alpha2.ConditionManaged) == s.managed() &&
		s.standing == (s.accepted != "")
}

// answered says whether the agent of this pod has ever acknowledged anything.
func (s *state) answered() bool {
	return s.pod != nil && s.status.ConfigSyncStatus.PodUID == s.pod.UID
}

// syncAgent tells the agent what its server needs, unless it has acknowledged that
// already, and looks again while the server does not run yet. At rest it does nothing.
func (c *Controller) syncAgent(ctx context.Context, s *state) error {
	since, up := agentUp(s.pod)
	if !up || s.unit.OwnCommand {
		return nil
	}
	s.offer = c.offer(s)
	// An agent that has no configuration yet has nothing to keep.
	if !s.acknowledged() && (s.offer != nil || s.answered()) {
		offer, err := c.whole(ctx, s, s.offer)
		if err != nil {
			return err
		}
		if s.offer = offer; offer == nil && !s.answered() {
			return nil
		}
		answered, err := c.push(ctx, s, since)
		if err != nil {
			c.explainAgent(s, err, since)
		}
		if !answered || err != nil {
			return nil
		}
		if s.agent.RestartRequired {
			// A server that takes the configuration up says so soon.
			s.retryAfter(startPoll)
		}
	}
	if !s.answered() {
		return nil
	}
	return c.listen(ctx, s, since)
}

// listen to what the agent says of its server, and ask for it where nothing else tells.
func (c *Controller) listen(ctx context.Context, s *state, since time.Time) error {
	ask, again := planAsk(c.askInput(s, since))
	if ask {
		if _, err := c.ask(ctx, s, since); err != nil {
			c.explainAgent(s, err, since)
			return nil
		}
	}
	if s.reinitIsVoid() && !child.Paused(s.unit) {
		return c.dropReinit(ctx, s, "the database is there and runs, so nothing was given up")
	}
	c.learn(s)
	if s.fresh {
		_, again = planAsk(c.askInput(s, since))
	}
	s.retryAfter(again)
	return nil
}

// offer is the configuration that goes to the agent with everything else; nil if the
// agent keeps the one it has. That of a new template, or for more memory, is not for a
// pod that has the old, and one that does not render is none. What this process gave
// is given again: agents that cannot keep theirs want one with each call.
func (c *Controller) offer(s *state) *configtemplate.Output {
	if s.config != nil && !(s.behind() && s.answered()) {
		return s.config
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if s.answered() && m.applied != nil && m.applied.Hash == s.status.ConfigSyncStatus.AppliedHash {
		return m.applied
	}
	return nil
}

// contact puts a question to the agent of the unit's pod, which runs since then. answered
// is false while its answer, which brings the next sync, is not there.
func (c *Controller) contact(ctx context.Context, s *state, since time.Time, id string, ask func(context.Context) (*agentclient.Status, error)) (answered bool, err error) {
	q := question{agent: string(s.pod.UID) + since.String(), id: id, ask: ask}
	a, answered := c.contacts.put(ctx, cache.MetaObjectToName(s.unit), q)
	if !answered || a.err != nil {
		s.asked = !answered
		return answered, a.err
	}
	c.remember(s, a.status)
	return true, nil
}

// push hands over everything the server's start depends on. answered is false while the
// agent is yet to acknowledge it: that brings the next sync.
func (c *Controller) push(ctx context.Context, s *state, since time.Time) (answered bool, err error) {
	managed := s.managed()
	request := agentclient.ApplyRequest{
		Generation:  s.unit.Generation,
		StartupHold: !s.unit.Startup,
		Expected:    expectedData(s.status.DataIdentity),

		GivenUpSystemID: s.accepted,

		ClaimUIDs: s.claimUIDs(),
		Managed:   managed,
		Released:  s.released(),
	}
	if r := s.status.Replication; r != nil && slices.Contains(c.cfg.GivesRoles, r.Kind) {
		request.Owner = r.UID
	}
	if s.offer != nil {
		request.ConfigHash, request.Files = s.offer.Hash, s.offer.Files
	}
	target := s.target()
	answered, err = c.contact(ctx, s, since, "Apply "+slim.ContentHash(request), func(ctx context.Context) (*agentclient.Status, error) {
		request.Term, request.Seq = c.cfg.Order()
		return c.cfg.Agents.Apply(ctx, target, request)
	})
	if !answered || err != nil {
		return answered, err
	}
	sync := &s.status.ConfigSyncStatus
	sync.AppliedGeneration, sync.PodUID = s.unit.Generation, s.pod.UID
	s.standing = s.accepted != ""
	if s.offer != nil {
		if sync.AppliedHash != s.offer.Hash || sync.LastTransitionTime == nil {
			sync.LastTransitionTime = new(metav1.NewTime(c.cfg.Clock.Now().Truncate(time.Second)))
		}
		sync.AppliedHash = s.offer.Hash
		c.memory(cache.MetaObjectToName(s.unit)).applied = s.offer
	}
	s.setManaged(managed)
	return true, nil
}

// setManaged records what the agent has acknowledged.
func (s *state) setManaged(managed bool) {
	switch {
	case s.member.Owner != nil:
		s.found.Add(v1alpha2.ConditionManaged, v1alpha2.ReasonReplicationListsUnit, "%s lists the unit; only it opens the server for writes", s.member.Owner)
	case managed:
		s.found.Add(v1alpha2.ConditionManaged, v1alpha2.ReasonMadeForReplication, "ARCH_MODE is set: the server stays read-only until a Replication that lists the unit opens it")
	default:
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha2.ConditionManaged)
	}
}

// ask the agent for its status.
func (c *Controller) ask(ctx context.Context, s *state, since time.Time) (answered bool, err error) {
	target := s.target()
	return c.contact(ctx, s, since, "Status", func(ctx context.Context) (*agentclient.Status, error) { return c.cfg.Agents.Status(ctx, target) })
}

func (c *Controller) remember(s *state, status *agentclient.Status) {
	s.agent, s.fresh = status, true
	m := c.memory(cache.MetaObjectToName(s.unit))
	m.agent, m.podUID, m.agentAt = status, s.pod.UID, c.cfg.Clock.Now()
	s.status.Agent = &v1alpha2.AgentInfo{Image: s.pod.AgentImage, Version: status.AgentVersion}
}

// askInput is what decides whether an agent is asked for its status.
type askInput struct {
	startup bool
	// ready: the server answers by its readiness probe. recorded: what it says of its
	// data since it does is in the status. replacing: an operation replaces that.
	ready, recorded, replacing bool
	// accepted: the loss of its data is accepted, so it may have other data now.
	accepted bool
	// restartRequired as the status says.
	restartRequired bool
	// upFor is how long the agent runs.
	upFor time.Duration
	// last is the agent's last word, nil without one, and age how old it is; fresh
	// if it was given in this sync.
	last  *agentclient.Status
	age   time.Duration
	fresh bool
}

// planAsk: a unit that is Ready, or stopped on request, is not asked: its pod tells
// when that changes. One that starts is, for nothing else tells why it does not.
func planAsk(in askInput) (ask bool, again time.Duration) {
	switch {
	case !in.startup, in.ready && in.replacing:
		return false, 0
	case !in.ready || !in.recorded:
		ask, again = true, startPoll
		if !in.ready && in.upFor > startTime {
			again = stuckPoll
		}
	case in.accepted:
		ask = true
		if in.last == nil || in.last.State != agentclient.StateRunning {
			again = startPoll
		}
	default:
		ask = in.restartRequired
	}
	switch {
	case !ask || in.fresh:
		return false, again
	case in.last != nil && in.age < askPause:
		return false, max(again, askPause)
	}
	return true, again
}

func (c *Controller) askInput(s *state, since time.Time) askInput {
	m := c.memory(cache.MetaObjectToName(s.unit))
	return askInput{
		startup:         s.unit.Startup,
		ready:           databaseReady(s.pod),
		recorded:        s.recorded(),
		replacing:       s.replacing,
		accepted:        s.accepted != "",
		restartRequired: meta.IsStatusConditionTrue(s.unit.Status.Conditions, v1alpha2.ConditionRestartRequired),
		upFor:           c.cfg.Clock.Since(since),
		last:            s.agent,
		age:             c.cfg.Clock.Since(m.agentAt),
		fresh:           s.fresh,
	}
}

// recorded says whether the status has what the server says of its data since it
// answers. That is forgotten while it does not: it may come back with other data.
func (s *state) recorded() bool {
	d := s.status.DataIdentity
	return d != nil && d.SystemID != "" && d.Pristine != nil
}

// reportedData is what the agent says of the data. One of before the field pristine
// says virgin.
func reportedData(agent *agentclient.Status) *agentclient.DataIdentity {
	if agent.Data == nil {
		return nil
	}
	data := *agent.Data
	if data.Pristine == nil && agent.State == agentclient.StateRunning {
		data.Pristine = new(data.Virgin) //nolint:staticcheck // Agents of before the field pristine know no other.
	}
	data.Virgin = data.Pristine != nil && *data.Pristine //nolint:staticcheck // Agents of before the field pristine know no other.
	return &data
}

// learn takes into the status what the agent said.
func (c *Controller) learn(s *state) {
	if s.agent == nil || s.agent.PodUID != s.pod.UID {
		return
	}
	justAsked := s.agent.State == agentclient.StateRunning && c.cfg.Clock.Since(c.memory(cache.MetaObjectToName(s.unit)).agentAt) < askPause
	if databaseReady(s.pod) && (s.fresh || !s.recorded() && justAsked) {
		before := s.status.DataIdentity
		s.status.DataIdentity = learnData(before, reportedData(s.agent), s.accepted, s.claimUIDs())
		c.compareData(s, before, s.status.DataIdentity)
	}
	if s.agent.RestartRequired && (s.fresh || meta.IsStatusConditionTrue(s.unit.Status.Conditions, v1alpha2.ConditionRestartRequired)) {
		s.found.Because(v1alpha2.ConditionRestartRequired, "the configuration differs from what the server runs in a way that takes effect with its next start")
	}
	if !s.unit.Startup || databaseReady(s.pod) {
		return
	}
	switch s.agent.State {
	case agentclient.StateDataMissing:
		s.found.Because(v1alpha2.ConditionDataMissing, "%s; %s", s.agent.Message, s.wayOut())
	case agentclient.StateFailed:
		s.found.Because(v1alpha2.ConditionServerFailed, "%s", s.agent.Message)
	}
}

// compareData tells of data that has taken the place of other data.
func (c *Controller) compareData(s *state, before, after *v1alpha2.DataIdentity) {
	if before == nil || before.SystemID == "" || after.SystemID == before.SystemID && after.DataGeneration == before.DataGeneration {
		return
	}
	// What the agent was told to expect is no longer true.
	s.status.ConfigSyncStatus.AppliedGeneration = 0
	switch {
	case after.SystemID == before.SystemID:
	case s.accepted == before.SystemID:
		s.events = append(s.events, func() {
			c.control.Events.Warning(s.unit, v1alpha2.ReasonDataGivenUp, actionReconcile,
				"Database %s has taken the place of %s, which was given up", after.SystemID, before.SystemID)
		})
	default:
		s.events = append(s.events, func() {
			c.control.Events.Normal(s.unit, v1alpha2.ReasonDataReplaced, actionReconcile,
				"Database %s has taken the place of %s: an operation has replaced it", after.SystemID, before.SystemID)
		})
	}
}

// wayOut of DataMissing for people.
func (s *state) wayOut() string {
	if s.member.Owner != nil {
		return s.member.Owner.String() + " provisions the unit anew"
	}
	id := ""
	if s.status.DataIdentity != nil {
		id = s.status.DataIdentity.SystemID
	}
	return "bring the volume back, or give the database up for an empty one by the annotation " + v1alpha2.AnnotationReinit + "=" + id
}

// explainAgent says why the agent does not have what it should, and when to try
// again.
func (c *Controller) explainAgent(s *state, err error, since time.Time) {
	switch {
	case agentclient.IsFinal(err):
		// Only a change of the spec, the configuration or the pod can end it.
		s.found.Because(v1alpha2.ConditionAgentRefused, "%v", err)
	case agentclient.IsStaleFence(err), agentclient.IsBusy(err), agentclient.Failed(err):
		s.found.Because(v1alpha2.ConditionAgentRefused, "%v; it is tried again", err)
		s.retryAfter(agentRest)
	default:
		if c.cfg.Clock.Since(since) < agentGrace {
			s.retryAfter(agentRetry)
			return
		}
		s.retryAfter(agentRest)
		// Not the error itself: it differs from one try to the next.
		s.found.Because(v1alpha2.ConditionAgentUnreachable,
			"the agent does not answer at %s port %d, so %s; it is tried again (a NetworkPolicy, the node, or the container %s may be why)",
			s.pod.PodIPs[0].IP, agentclient.Port, s.without(), podspec.AgentContainer)
	}
}

// without says what is not known or done while the agent does not answer.
func (s *state) without() string {
	switch {
	case s.acknowledged() && databaseReady(s.pod):
		return "nothing is known of its data since its server answers"
	case s.acknowledged():
		return "nothing is known of how the server starts"
	}
	return "the server has not been told what it needs"
}
