// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"maps"
	"slices"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestActionsAreThoseThatCallsMayAskFor(t *testing.T) {
	for typ := range actions {
		env, err := engine.EnvFrom([]string{
			"UNIT_NAME=u-0", "UNIT_NAMESPACE=ns", "UNIT_UID=u", "UNIT_TYPE=" + typ, "POD_UID=p", "DATA_DIR_MOUNT=" + t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		eng, err := NewEngine(env)
		if err != nil {
			t.Fatal(err)
		}
		made := slices.Sorted(maps.Keys(NewActions(operations.Deps{Env: env, Engine: eng})))
		if len(made) == 0 {
			t.Errorf("%s has none", typ)
		}
		// Provision is the Replication's, verify the command line's: no call may ask for them.
		known := append(operation.Actions(typ), operation.ActionProvision, operation.ActionVerify)
		for _, name := range made {
			if !slices.Contains(known, name) {
				t.Errorf("%s: nobody may ask for %s", typ, name)
			}
		}
	}
}
