// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import "strings"

// literal writes s as a string constant, on one line. It is right in every
// setting of standard_conforming_strings: where escapes are needed the constant
// says so. The client encoding must be UTF8, in which no byte of a longer
// character is a quote or a backslash. s has no NUL, which no PostgreSQL string
// can hold.
func literal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 4)
	if strings.ContainsAny(s, "\\\n\r") {
		// The space keeps the E from what stands before it.
		b.WriteString(" E")
	}
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\'':
			b.WriteString("''")
		case '\\':
			b.WriteString(`\\`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// identifier writes s as a quoted identifier.
func identifier(s string) string {
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
