// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// podAction is what one sync does to the pod.
type podAction string

const (
	podKeep   podAction = "Keep"
	podCreate podAction = "Create"
	podDelete podAction = "Delete"
	// podAnnounce and podRestart are the two steps in which a pod that works is
	// replaced: see package interlock.
	podAnnounce podAction = "Announce"
	podRestart  podAction = "Restart"
	// podWait: for the kubelet, for what is missing, or for a moment.
	podWait podAction = "Wait"
)

// podPlan is what becomes of the pod, and why.
type podPlan struct {
	action podAction
	why    string
	// after is when to look again.
	after time.Duration
	// pending says what becomes of a pod that was made from an older template, and
	// reason is the one for that; empty for one that was not.
	reason, pending string
}

// podInput is what decides about the pod.
type podInput struct {
	pod *slim.Pod
	// templateHash of the Unit.
	templateHash string
	updatePolicy v1alpha2.UpdatePolicy
	// prevented says why no pod could be made now; empty if one could.
	prevented string
	// operation that may be running in the pod; empty for none.
	operation string
	// contested: several Replications list the unit.
	contested bool
	// announced: calls are told that the pod is being replaced.
	announced bool
	now       time.Time
}

// leastPodAge is how old a pod that ended must be before it is replaced: one that
// its kubelet refuses at once would be made and refused in a loop.
const leastPodAge = 10 * time.Second

// planPod decides. A pod is never taken down while its successor could not be
// made, and one that works not while an operation runs in it.
func planPod(in podInput) podPlan {
	pod := in.pod
	switch {
	case pod == nil && in.prevented != "":
		return podPlan{action: podWait, why: in.prevented}
	case pod == nil:
		return podPlan{action: podCreate}
	case pod.DeletionTimestamp != nil:
		plan := podPlan{action: podWait, why: "the pod is being deleted"}
		if in.announced {
			// Until it is gone: an agent that is being stopped is handed nothing.
			plan.reason, plan.pending = v1alpha2.ReasonRestarting, beingReplaced
		}
		return plan
	}
	if pod.Phase == corev1.PodFailed || pod.Phase == corev1.PodSucceeded {
		if in.prevented != "" {
			return podPlan{action: podWait, why: in.prevented}
		}
		if age := in.now.Sub(pod.CreationTimestamp.Time); age < leastPodAge {
			return podPlan{action: podWait, why: podEnd(pod), after: leastPodAge - age}
		}
		return podPlan{action: podDelete, why: podEnd(pod)}
	}
	if pod.Annotations[v1alpha2.AnnotationTemplateHash] == in.templateHash {
		return podPlan{action: podKeep}
	}
	switch {
	case in.updatePolicy == v1alpha2.UpdatePolicyOnDelete:
		return podPlan{action: podKeep, reason: v1alpha2.ConditionUpdatePending, pending: "updatePolicy is OnDelete: delete the pod when it suits"}
	case in.prevented != "":
		return podPlan{action: podKeep, reason: v1alpha2.ConditionUpdatePending, pending: "no new pod could be made: " + in.prevented}
	case in.contested:
		return podPlan{action: podKeep, reason: v1alpha2.ConditionUpdatePending, pending: "several Replications list the unit, and the restart waits until one is left"}
	case in.operation != "":
		return podPlan{action: podKeep, reason: v1alpha2.ReasonOperationRunning,
			pending: "the restart waits for " + in.operation + "; it goes on by itself when that has ended, and deleting the call cancels it"}
	case !in.announced:
		return podPlan{action: podAnnounce, reason: v1alpha2.ReasonRestarting, pending: beingReplaced}
	}
	return podPlan{action: podRestart, why: "the Unit's template changed", reason: v1alpha2.ReasonRestarting, pending: beingReplaced}
}

const beingReplaced = "it is being replaced"

// podEnd says how a pod ended.
func podEnd(pod *slim.Pod) string {
	switch {
	case pod.Reason != "" && pod.Message != "":
		return fmt.Sprintf("it ended: %s: %s", pod.Reason, pod.Message)
	case pod.Reason != "":
		return "it ended: " + pod.Reason
	}
	return "it ended in phase " + string(pod.Phase)
}

// syncPod makes, replaces or keeps the pod.
func (c *Controller) syncPod(ctx context.Context, s *state) error {
	in := podInput{
		pod: s.pod, templateHash: s.unit.TemplateHash, updatePolicy: s.unit.UpdatePolicy,
		prevented: s.prevented(), operation: c.operation(s), announced: s.announced(), contested: s.member.Contested(), now: c.cfg.Clock.Now(),
	}
	plan := planPod(in)
	if plan.action == podRestart {
		var err error
		if in.operation, err = c.readOperation(ctx, s); err != nil {
			return err
		}
		plan = planPod(in)
	}
	s.retryAfter(plan.after)
	if plan.pending != "" {
		s.found.Add(v1alpha2.ConditionUpdatePending, plan.reason, "the pod was made from an older template; %s", plan.pending)
	}
	switch plan.action {
	case podCreate:
		return c.makePod(ctx, s)
	case podAnnounce:
		return c.announce(ctx, s)
	case podDelete, podRestart:
		// The cache may lag behind what the pod was made from.
		if _, err := c.readUnit(ctx, s); err != nil {
			return err
		}
		return c.control.pods.DeleteLoudly(ctx, s.unit, s.pod.Name, s.pod.UID, plan.why)
	case podKeep:
		if s.unit.Status.Replication != nil {
			if held, err := c.holdPod(ctx, s); !held || err != nil {
				return err
			}
		}
		return c.followPod(ctx, s)
	}
	return nil
}

// prevented says why no pod can be made; empty if one can.
func (s *state) prevented() string {
	if _, f, ok := s.found.First(preventers); ok {
		return f.Message
	}
	// What a condition says is nearer to the cause.
	because := func(otherwise string, conditions ...string) string {
		if _, f, ok := s.found.First(conditions); ok {
			return f.Message
		}
		return otherwise
	}
	switch {
	case s.blueprint == nil:
		return "the template cannot be used"
	case s.unmountable != "":
		return s.unmountable
	case s.secret == nil || s.secret.DeletionTimestamp != nil:
		return because("the Secret of the agent's certificate is being made", v1alpha2.ConditionQuotaExceeded, v1alpha2.ConditionRefused)
	case len(s.claims) < len(s.unit.Claims):
		return because("claims are being made", v1alpha2.ConditionQuotaExceeded, v1alpha2.ConditionRefused)
	case s.config == nil && !s.unit.OwnCommand:
		return because("the configuration cannot be rendered", v1alpha2.ConditionSharedConfigMissing, v1alpha2.ConditionConfigMissing,
			v1alpha2.ConditionRevisionLost, v1alpha2.ConditionConfigInvalid)
	}
	return ""
}

func (c *Controller) makePod(ctx context.Context, s *state) error {
	live, err := c.readUnit(ctx, s)
	if err != nil {
		return err
	}
	pod, err := podspec.Build(podspec.Input{
		Unit: live, Package: s.pkg, AgentImage: c.cfg.AgentImage, NodeName: live.Spec.NodeName,
		ClusterUID: c.cfg.ClusterUID, ClusterDomain: c.cfg.ClusterDomain,
	})
	if err != nil {
		s.found.Because(v1alpha2.ConditionInvalidTemplate, "%v", err)
		return nil
	}
	pod.Annotations[annotationCopied] = copied(pod.Labels)
	pod.Annotations[annotationResources] = resourcesHash(s.unit)
	pod.Annotations[annotationAgentImage] = c.cfg.AgentImage
	if s.unit.Status.Replication != nil {
		pod.Finalizers = append(pod.Finalizers, v1alpha2.FinalizerPodEnded)
	}
	// That a unit's first pod was made is no news; that its next one was, is.
	create := c.control.pods.CreateLoudly
	if s.status.PodUID == "" {
		create = c.control.pods.Create
	}
	written, _, err := create(ctx, s.unit, pod)
	if err != nil {
		return s.refusal(err)
	}
	s.pod = slim.FromPod(written)
	// One that was there already may have lost the labels we see it by.
	return c.followPod(ctx, s)
}

// followPod keeps labels and annotations in place; not those that say what the pod
// was made from.
func (c *Controller) followPod(ctx context.Context, s *state) error {
	if s.blueprint == nil {
		return nil
	}
	metadata := followed(s.pod.Labels, s.pod.Annotations, s.blueprint.labels, s.blueprint.annotations)
	if len(metadata) == 0 {
		return nil
	}
	_, _, err := c.control.pods.Patch(ctx, s.unit, s.pod, metadata, nil)
	return s.refusal(err)
}

// resized says whether the pod was made with other cpu and memory.
func (s *state) resized() bool {
	if s.pod == nil {
		return false
	}
	made, ok := s.pod.Annotations[annotationResources]
	return ok && made != resourcesHash(s.unit)
}

// behind says whether the pod was made for another configuration than the Unit's
// now is: that of its own stays until it is replaced.
func (s *state) behind() bool { return s.outdated() || s.resized() }

// outdated says whether the pod was made from another template.
func (s *state) outdated() bool {
	return s.pod != nil && s.pod.Annotations[v1alpha2.AnnotationTemplateHash] != s.unit.TemplateHash
}
