// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

// Labels and annotations of the API. Keys below unit-operator.io belong to the
// operator; upm.api and app.kubernetes.io keys are defaults that the labels of
// a UnitSet override.
const (
	// LabelManaged marks every object the operator creates. Its informers select
	// by it. Its value is "true".
	LabelManaged = "unit-operator.io/managed"
	// LabelUnitSet is the name of the UnitSet an object belongs to.
	LabelUnitSet = "unit-operator.io/unitset"
	// LabelUnit is the name of the Unit an object belongs to.
	LabelUnit = "unit-operator.io/unit"
	// LabelOrdinal is the ordinal of the Unit in its UnitSet.
	LabelOrdinal = "unit-operator.io/ordinal"
	// LabelType is the engine: mysql, postgresql or proxysql.
	LabelType = "unit-operator.io/type"

	// LabelReplication of a Pod is the name of the Replication that gave it
	// LabelRole: RoleSource or RoleReplica, as that was observed. The Services of the
	// Replication select by both.
	LabelReplication = "unit-operator.io/replication"
	LabelRole        = "unit-operator.io/role"
	// RoleSource as the value of LabelRole: the one member that accepts writes.
	RoleSource = "source"
	// RoleReplica as the value of LabelRole: a member that clients may read from.
	RoleReplica = "replica"

	// LabelServiceGroupName defaults to the UnitSet's name.
	LabelServiceGroupName = "upm.api/service-group.name"
	// LabelServiceGroupType defaults to <type>-sg.
	LabelServiceGroupType = "upm.api/service-group.type"
	// LabelServiceName defaults to the UnitSet's name.
	LabelServiceName = "upm.api/service.name"

	// AnnotationNodeNameMap of a UnitSet pins units to nodes: JSON of unit name
	// to node name; "" and NoNodeSet mean no pin.
	AnnotationNodeNameMap = "upm.io/node-name-map"
	// NoNodeSet in the node name map means no pin.
	NoNodeSet = "noneSet"
	// AnnotationRevision names the ControllerRevision a Unit's template and a Pod
	// came from.
	AnnotationRevision = "unit-operator.io/revision"
	// AnnotationTemplateHash of a Pod is the hash of the Unit template it was
	// made from.
	AnnotationTemplateHash = "unit-operator.io/template-hash"
	// AnnotationVersion is the engine's version a Unit runs.
	AnnotationVersion = "unit-operator.io/version"
	// AnnotationEdition is the engine's edition a Unit runs.
	AnnotationEdition = "unit-operator.io/edition"
	// AnnotationPackage names the package a Unit was made from.
	AnnotationPackage = "unit-operator.io/package"
	// AnnotationAdoptRevision of a UnitSet takes up status.availableRevision when
	// it equals it.
	AnnotationAdoptRevision = "unit-operator.io/adopt-revision"
	// AnnotationEvacuate of a Unit asks its Replication to move the source away:
	// EvacuateRestart or EvacuateRemove. The answer is in the Replication's
	// status.topology[].evacuation. Only the UnitSet controller writes it.
	AnnotationEvacuate = "unit-operator.io/evacuate"
	// EvacuateRestart as the value of AnnotationEvacuate: the unit's server is to
	// stop for a while and comes back as a member.
	EvacuateRestart = "restart"
	// EvacuateRemove as the value of AnnotationEvacuate: the unit will be removed for good,
	// and no GrpcCall starts on it any more.
	EvacuateRemove = "remove"
	// AnnotationReinit of a Unit allows its data to be initialised anew. Its
	// value is the system id of the data that may be given up.
	AnnotationReinit = "unit-operator.io/reinit"
	// AnnotationBoundNode records the node a Unit is bound to.
	AnnotationBoundNode = "unit-operator.io/bound-node"
	// AnnotationMaintenanceWindow limits disruptive steps to a weekly window.
	AnnotationMaintenanceWindow = "unit-operator.io/maintenance-window"
	// AnnotationMonitoringEnabled "false" removes the metrics port.
	AnnotationMonitoringEnabled = "unit-operator.io/monitoring-enabled"
	// AnnotationBackupEnabled "false" refuses backup calls.
	AnnotationBackupEnabled = "unit-operator.io/backup-enabled"
	// AnnotationEnvironment is copied to pods and a metrics label.
	AnnotationEnvironment = "unit-operator.io/environment"
	// AnnotationAgentLogLevel of a UnitSet or Unit is how much the agents log, as
	// their flag -v: 0 to 6.
	AnnotationAgentLogLevel = "unit-operator.io/agent-log-level"
	// AnnotationDeletionProtection "true" on any object of this API: it cannot be
	// deleted.
	AnnotationDeletionProtection = "unit-operator.io/deletion-protection"

	// AnnotationPaused "true" on any object of this API: the operator writes none
	// of its children and changes no server. Its status is kept up to date.
	AnnotationPaused = "unit-operator.io/paused"
	// AnnotationRestart asks for a restart whenever its value changes: of a
	// UnitSet, of all units in the order of an update; of a Unit, of that one after
	// evacuation. Any value will do, such as a time.
	AnnotationRestart = "unit-operator.io/restart"
	// AnnotationRebuild of a member's Unit asks for its data to be made again from
	// the other members, on new claims. Its value is the system id of the data that
	// may be given up.
	AnnotationRebuild = "unit-operator.io/rebuild"
	// AnnotationFence "true" of a Unit keeps its server down until it is removed.
	AnnotationFence = "unit-operator.io/fence"
	// AnnotationSwitchover of a Replication asks for the named unit as source, once.
	AnnotationSwitchover = "unit-operator.io/switchover"
	// AnnotationForcePromote of a Replication, <unit>/<epoch>, makes the unit the
	// source although acknowledged transactions may be lost. The epoch is
	// status.epoch, so that the wish counts once.
	AnnotationForcePromote = "unit-operator.io/force-promote"
	// AnnotationForceRelease "true" of a Replication that is being deleted lets it
	// go although a member that may be the source was neither released nor seen to
	// end.
	AnnotationForceRelease = "unit-operator.io/force-release"
	// AnnotationConfirmEnded of a Unit says that a person has seen to it that no
	// process of a pod runs any more, such as by switching its node off. Its value
	// is the pod's UID.
	AnnotationConfirmEnded = "unit-operator.io/confirm-ended"
	// AnnotationMaintenanceNow opens the maintenance window once, until the time
	// that is its value, as RFC 3339.
	AnnotationMaintenanceNow = "unit-operator.io/maintenance-now"
	// AnnotationRoleEpoch of a member's Pod is the epoch of the Replication that its
	// role label comes from.
	AnnotationRoleEpoch = "unit-operator.io/role-epoch"

	// FinalizerUnitSet and FinalizerUnit are held while deletion needs the
	// operator.
	FinalizerUnitSet = "unit-operator.io/unitset"
	FinalizerUnit    = "unit-operator.io/unit"
	// FinalizerGrpcCall is held while the agent may still run the operation.
	FinalizerGrpcCall = "unit-operator.io/grpccall"
	// FinalizerReplication of a Replication is held until its members are released.
	FinalizerReplication = "unit-operator.io/replication"
	// FinalizerPodEnded of the Pod of a Replication's member is held until it is
	// proven that none of its processes runs any more: that the pod object is gone
	// proves nothing. Unit.status.lastPod says what proved it.
	FinalizerPodEnded = "unit-operator.io/ended"
)
