// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"fmt"
	"strconv"
	"strings"
)

// Version of a server: up to three numbers and what an image's tag adds to them.
type Version struct {
	// Full is the version as it was given: 8.0.41, 15.12, 8.4.6-oraclelinux9.
	Full string
	// Major, Minor and Patch are its numbers; 0 for those it lacks.
	Major, Minor, Patch int
	// Parts is how many numbers it has, 1 to 3.
	Parts int
}

// maxVersionLength bounds what ParseVersion looks at.
const maxVersionLength = 64

// ParseVersion reads a version of one to three numbers joined by dots, with an
// optional suffix after -, + or _ that is not compared.
func ParseVersion(s string) (Version, error) {
	bad := func() (Version, error) {
		if len(s) > maxVersionLength {
			s = s[:maxVersionLength] + "..."
		}
		return Version{}, fmt.Errorf("version %q: want one to three numbers joined by dots, such as 8.0.41 or 15.12", s)
	}
	if len(s) > maxVersionLength {
		return bad()
	}
	v := Version{Full: s}
	numbers := s
	if i := strings.IndexAny(s, "-+_"); i >= 0 {
		if i == len(s)-1 {
			return bad()
		}
		numbers = s[:i]
	}
	for part := range strings.SplitSeq(numbers, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || v.Parts == 3 {
			return bad()
		}
		switch v.Parts {
		case 0:
			v.Major = int(n)
		case 1:
			v.Minor = int(n)
		case 2:
			v.Patch = int(n)
		}
		v.Parts++
	}
	return v, nil
}

// String is the version as it was given.
func (v Version) String() string { return v.Full }

// AtLeast says whether v is other or newer. Numbers that one of them lacks count
// as 0. Templates call it: {{ if .Version.AtLeast "8.0.26" }}.
func (v Version) AtLeast(other string) (bool, error) {
	o, err := ParseVersion(other)
	if err != nil {
		return false, err
	}
	return v.compare(o) >= 0, nil
}

func (v Version) compare(o Version) int {
	for _, d := range []int{v.Major - o.Major, v.Minor - o.Minor, v.Patch - o.Patch} {
		if d != 0 {
			return d
		}
	}
	return 0
}
