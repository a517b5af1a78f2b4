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
	// restart, or EvacuateRemove.
	AnnotationEvacuate = "unit-operator.io/evacuate"
	// EvacuateRemove as the value of AnnotationEvacuate: the unit is to go for good,
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

	// FinalizerUnitSet and FinalizerUnit are held while deletion needs the
	// operator.
	FinalizerUnitSet = "unit-operator.io/unitset"
	FinalizerUnit    = "unit-operator.io/unit"
	// FinalizerGrpcCall is held while the agent may still run the operation.
	FinalizerGrpcCall = "unit-operator.io/grpccall"
)
