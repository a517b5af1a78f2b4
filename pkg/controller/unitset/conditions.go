// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

// conditionsOfSet, apart from Ready and Progressing.
var conditionsOfSet = findings.Kind{
	Blockers: []string{
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
	},
	Notices: []string{
		v1alpha2.ConditionDataOnEmptyDir,
		v1alpha2.ConditionNotReplicated,
		v1alpha2.ConditionRevisionAvailable,
		v1alpha2.ConditionUpdatePending,
		v1alpha2.ConditionResizePending,
		v1alpha2.ConditionExpansionPending,
		v1alpha2.ConditionScalingDown,
		v1alpha2.ConditionPaused,
		v1alpha2.ConditionNotActedOn,
	},
	Calm: []string{
		v1alpha2.ConditionRevisionAvailable,
		v1alpha2.ConditionScalingDown,
		v1alpha2.ConditionPaused,
	},
	// The conditions themselves tell, with their times. That a new set is not replicated is
	// so for a moment wherever its Replication is made after it.
	Quiet: []string{v1alpha2.ConditionReady, v1alpha2.ConditionProgressing, v1alpha2.ConditionNotReplicated},
}

// list names for a message, the first few of many.
func list(names []string) string {
	const limit = 5
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	return strings.Join(names, ", ")
}
