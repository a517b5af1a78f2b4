// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"fmt"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// blockers keep a unit from being Ready, in the order in which they are named as
// the reason; notices are there to be known.
var (
	blockers = []string{
		v1alpha2.ConditionPackageNotFound,
		v1alpha2.ConditionInvalidTemplate,
		v1alpha2.ConditionNameConflict,
		v1alpha2.ConditionSecretMissing,
		v1alpha2.ConditionSharedConfigMissing,
		v1alpha2.ConditionConfigMissing,
		v1alpha2.ConditionConfigInvalid,
		v1alpha2.ConditionQuotaExceeded,
		v1alpha2.ConditionRefused,
		v1alpha2.ConditionClaimTerminating,
		v1alpha2.ConditionPodEndUnproven,
		v1alpha2.ConditionNodeNotReporting,
		v1alpha2.ConditionPodTerminating,
		v1alpha2.ConditionUnschedulable,
		v1alpha2.ConditionDataMissing,
		v1alpha2.ConditionServerFailed,
		v1alpha2.ConditionContainerFailing,
		v1alpha2.ConditionAgentUnreachable,
		v1alpha2.ConditionAgentRefused,
		v1alpha2.ConditionServerStopped,
	}
	notices = []string{
		v1alpha2.ConditionPaused,
		v1alpha2.ConditionManaged,
		v1alpha2.ConditionMemberTaken,
		v1alpha2.ConditionReinitAccepted,
		v1alpha2.ConditionDataOnEmptyDir,
		v1alpha2.ConditionOwnCommand,
		v1alpha2.ConditionUpdatePending,
		v1alpha2.ConditionResizePending,
		v1alpha2.ConditionRestartRequired,
		v1alpha2.ConditionAgentOutdated,
		v1alpha2.ConditionExpansionPending,
	}
)

// preventers are the blockers without which no pod can be made.
var preventers = []string{
	v1alpha2.ConditionPackageNotFound,
	v1alpha2.ConditionInvalidTemplate,
	v1alpha2.ConditionNameConflict,
	v1alpha2.ConditionSecretMissing,
	v1alpha2.ConditionSharedConfigMissing,
	v1alpha2.ConditionConfigMissing,
	v1alpha2.ConditionConfigInvalid,
	v1alpha2.ConditionQuotaExceeded,
	v1alpha2.ConditionRefused,
	v1alpha2.ConditionClaimTerminating,
	v1alpha2.ConditionPodEndUnproven,
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
