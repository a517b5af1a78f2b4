// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// enough is how many schedules may be needed to find what comes of a rule that is off.
const enough = 60_000

// TestEachRuleIsNeeded switches one rule off after the other: there is a scenario below
// testdata/off in which the operator that is shipped then violates an invariant, and with
// the rule on it does not. For those without one, random schedules must find it.
func TestEachRuleIsNeeded(t *testing.T) {
	rules := reflect.TypeFor[Rules]()
	for i := range rules.NumField() {
		name := rules.Field(i).Name
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("testdata", "off", name+".txt"))
			if errors.Is(err, fs.ErrNotExist) {
				schedulesNeed(t, i)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			off := string(content)
			on := strings.Replace(off, " operator=worker off="+name, " operator=worker", 1)
			if on == off {
				t.Fatalf("it does not run the worker with %s off", name)
			}
			if got, err := play(off); err != nil || !strings.Contains(got, "VIOLATION") {
				t.Errorf("with the rule off nothing is violated: %v\n%s", err, got)
			}
			if got, err := play(on); err != nil || strings.Contains(got, "VIOLATION") {
				t.Errorf("with the rule on: %v\n%s", err, got)
			}
		})
	}
}

func schedulesNeed(t *testing.T, rule int) {
	t.Helper()
	if raceDetector || testing.Short() {
		t.Skip("it takes many schedules: the run without the race detector does it")
	}
	off := AllRules()
	reflect.ValueOf(&off).Elem().Field(rule).SetBool(false)
	_, seed, found := search(0, enough, off, Pilot, Violation)
	if found == "" {
		t.Fatal("no schedule finds it")
	}
	t.Logf("seed %d: %s", seed, found)
}

func TestAllRulesAreAll(t *testing.T) {
	all := reflect.ValueOf(AllRules())
	for i := range all.NumField() {
		if !all.Field(i).Bool() {
			t.Errorf("%s is off", all.Type().Field(i).Name)
		}
	}
}
