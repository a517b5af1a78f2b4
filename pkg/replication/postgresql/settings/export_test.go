// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

// For tests that start servers. They use this package as others do: the servers' engine is
// one of those.
var (
	Refused = refused
	Awkward = awkward
	// RandomText of some characters.
	RandomText = randomText
)
