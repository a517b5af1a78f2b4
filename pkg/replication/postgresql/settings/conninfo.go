// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"errors"
	"fmt"
	"strings"
)

// Conninfo is a connection string of the form name=value, such as primary_conninfo.
type Conninfo []Parameter

// Parameter of a connection.
type Parameter struct{ Name, Value string }

// String quotes every value: a space would end it, and an empty one would be the next
// parameter. No value can have a byte 0.
func (c Conninfo) String() string {
	var b strings.Builder
	for _, p := range c {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.Name + "=" + QuoteConninfo(p.Value))
	}
	return b.String()
}

var conninfoEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// QuoteConninfo writes a value of a connection string.
func QuoteConninfo(value string) string { return "'" + conninfoEscapes.Replace(value) + "'" }

// Get the value of a parameter: the last that is given counts.
func (c Conninfo) Get(name string) (value string, ok bool) {
	for _, p := range c {
		if p.Name == name {
			value, ok = p.Value, true
		}
	}
	return value, ok
}

// MaxConninfoLength bounds what ParseConninfo accepts, in bytes.
const MaxConninfoLength = 1 << 20

// ParseConninfo reads a connection string as libpq does, which knows what names there are.
// No error quotes it: it may have a password.
func ParseConninfo(text string) (Conninfo, error) {
	if len(text) > MaxConninfoLength {
		return nil, fmt.Errorf("a connection string of %d bytes is longer than %d", len(text), MaxConninfoLength)
	}
	var c Conninfo
	for at := spaces(text, 0); at < len(text); at = spaces(text, at) {
		p, next, err := parameter(text, at)
		if err != nil {
			return nil, fmt.Errorf("no connection string: %w at byte %d", err, next)
		}
		c, at = append(c, p), next
	}
	return c, nil
}

// spaces steps over white space.
func spaces(text string, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\n\v\f\r", c) >= 0 }

// parameter at a byte, and what comes next.
func parameter(text string, at int) (p Parameter, next int, err error) {
	from := at
	for at < len(text) && text[at] != '=' && !isSpace(text[at]) {
		at++
	}
	p.Name = text[from:at]
	at = spaces(text, at)
	if at == len(text) || text[at] != '=' || p.Name == "" {
		return p, at, errors.New("want a name and =")
	}
	at = spaces(text, at+1)
	quoted := at < len(text) && text[at] == '\''
	if quoted {
		at++
	}
	var b strings.Builder
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case quoted && c == '\'':
			p.Value = b.String()
			return p, at + 1, nil
		case !quoted && isSpace(c):
			p.Value = b.String()
			return p, at, nil
		case c == '\\' && at+1 < len(text):
			at++
			b.WriteByte(text[at])
		case c == '\\':
			// One at the end escapes nothing, and is dropped.
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return p, at, errors.New("want the quote's end")
	}
	p.Value = b.String()
	return p, at, nil
}
