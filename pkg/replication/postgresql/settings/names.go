// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// MaxName is how many bytes a name may have in the server: of an application, a slot, an
// identifier. It cuts longer ones, after which two may be one.
const MaxName = 63

// plain reports whether a unit's name can stand for itself: the server compares
// application names without regard to case, and replaces what is not ASCII in them.
// Names of Kubernetes are plain.
func plain(unit string) bool {
	return unit != "" && strings.Trim(unit, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// hashed stands for a name that cannot stand for itself.
func hashed(unit string) string {
	sum := sha256.Sum256([]byte(unit))
	return hex.EncodeToString(sum[:16])
}

// ApplicationName by which the server that a unit receives from knows it, and waits for it.
func ApplicationName(unit string) string {
	if plain(unit) && len(unit) <= MaxName {
		return unit
	}
	return "unit-member-" + hashed(unit)
}

// ProvisionName is the application name of who copies a unit's data: it receives WAL
// and reports what it has stored, which must not count as what the unit's server has.
func ProvisionName(unit string) string {
	const suffix = "/provision"
	if plain(unit) && len(unit) <= MaxName-len(suffix) {
		return unit + suffix
	}
	return "unit-member-" + hashed(unit) + suffix
}
