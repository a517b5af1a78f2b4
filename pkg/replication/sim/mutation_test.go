// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// enough is how many schedules may be needed to find what comes of a rule that is off.
const enough = 60_000

// rare are rules whose violation takes so much to come together that a scenario has it.
var rare = map[string]string{
	"LeftDoNotCount": "testdata/who_has_left_is_counted.txt",
	"ApplyFirst":     "testdata/what_was_received_is_dropped.txt",
}

// TestEachRuleIsNeeded switches one rule off after the other: schedules must find what
// comes of it.
func TestEachRuleIsNeeded(t *testing.T) {
	if raceDetector || testing.Short() {
		t.Skip("it takes many schedules: the run without the race detector does it")
	}
	rules := reflect.TypeFor[Rules]()
	for i := range rules.NumField() {
		t.Run(rules.Field(i).Name, func(t *testing.T) {
			if file := rare[rules.Field(i).Name]; file != "" {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := play(string(content)); err != nil || !strings.Contains(got, "VIOLATION") {
					t.Errorf("%s does not find it: %v\n%s", file, err, got)
				}
				return
			}
			off := AllRules()
			reflect.ValueOf(&off).Elem().Field(i).SetBool(false)
			_, seed, found := search(0, enough, off, Pilot, Violation)
			if found == "" {
				t.Fatal("no schedule finds it")
			}
			t.Logf("seed %d: %s", seed, found)
		})
	}
}

func TestAllRulesAreAll(t *testing.T) {
	all := reflect.ValueOf(AllRules())
	for i := range all.NumField() {
		if !all.Field(i).Bool() {
			t.Errorf("%s is off", all.Type().Field(i).Name)
		}
	}
}
