// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestAMemberIsReplacedAsAWholeOnlyWhereThatIsMeant(t *testing.T) {
	for name, tc := range map[string]struct {
		desired   state.Desired
		overwrite bool
		refused   bool
	}{
		"a unit of its own":                         {},
		"one that waits for a Replication":          {desired: state.Desired{Managed: true}},
		"a member of a Replication":                 {desired: state.Desired{Managed: true, OwnerUID: "r"}, refused: true},
		"a member of a Replication, with overwrite": {desired: state.Desired{Managed: true, OwnerUID: "r"}, overwrite: true},
	} {
		t.Run(name, func(t *testing.T) {
			u := unit{operations.Deps{Store: state.NewStore(t.TempDir(), state.Files{})}}
			tc.desired.PodUID = "pod"
			if err := u.Store.WriteDesired(tc.desired); err != nil {
				t.Fatal(err)
			}
			err := u.mayReplaceMember(tc.overwrite)
			if refused := operations.ReasonOf(err) == operation.ReasonWouldOverwrite; refused != tc.refused || err != nil && !tc.refused {
				t.Errorf("refused %t, want %t: %v", refused, tc.refused, err)
			}
		})
	}
}
