// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
)

// Names of a set's children. docs/architecture.md lists them.

func unitName(set string, ordinal int32) string { return fmt.Sprintf("%s-%d", set, ordinal) }

func headlessServiceName(set string) string { return set + "-headless-svc" }

func externalServiceName(set string) string { return set + "-svc" }

func unitServiceName(unit string) string { return unit + "-svc" }

func configTemplateName(set string) string { return revision.TemplatesName(set) }

func configValueName(unit string) string { return unit + "-config-value" }

func revisionName(set, hash string) string { return set + "-" + hash }

// ordinalOf a unit's name; false if the name is not one of this set's units.
func ordinalOf(set, unit string) (int32, bool) {
	suffix, ok := strings.CutPrefix(unit, set+"-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(suffix, 10, 32)
	if err != nil || n < 0 || unitName(set, int32(n)) != unit {
		return 0, false
	}
	return int32(n), true
}

// isConfigValue says whether a ConfigMap's name is that of one of this set's
// units' values.
func isConfigValue(set *v1alpha2.UnitSet, name string) bool {
	unit, ok := strings.CutSuffix(name, "-config-value")
	_, ofUnit := ordinalOf(set.Name, unit)
	return ok && ofUnit
}

// wantedUnits is how many units the spec asks for.
func wantedUnits(set *v1alpha2.UnitSet) int32 { return deref(set.Spec.Units) }
