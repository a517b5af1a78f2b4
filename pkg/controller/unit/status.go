// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// computeStatus of a unit from what was observed and found in this sync.
func computeStatus(s *state, now time.Time) v1alpha2.UnitStatus {
	status := *s.status.DeepCopy()
	status.ObservedGeneration = s.unit.Generation
	in := phaseInput{pod: s.pod, silent: s.node.Silent, startup: s.unit.Startup, database: string(s.unit.Type)}
	if s.agent != nil {
		in.agent = s.agent.State
	}
	status.Phase = phaseOf(in)
	if u := &s.unit.Status; s.pod == nil && status.Replication != nil && u.PodUID != "" && (status.LastPod == nil || status.LastPod.UID != u.PodUID) {
		// Its end is still to be proven, also by a sync that did not get as far as that.
		status.LastPod = &v1alpha2.UnitLastPod{UID: u.PodUID, NodeName: u.NodeName}
	}
	if s.pod == nil && !s.identified {
		// Whether this pod's data went with it is still to be decided.
		status.HostIP, status.PodIPs, status.Revision = "", nil, ""
	} else {
		status.NodeName, status.HostIP, status.PodIPs, status.PodUID, status.Revision = "", "", nil, "", ""
	}
	if s.pod != nil {
		status.NodeName, status.HostIP, status.PodIPs = s.pod.NodeName, s.pod.HostIP, slices.Clone(s.pod.PodIPs)
		status.PodUID, status.Revision = s.pod.UID, s.revision()
	} else {
		status.Agent = nil
	}
	status.PersistentVolumeClaim = claimInfos(s)
	if d := status.DataIdentity; d != nil && (!databaseReady(s.pod) || s.replacing) {
		// The server is asked again when it answers, or the operation is over.
		d.Pristine, d.Virgin = nil, false
	}
	status.ConfigSyncStatus.Status = configSync(s)
	if !sameConfigSync(s.unit.Status.ConfigSyncStatus, status.ConfigSyncStatus) {
		status.ConfigSyncStatus.LastTransitionTime = new(metav1.NewTime(now.Truncate(time.Second)))
	}
	s.status = status
	setConditions(s, &status, now)
	return status
}

// revision that the pod is at. One that was made from the same template is at the
// Unit's revision, whatever that is called.
func (s *state) revision() string {
	if s.outdated() {
		return s.pod.Annotations[v1alpha2.AnnotationRevision]
	}
	return s.unit.Annotations[v1alpha2.AnnotationRevision]
}

// sameConfigSync says whether what lastTransitionTime speaks of is the same.
func sameConfigSync(a, b v1alpha2.ConfigSyncStatus) bool {
	return a.Status == b.Status && a.AppliedHash == b.AppliedHash && (b.LastTransitionTime != nil || b.Status == "")
}

// configSync says how far the configuration has come.
func configSync(s *state) v1alpha2.SyncStatus {
	switch {
	case s.unit.OwnCommand:
		return ""
	case s.fallback, s.config == nil, s.behind() && s.answered():
		return v1alpha2.NotSynced
	case s.pod != nil && s.status.ConfigSyncStatus.PodUID == s.pod.UID && s.status.ConfigSyncStatus.AppliedHash == s.config.Hash:
		return v1alpha2.Synced
	}
	return v1alpha2.Syncing
}

// claimInfos in the order of their templates.
func claimInfos(s *state) []v1alpha2.PvcInfo {
	var infos []v1alpha2.PvcInfo
	for _, t := range s.unit.Claims {
		claim := s.claims[t.Name]
		if claim == nil {
			continue
		}
		infos = append(infos, v1alpha2.PvcInfo{
			Name:        claim.Name,
			VolumeName:  claim.VolumeName,
			AccessModes: slices.Clone(claim.AccessModes),
			Capacity:    v1alpha2.PvcCapacity{Storage: claim.Capacity},
			Phase:       claim.Phase,
		})
	}
	return infos
}

// setConditions: Ready, one for each finding, and none for what was not found.
func setConditions(s *state, status *v1alpha2.UnitStatus, now time.Time) {
	found := s.statusFindings()
	ready, why := readiness(s, status.Phase, found)
	why.Write(&status.Conditions, v1alpha2.ConditionReady, ready, s.unit.Generation, now)
	conditionsOfUnit.Write(&status.Conditions, found, s.unit.Generation, now)
}

// statusFindings are those of this sync and those that follow from what was
// observed.
func (s *state) statusFindings() findings.Set {
	found := s.found
	findInPod(found, s.pod, s.node.Silent)
	if s.unit.OwnCommand {
		found.Because(v1alpha2.ConditionOwnCommand,
			"container %s brings its own command and is left alone: startup, configuration and operations of the server do not apply", s.unit.Type)
	} else if !s.unit.Startup {
		message := "spec.startup is false: the server is kept down"
		if databaseReady(s.pod) {
			message = "spec.startup is false: the server is being stopped"
		}
		found.Because(v1alpha2.ConditionServerStopped, "%s", message)
	}
	if s.blueprint != nil && s.blueprint.emptyDir {
		found.Because(v1alpha2.ConditionDataOnEmptyDir, "the data lies on an emptyDir and is lost with its pod; a claim named data keeps it")
	}
	if s.standing && (s.accepted != "" || s.answered()) {
		found.Because(v1alpha2.ConditionReinitAccepted, "%s", s.reinitAccepted())
	}
	if s.resized() && !s.outdated() {
		found.Because(v1alpha2.ConditionResizePending, "the pod was made with other cpu and memory; it gets those of the spec when it is replaced, with the configuration for them")
	}
	if image := s.agentImage(); image != "" && image != s.newestAgent {
		found.Because(v1alpha2.ConditionAgentOutdated, "the agent comes from %s; the pod's next start, for whatever reason, brings %s", image, s.newestAgent)
	}
	// The agent's word stays until it gives another.
	if old := meta.FindStatusCondition(s.status.Conditions, v1alpha2.ConditionManaged); old != nil && old.Status == metav1.ConditionTrue {
		found.Add(v1alpha2.ConditionManaged, old.Reason, "%s", old.Message)
	}
	return found
}

// agentImage that the pod's agent was asked from; empty without a pod.
func (s *state) agentImage() string {
	if s.pod == nil {
		return ""
	}
	return cmp.Or(s.pod.Annotations[annotationAgentImage], s.pod.AgentImage)
}

// readiness is what Ready says.
func readiness(s *state, phase v1alpha2.UnitPhase, found findings.Set) (metav1.ConditionStatus, findings.Finding) {
	if s.unit.DeletionTimestamp != nil {
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonDeleting, "the unit is being deleted")
	}
	switch phase {
	case v1alpha2.UnitReady:
		return metav1.ConditionTrue, findings.New(v1alpha2.ReasonServerReady, "the server answers")
	case v1alpha2.UnitUnknown:
		if f, ok := found[v1alpha2.ConditionNodeNotReporting]; ok {
			return metav1.ConditionUnknown, f
		}
	}
	if _, f, ok := found.First(conditionsOfUnit.Blockers); ok {
		return metav1.ConditionFalse, f
	}
	switch {
	case s.pod == nil:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonPodMissing, "the pod is being made")
	case phase == v1alpha2.UnitPending:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonPodPending, "the pod's containers are being started")
	case phase == v1alpha2.UnitSucceeded || phase == v1alpha2.UnitFailed:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonPodEnded, "%s", podEnd(s.pod))
	case s.agent != nil && s.agent.State == agentclient.StateInitializing:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonServerStarting, "the data directory is being initialised")
	case s.agent != nil && s.agent.State == agentclient.StateHeld:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonServerHeld, "the server is kept down: %s", s.agent.Message)
	case !s.answered() && !s.unit.OwnCommand:
		return metav1.ConditionFalse, findings.New(v1alpha2.ReasonServerStarting, "waiting for the agent in container %s", podspec.AgentContainer)
	}
	return metav1.ConditionFalse, findings.New(v1alpha2.ReasonServerStarting, "the server does not answer yet")
}
