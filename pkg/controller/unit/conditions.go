// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

// conditionsOfUnit, apart from Ready.
var conditionsOfUnit = findings.Kind{
	Blockers: []string{
		v1alpha2.ConditionPackageNotFound,
		v1alpha2.ConditionInvalidTemplate,
		v1alpha2.ConditionNameConflict,
		v1alpha2.ConditionSecretMissing,
		v1alpha2.ConditionSharedConfigMissing,
		v1alpha2.ConditionConfigMissing,
		v1alpha2.ConditionRevisionLost,
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
	},
	Notices: []string{
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
	},
	// The conditions themselves tell, with their times; what leads to them has events.
	Quiet: []string{v1alpha2.ConditionReady, v1alpha2.ConditionManaged},
	Calm: []string{
		v1alpha2.ConditionPaused,
		v1alpha2.ConditionServerStopped,
		v1alpha2.ConditionPodTerminating,
		v1alpha2.ConditionUpdatePending,
		v1alpha2.ConditionResizePending,
		v1alpha2.ConditionRestartRequired,
		v1alpha2.ConditionAgentOutdated,
		v1alpha2.ConditionOwnCommand,
	},
}

// preventers are the blockers without which no pod can be made, whatever is there.
var preventers = []string{
	v1alpha2.ConditionPackageNotFound,
	v1alpha2.ConditionInvalidTemplate,
	v1alpha2.ConditionNameConflict,
	v1alpha2.ConditionClaimTerminating,
	v1alpha2.ConditionPodEndUnproven,
}
