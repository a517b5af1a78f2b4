// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"slices"
	"strconv"
	"strings"
)

// Method by which a server chooses whom it waits for.
type Method string

const (
	// Any so many of the standbys, whichever are first to answer.
	Any Method = "ANY"
	// First so many in the order of the list.
	First Method = "FIRST"
)

// Everybody in a list stands for all standbys.
const Everybody = "*"

// Sync is synchronous_standby_names. The zero value is the empty setting: commits wait for
// nobody.
type Sync struct {
	Method Method
	// Wait for so many of Names, the application names of standbys.
	Wait  int
	Names []string
}

// Quorum of units for which a server waits. It is never less than was asked for: with
// fewer units than that, or with none, commits wait. self is in the list then, under whose
// name nobody receives from it.
func Quorum(self string, wait int, units []string) Sync {
	s := Sync{Method: Any, Wait: max(wait, 1)}
	for _, unit := range units {
		s.Names = append(s.Names, ApplicationName(unit))
	}
	if len(s.Names) == 0 {
		s.Names = []string{ApplicationName(self)}
	}
	return s
}

// IsZero reports whether commits wait for nobody.
func (s Sync) IsZero() bool { return s.Wait == 0 && len(s.Names) == 0 }

// String is the setting. All names are quoted: a dash, a first digit or the word any would
// mean something else.
func (s Sync) String() string {
	if s.IsZero() {
		return ""
	}
	names := make([]string, 0, len(s.Names))
	for _, n := range s.Names {
		names = append(names, QuoteIdentifier(n))
	}
	return string(s.Method) + " " + strconv.Itoa(s.Wait) + " (" + strings.Join(names, ",") + ")"
}

// QuoteIdentifier writes a name so that it stands for itself.
func QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Has reports whether a standby of that application name is waited for. The server
// does not regard the case of ASCII letters.
func (s Sync) Has(application string) bool {
	return slices.ContainsFunc(s.Names, func(n string) bool { return n == Everybody || foldASCII(n) == foldASCII(application) })
}

// Equal reports whether both wait for as many of the same standbys, by the same method.
// The order of names matters to First only.
func (s Sync) Equal(o Sync) bool {
	if s.Method != o.Method || s.Wait != o.Wait {
		return false
	}
	mine, other := folded(s.Names), folded(o.Names)
	if s.Method == Any {
		slices.Sort(mine)
		slices.Sort(other)
		mine, other = slices.Compact(mine), slices.Compact(other)
	}
	return slices.Equal(mine, other)
}

func folded(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, foldASCII(n))
	}
	return out
}

// foldASCII is strings.ToLower for ASCII only.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
