// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// blockers keep a set from being Ready, in the order in which they are named as
// the reason; the others are there to be known.
var blockers = []string{
	v1alpha2.ConditionInvalidSpec,
	v1alpha2.ConditionPackageNotFound,
	v1alpha2.ConditionSharedConfigMissing,
	v1alpha2.ConditionInvalidSharedConfig,
	v1alpha2.ConditionInvalidNodeNameMap,
	v1alpha2.ConditionRevisionLost,
	v1alpha2.ConditionNameConflict,
	v1alpha2.ConditionQuotaExceeded,
	v1alpha2.ConditionRefused,
	v1alpha2.ConditionSecretMissing,
	v1alpha2.ConditionCertificateSecretMissing,
}

var notices = []string{
	v1alpha2.ConditionDataOnEmptyDir,
	v1alpha2.ConditionNotReplicated,
	v1alpha2.ConditionRevisionAvailable,
	v1alpha2.ConditionUpdatePending,
	v1alpha2.ConditionResizePending,
	v1alpha2.ConditionExpansionPending,
	v1alpha2.ConditionScalingDown,
	v1alpha2.ConditionPaused,
	v1alpha2.ConditionNotActedOn,
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
