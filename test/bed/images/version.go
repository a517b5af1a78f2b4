// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import "strings"

// upstream takes Debian's epoch and revision off a package's version: 1:9.7.4-2 is 9.7.4.
func upstream(version string) string {
	if _, after, found := strings.Cut(version, ":"); found {
		version = after
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		version = version[:i]
	}
	version, _, _ = strings.Cut(version, "+") // repacked source: 9.7.4+dfsg
	return version
}

func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}

func majorMinor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// tags returns the tags that the stock image of a version has: the version and its shorter forms. A
// stand-in has the long one only, which no stock image has.
func tags(version string) []string {
	if IsStandIn(version) {
		return []string{version}
	}
	all := []string{version}
	for _, tag := range []string{majorMinor(version), major(version)} {
		if tag != all[len(all)-1] {
			all = append(all, tag)
		}
	}
	return all
}
