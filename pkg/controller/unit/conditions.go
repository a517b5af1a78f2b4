// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"fmt"

	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

// Conditions of a Unit. Ready is always there. Each of the others is there, with
// status True, while what it says holds, and is removed when it no longer does.
const (
	// ConditionReady: the server answers SQL.
	ConditionReady = interlock.ConditionReady

	// ConditionPackageNotFound: no installed package serves the unit, or the one
	// that does cannot be used.
	ConditionPackageNotFound = "PackageNotFound"
	// ConditionInvalidTemplate: no pod can be made of the Unit's template.
	ConditionInvalidTemplate = "InvalidTemplate"
	// ConditionNameConflict: a child's name belongs to an object of somebody else.
	ConditionNameConflict = "NameConflict"
	// ConditionSecretMissing, ConditionConfigMissing and ConditionSharedConfigMissing:
	// a Secret or ConfigMap that the unit needs does not exist.
	ConditionSecretMissing       = "SecretMissing"
	ConditionConfigMissing       = "ConfigMissing"
	ConditionSharedConfigMissing = "SharedConfigMissing"
	// ConditionConfigInvalid: the configuration cannot be rendered. A server that
	// runs keeps what it has.
	ConditionConfigInvalid = "ConfigInvalid"
	// ConditionQuotaExceeded: a quota of the namespace refused a child.
	ConditionQuotaExceeded = "QuotaExceeded"
	// ConditionRefused: the API server refused a child for another reason.
	ConditionRefused = "Refused"
	// ConditionClaimTerminating: a claim of the unit is being deleted.
	ConditionClaimTerminating = "ClaimTerminating"
	// ConditionPodEndUnproven: nothing proves that the processes of a member's last pod
	// have ended, and no other pod is made before that.
	ConditionPodEndUnproven = "PodEndUnproven"
	// ConditionPodTerminating: the pod is on its way out and the next one waits.
	ConditionPodTerminating = interlock.ReasonPodTerminating
	// ConditionUnschedulable: no node takes the pod.
	ConditionUnschedulable = "Unschedulable"
	// ConditionNodeNotReporting: the kubelet of the pod's node is silent.
	ConditionNodeNotReporting = "NodeNotReporting"
	// ConditionContainerFailing: a container of the pod does not start or crashes.
	ConditionContainerFailing = "ContainerFailing"
	// ConditionAgentUnreachable: the agent does not answer.
	ConditionAgentUnreachable = "AgentUnreachable"
	// ConditionAgentRefused: the agent refused what it was told.
	ConditionAgentRefused = "AgentRefused"
	// ConditionDataMissing: the volume does not hold the recorded database, so the
	// server is not started and nothing is touched.
	ConditionDataMissing = "DataMissing"
	// ConditionServerFailed: the server could not be initialised or started.
	ConditionServerFailed = "ServerFailed"
	// ConditionServerStopped: spec.startup is false.
	ConditionServerStopped = "ServerStopped"

	// ConditionPaused: the annotation unit-operator.io/paused is "true".
	ConditionPaused = "Paused"
	// ConditionManaged: a Replication, and nobody else, opens the server for
	// writes. It says what the agent has acknowledged.
	ConditionManaged = "Managed"
	// ConditionMemberTaken: several Replications list the unit. The oldest owns it, and
	// nothing is done to it that could wait until one is left.
	ConditionMemberTaken = "MemberTaken"
	// ConditionReinitAccepted: the annotation unit-operator.io/reinit allows that the
	// unit's database is given up for an empty one, and its agent may know.
	ConditionReinitAccepted = "ReinitAccepted"
	// ConditionDataOnEmptyDir: the data dies with the pod.
	ConditionDataOnEmptyDir = "DataOnEmptyDir"
	// ConditionOwnCommand: the database container brings its own command and is
	// left alone.
	ConditionOwnCommand = "OwnCommand"
	// ConditionUpdatePending: the pod was made from an older template. The reason is
	// ReasonRestarting or ReasonOperationRunning, or else its own name: the user
	// replaces it (updatePolicy OnDelete), or no new one could be made.
	ConditionUpdatePending = interlock.ConditionUpdatePending
	// ConditionResizePending: the pod was made with other cpu and memory than the
	// spec asks for.
	ConditionResizePending = "ResizePending"
	// ConditionRestartRequired: the configuration takes effect with the next start.
	ConditionRestartRequired = "RestartRequired"
	// ConditionAgentOutdated: the pod's agent comes from another image than new
	// pods' do.
	ConditionAgentOutdated = "AgentOutdated"
	// ConditionExpansionPending: a claim is smaller than the spec asks for.
	ConditionExpansionPending = "ExpansionPending"
)

// blockers keep a unit from being Ready, in the order in which they are named as
// the reason; notices are there to be known.
var (
	blockers = []string{
		ConditionPackageNotFound,
		ConditionInvalidTemplate,
		ConditionNameConflict,
		ConditionSecretMissing,
		ConditionSharedConfigMissing,
		ConditionConfigMissing,
		ConditionConfigInvalid,
		ConditionQuotaExceeded,
		ConditionRefused,
		ConditionClaimTerminating,
		ConditionPodEndUnproven,
		ConditionNodeNotReporting,
		ConditionPodTerminating,
		ConditionUnschedulable,
		ConditionDataMissing,
		ConditionServerFailed,
		ConditionContainerFailing,
		ConditionAgentUnreachable,
		ConditionAgentRefused,
		ConditionServerStopped,
	}
	notices = []string{
		ConditionPaused,
		ConditionManaged,
		ConditionMemberTaken,
		ConditionReinitAccepted,
		ConditionDataOnEmptyDir,
		ConditionOwnCommand,
		ConditionUpdatePending,
		ConditionResizePending,
		ConditionRestartRequired,
		ConditionAgentOutdated,
		ConditionExpansionPending,
	}
)

// preventers are the blockers without which no pod can be made.
var preventers = []string{
	ConditionPackageNotFound,
	ConditionInvalidTemplate,
	ConditionNameConflict,
	ConditionSecretMissing,
	ConditionSharedConfigMissing,
	ConditionConfigMissing,
	ConditionConfigInvalid,
	ConditionQuotaExceeded,
	ConditionRefused,
	ConditionClaimTerminating,
	ConditionPodEndUnproven,
}

// finding is why a condition is there.
type finding struct {
	reason, message string
}

// findings by condition type.
type findings map[string]finding

// add a finding. What was found first stays: it is nearest to the cause.
func (f findings) add(condition, reason, format string, args ...any) {
	if _, ok := f[condition]; !ok {
		f[condition] = finding{reason, fmt.Sprintf(format, args...)}
	}
}

// because adds a finding whose reason is its condition.
func (f findings) because(condition, format string, args ...any) {
	f.add(condition, condition, format, args...)
}

// any of these conditions that was found, the first one.
func (f findings) any(conditions []string) (found finding, ok bool) {
	for _, condition := range conditions {
		if found, ok := f[condition]; ok {
			return found, true
		}
	}
	return finding{}, false
}
