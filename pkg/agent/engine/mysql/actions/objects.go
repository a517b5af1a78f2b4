// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"slices"
	"strings"
)

// Kinds of objects in a database that hold no rows.
const (
	kindView      = "VIEW"
	kindTrigger   = "TRIGGER"
	kindProcedure = "PROCEDURE"
	kindFunction  = "FUNCTION"
	kindEvent     = "EVENT"
	kindLibrary   = "LIBRARY"
)

// programKinds are loaded after all tables, by their own names: they refer to tables
// and to one another.
var programKinds = []string{kindView, kindTrigger, kindProcedure, kindFunction, kindEvent, kindLibrary}

// object is what a statement of a dump is about.
type object struct{ verb, kind, name string }

// isProgram is true of a statement that makes or drops a view, trigger, routine or event.
func (o object) isProgram() bool {
	return (o.verb == "CREATE" || o.verb == "DROP") && slices.Contains(programKinds, o.kind)
}

func (o object) isDatabase() bool { return o.kind == "DATABASE" || o.kind == "SCHEMA" }

// objectOf a statement, by its beginning. The kind is the first word of a kind, since a
// definer, which may be called like one, is in quotes.
func objectOf(statement []byte) object {
	var o object
	for s := statement; len(s) > 0; {
		token, rest := nextToken(s)
		s = rest
		switch {
		case len(token) == 0:
		case token[0] == '`':
			if o.kind == "" && o.verb != "USE" {
				continue
			}
			o.name, _, _ = identifier(token)
			return o
		case !isWordByte(token[0]):
		case o.verb == "":
			o.verb = strings.ToUpper(string(token))
		case o.kind == "":
			if word := strings.ToUpper(string(token)); word == "TABLE" || word == "DATABASE" || word == "SCHEMA" || slices.Contains(programKinds, word) {
				o.kind = word
			}
		}
	}
	return o
}

// nextToken of a statement: a word, a quotation, or a byte of anything else; empty for
// blanks and what makes a comment one that the server obeys.
func nextToken(s []byte) (token, rest []byte) {
	switch c := s[0]; {
	case isSpace(c):
		return nil, s[1:]
	case bytes.HasPrefix(s, []byte("/*!")):
		n := 3
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		return nil, s[n:]
	case bytes.HasPrefix(s, []byte("*/")):
		return nil, s[2:]
	case bytes.HasPrefix(s, []byte("/*")):
		_, after, _ := bytes.Cut(s[2:], []byte("*/"))
		return nil, after
	case c == '\'' || c == '"' || c == '`':
		n := quotation(s)
		return s[:n], s[n:]
	case isWordByte(c):
		n := 1
		for n < len(s) && isWordByte(s[n]) {
			n++
		}
		return s[:n], s[n:]
	}
	return s[:1], s[1:]
}

// quotation is the length of the quotation that s begins with. Definitions of tables,
// as a server writes them, escape quotes by doubling them, and backslashes by another.
func quotation(s []byte) int {
	for n := 1; n < len(s); n++ {
		switch {
		case s[n] == '\\' && s[0] != '`':
			n++
		case s[n] == s[0] && n+1 < len(s) && s[n+1] == s[0]:
			n++
		case s[n] == s[0]:
			return n + 1
		}
	}
	return len(s)
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
