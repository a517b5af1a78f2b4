// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"strings"
)

// Conditions of a UnitSet. Ready and Progressing are always there. Each of the
// others is there, with status True, while what it says holds, and is removed
// when it no longer does.
const (
	// ConditionReady: as many units as wanted exist, and all of them are Ready.
	ConditionReady = "Ready"
	// ConditionProgressing: units are being made, removed or waited for.
	ConditionProgressing = "Progressing"

	// ConditionInvalidSpec: the spec contradicts itself in a way that admission
	// cannot see. Nothing is done.
	ConditionInvalidSpec = "InvalidSpec"
	// ConditionPackageNotFound: no installed package serves type, edition and
	// version, or the one that does cannot be used.
	ConditionPackageNotFound = "PackageNotFound"
	// ConditionSharedConfigMissing: the ConfigMap of spec.sharedConfigName does
	// not exist.
	ConditionSharedConfigMissing = "SharedConfigMissing"
	// ConditionInvalidSharedConfig: it exists and its ports cannot be read.
	ConditionInvalidSharedConfig = "InvalidSharedConfig"
	// ConditionSecretMissing: the Secret of spec.secret does not exist.
	ConditionSecretMissing = "SecretMissing"
	// ConditionCertificateSecretMissing: that of spec.certificateSecret does not.
	ConditionCertificateSecretMissing = "CertificateSecretMissing"
	// ConditionNameConflict: a child's name belongs to an object of somebody else.
	ConditionNameConflict = "NameConflict"
	// ConditionQuotaExceeded: a quota of the namespace refused a child.
	ConditionQuotaExceeded = "QuotaExceeded"
	// ConditionRefused: the API server, a policy or a webhook refused a child.
	ConditionRefused = "Refused"
	// ConditionRevisionLost: a ControllerRevision that units are made from is gone
	// or cannot be read.
	ConditionRevisionLost = "RevisionLost"
	// ConditionInvalidNodeNameMap: the annotation upm.io/node-name-map cannot be
	// read. No unit is made.
	ConditionInvalidNodeNameMap = "InvalidNodeNameMap"

	// ConditionDataOnEmptyDir: the data dies with the pod.
	ConditionDataOnEmptyDir = "DataOnEmptyDir"
	// ConditionNotReplicated: the set is meant to replicate and no Replication
	// lists its units.
	ConditionNotReplicated = "NotReplicated"
	// ConditionRevisionAvailable: an edited package, edited shared ports or a newer
	// operator would make the units differently.
	ConditionRevisionAvailable = "RevisionAvailable"
	// ConditionUpdatePending: units do not have the update revision yet.
	ConditionUpdatePending = "UpdatePending"
	// ConditionResizePending: units do not have the wanted cpu and memory yet.
	ConditionResizePending = "ResizePending"
	// ConditionExpansionPending: claims do not have the wanted size yet.
	ConditionExpansionPending = "ExpansionPending"
	// ConditionScalingDown: a unit is being removed.
	ConditionScalingDown = "ScalingDown"
	// ConditionPaused: the set's annotation says so; no child is written.
	ConditionPaused = "Paused"
	// ConditionNotActedOn: the set uses fields that this version of the operator
	// accepts and does nothing about; the message names them.
	ConditionNotActedOn = "NotActedOn"
)

// blockers keep a set from being Ready, in the order in which they are named as
// the reason; the others are there to be known.
var blockers = []string{
	ConditionInvalidSpec,
	ConditionPackageNotFound,
	ConditionSharedConfigMissing,
	ConditionInvalidSharedConfig,
	ConditionInvalidNodeNameMap,
	ConditionRevisionLost,
	ConditionNameConflict,
	ConditionQuotaExceeded,
	ConditionRefused,
	ConditionSecretMissing,
	ConditionCertificateSecretMissing,
}

var notices = []string{
	ConditionDataOnEmptyDir,
	ConditionNotReplicated,
	ConditionRevisionAvailable,
	ConditionUpdatePending,
	ConditionResizePending,
	ConditionExpansionPending,
	ConditionScalingDown,
	ConditionPaused,
	ConditionNotActedOn,
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

// blocker is the first that keeps the set from being Ready.
func (f findings) blocker() (condition string, found finding, ok bool) {
	for _, condition := range blockers {
		if found, ok := f[condition]; ok {
			return condition, found, true
		}
	}
	return "", finding{}, false
}

// list names for a message, the first few of many.
func list(names []string) string {
	const limit = 5
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	return strings.Join(names, ", ")
}
