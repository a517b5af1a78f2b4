// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

// Conditions of both kinds. Ready, and Progressing of a UnitSet, are always there.
// Each of the others is there, with status True, while what it says holds, and is
// removed when it no longer does.
const (
	// ConditionReady of a Unit: its server answers SQL. Of a UnitSet: as many units as
	// wanted exist, and all of them are Ready.
	ConditionReady = "Ready"

	// ConditionPackageNotFound: no installed package serves type, edition and version,
	// or the one that does cannot be used.
	ConditionPackageNotFound = "PackageNotFound"
	// ConditionNameConflict: a child's name belongs to an object of somebody else.
	ConditionNameConflict = "NameConflict"
	// ConditionSecretMissing and ConditionSharedConfigMissing: a Secret or the shared
	// ConfigMap that the spec names does not exist.
	ConditionSecretMissing       = "SecretMissing"
	ConditionSharedConfigMissing = "SharedConfigMissing"
	// ConditionRevisionLost: a ControllerRevision that units are made from is gone
	// or cannot be read.
	ConditionRevisionLost = "RevisionLost"
	// ConditionQuotaExceeded: a quota of the namespace refused a child.
	ConditionQuotaExceeded = "QuotaExceeded"
	// ConditionRefused: the API server, a policy or a webhook refused a child.
	ConditionRefused = "Refused"

	// ConditionPaused: the annotation unit-operator.io/paused is "true"; no child is
	// written.
	ConditionPaused = "Paused"
	// ConditionDataOnEmptyDir: the data is lost with the pod.
	ConditionDataOnEmptyDir = "DataOnEmptyDir"
	// ConditionUpdatePending of a Unit: its pod was made from an older template. The
	// reason is ReasonRestarting or ReasonOperationRunning, or else its own name: the
	// user replaces it (updatePolicy OnDelete), or no new one could be made. Of a
	// UnitSet: units do not have the update revision yet.
	ConditionUpdatePending = "UpdatePending"
	// ConditionResizePending: pods have other cpu and memory than the spec asks for.
	ConditionResizePending = "ResizePending"
	// ConditionExpansionPending: claims are smaller than the spec asks for.
	ConditionExpansionPending = "ExpansionPending"
)

// Conditions of a Unit only.
const (
	// ConditionInvalidTemplate: no pod can be made of the Unit's template.
	ConditionInvalidTemplate = "InvalidTemplate"
	// ConditionConfigMissing: a ConfigMap that the unit needs does not exist.
	ConditionConfigMissing = "ConfigMissing"
	// ConditionConfigInvalid: the configuration cannot be rendered. The server keeps
	// the one it has, and so does its next pod if that is made for the same template, cpu
	// and memory.
	ConditionConfigInvalid = "ConfigInvalid"
	// ConditionClaimTerminating: a claim of the unit is being deleted.
	ConditionClaimTerminating = "ClaimTerminating"
	// ConditionPodEndUnproven: nothing proves that the processes of a member's last pod
	// have ended, and no other pod is made before that.
	ConditionPodEndUnproven = "PodEndUnproven"
	// ConditionPodTerminating: the pod is on its way out and the next one waits.
	ConditionPodTerminating = "PodTerminating"
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

	// ConditionManaged: a Replication, and nobody else, opens the server for
	// writes. It says what the agent has acknowledged.
	ConditionManaged = "Managed"
	// ConditionMemberTaken: several Replications list the unit. The oldest owns it, and
	// nothing is done to it that could wait until one is left.
	ConditionMemberTaken = "MemberTaken"
	// ConditionReinitAccepted: the annotation unit-operator.io/reinit allows that the
	// unit's database is given up for an empty one, and its agent may know.
	ConditionReinitAccepted = "ReinitAccepted"
	// ConditionOwnCommand: the database container brings its own command and is
	// left alone.
	ConditionOwnCommand = "OwnCommand"
	// ConditionRestartRequired: the configuration takes effect with the next start.
	ConditionRestartRequired = "RestartRequired"
	// ConditionAgentOutdated: the pod's agent comes from another image than new
	// pods' do.
	ConditionAgentOutdated = "AgentOutdated"
)

// Conditions of a UnitSet only.
const (
	// ConditionProgressing: units are being made, removed or waited for.
	ConditionProgressing = "Progressing"

	// ConditionInvalidSpec: the spec contradicts itself in a way that admission
	// cannot see. Nothing is done.
	ConditionInvalidSpec = "InvalidSpec"
	// ConditionInvalidSharedConfig: the shared ConfigMap exists and its ports cannot be
	// read.
	ConditionInvalidSharedConfig = "InvalidSharedConfig"
	// ConditionCertificateSecretMissing: the Secret of spec.certificateSecret does not
	// exist.
	ConditionCertificateSecretMissing = "CertificateSecretMissing"
	// ConditionInvalidNodeNameMap: the annotation upm.io/node-name-map cannot be
	// read. No unit is made.
	ConditionInvalidNodeNameMap = "InvalidNodeNameMap"

	// ConditionNotReplicated: the set is meant to replicate and no Replication
	// lists its units.
	ConditionNotReplicated = "NotReplicated"
	// ConditionRevisionAvailable: an edited package, edited shared ports or a newer
	// operator would make the units differently.
	ConditionRevisionAvailable = "RevisionAvailable"
	// ConditionScalingDown: a unit is being removed.
	ConditionScalingDown = "ScalingDown"
	// ConditionNotActedOn: the set uses fields that this version of the operator
	// accepts and does nothing about; the message names them.
	ConditionNotActedOn = "NotActedOn"
)

// Reasons of conditions and events of both kinds. The type of a condition is its
// reason too where there is only one.
const (
	// ReasonDeleting: the object is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonPackageBroken: the package is there and cannot be used.
	ReasonPackageBroken = "PackageBroken"
	// ReasonRefused: the API server, a policy or a webhook refuses what is asked for.
	ReasonRefused = "Refused"
	// ReasonOperationRunning: what would disturb a call that is in progress begins when
	// that has ended.
	ReasonOperationRunning = "OperationRunning"

	// ReasonSuccessfulCreate and ReasonSuccessfulDelete: a child was made or is being
	// deleted.
	ReasonSuccessfulCreate = "SuccessfulCreate"
	ReasonSuccessfulDelete = "SuccessfulDelete"
	// ReasonFailedCreate: a child was refused.
	ReasonFailedCreate = "FailedCreate"
	// ReasonAdopted: a Replication owns the unit; or a Unit of an earlier set of the
	// same name is this set's now.
	ReasonAdopted = "Adopted"
)

// Reasons of conditions and events of a Unit.
const (
	// ReasonServerReady: Ready is True.
	ReasonServerReady = "ServerReady"
	// ReasonPodTerminating, ReasonPodMissing, ReasonPodPending and ReasonServerStarting:
	// how far the unit has come. They end by themselves.
	ReasonPodTerminating = "PodTerminating"
	ReasonPodMissing     = "PodMissing"
	ReasonPodPending     = "PodPending"
	ReasonServerStarting = "ServerStarting"
	// ReasonServerHeld: something else than spec.startup keeps the server down, such as
	// an operation or a fence.
	ReasonServerHeld = "ServerHeld"
	// ReasonPodEnded: the pod ended and the next one is made.
	ReasonPodEnded = "PodEnded"

	// ReasonReplicationListsUnit and ReasonMadeForReplication: why a unit is
	// managed.
	ReasonReplicationListsUnit = "ReplicationListsUnit"
	ReasonMadeForReplication   = "MadeForReplication"
	// ReasonRestarting of UpdatePending: the pod is being replaced.
	ReasonRestarting = "Restarting"

	// ReasonBound and ReasonUnbound: the unit was bound to a node, or is no longer.
	ReasonBound   = "BoundToNode"
	ReasonUnbound = "ReleasedFromNode"
	// ReasonReleased: no Replication owns the unit any longer.
	ReasonReleased = "Released"
	// ReasonPodEndProven: something else than its kubelet proves that a member's pod has
	// ended.
	ReasonPodEndProven = "PodEndProven"
	// ReasonDataGivenUp: the record of the unit's database was given up; an empty
	// volume is initialised.
	ReasonDataGivenUp = "DataGivenUp"
	// ReasonDataReplaced: an operation has put another database in the place of the
	// unit's.
	ReasonDataReplaced = "DataReplaced"
	// ReasonReinitDone: the annotation unit-operator.io/reinit has done its work, or
	// named other data.
	ReasonReinitDone = "ReinitDone"
	// ReasonCertificateIssued: the agent has a new certificate.
	ReasonCertificateIssued = "CertificateIssued"
)

// Reasons of conditions and events of a UnitSet.
const (
	// ReasonAllUnitsReady: Ready is True.
	ReasonAllUnitsReady = "AllUnitsReady"
	// ReasonUnitsNotReady: units exist that are not Ready, or do not exist yet.
	ReasonUnitsNotReady = "UnitsNotReady"
	// ReasonNoUnitsWanted: spec.units is 0 and none exists.
	ReasonNoUnitsWanted = "NoUnitsWanted"
	// ReasonSettled: there is nothing to do or to wait for.
	ReasonSettled = "Settled"
	// ReasonBlocked: what is missing must come first.
	ReasonBlocked = "Blocked"
	// ReasonScalingUp, ReasonScalingDown and ReasonWaitingForUnits: what is being
	// done.
	ReasonScalingUp       = "ScalingUp"
	ReasonScalingDown     = "ScalingDown"
	ReasonWaitingForUnits = "WaitingForUnits"
	// ReasonHibernating: the set is scaled to zero; its units stop and their claims
	// stay.
	ReasonHibernating = "Hibernating"
	// ReasonNewRevision: the revision that the spec asks for is being made.
	ReasonNewRevision = "NewRevision"
	// ReasonNotRolledOut: the change reaches units that are made from now on.
	ReasonNotRolledOut = "NotRolledOut"
	// ReasonNotYetSupported: a later version of the operator does.
	ReasonNotYetSupported = "NotYetSupported"
	// ReasonEvacuating: a unit's Replication has been asked to evacuate it.
	ReasonEvacuating = "Evacuating"
	// ReasonEvacuationRefused: it refuses to, and somebody has to decide.
	ReasonEvacuationRefused = "EvacuationRefused"
	// ReasonMemberOfSeveral: more than one Replication lists the unit.
	ReasonMemberOfSeveral = "MemberOfSeveral"
	// ReasonNotReplicated: no Replication lists the unit that is being removed.
	ReasonNotReplicated = "NotReplicated"
)
