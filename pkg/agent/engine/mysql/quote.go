// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import "strings"

// literal writes s as a string literal. It is right where sql_mode has no
// NO_BACKSLASH_ESCAPES and character_set_client is utf8mb4 (in which no byte of
// a longer character is a quote or a backslash): session sets both. The result is
// on one line, as --init-file demands before 8.0.
func literal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; c {
		case 0:
			b.WriteString(`\0`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case 0x1a:
			b.WriteString(`\Z`)
		case '\\':
			b.WriteString(`\\`)
		case '\'':
			b.WriteString(`\'`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// accountName writes an account as 'user'@'host'.
func accountName(user, host string) string {
	return literal(user) + "@" + literal(host)
}

// session are the statements that make literal right and decide whether what
// follows is written to the binary log.
func session(binlog bool) []string {
	logged := "0"
	if binlog {
		logged = "1"
	}
	return []string{
		"SET SESSION sql_mode = ''",
		"SET NAMES utf8mb4",
		"SET SESSION sql_log_bin = " + logged,
	}
}
