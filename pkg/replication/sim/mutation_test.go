// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"reflect"
	"testing"
)

// TestEachRuleIsNeeded switches one rule off after the other: schedules must find what
// comes of it.
func TestEachRuleIsNeeded(t *testing.T) {
	rules := reflect.TypeFor[Rules]()
	for i := range rules.NumField() {
		t.Run(rules.Field(i).Name, func(t *testing.T) {
			off := AllRules()
			reflect.ValueOf(&off).Elem().Field(i).SetBool(false)
			for seed := range uint64(20000) {
				s := Random(seed)
				if out := s.Run(off, Pilot, nil); out.Violation != "" {
					t.Logf("seed %d: %s", seed, out.Violation)
					return
				}
			}
			t.Error("no schedule finds it")
		})
	}
}
