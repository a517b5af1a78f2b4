// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/postgresql"
	"github.com/upmio/unit-operator/pkg/operation"
)

// setting is a variable as pg_settings has it.
type setting struct {
	name    string
	kind    string // vartype: bool, integer, real, enum, string
	unit    string
	enum    []string
	context string
	current string
}

// quotedLists are the variables whose elements ALTER SYSTEM quotes one by one:
// GUC_LIST_QUOTE in the server's source, which it tells nobody (pg_dump has this same
// list).
var quotedLists = []string{
	"local_preload_libraries", "search_path", "session_preload_libraries",
	"shared_preload_libraries", "temp_tablespaces", "unix_socket_directories",
}

// memorySuffix of an option file of MySQL, which the document's examples have.
var memorySuffix = regexp.MustCompile(`^\s*(\d+)\s*([KkMmGgTt])\s*$`)

// text is a value as the server reads it.
func text(v operation.Value, s setting) string {
	switch s.kind {
	case "bool", "enum":
		lower := strings.ToLower(strings.TrimSpace(v.Text))
		// YAML has made a boolean of on and off.
		if word := map[string]string{"true": "on", "false": "off"}[lower]; word != "" && (s.kind == "bool" || slices.Contains(s.enum, word)) {
			return word
		}
	case "integer", "real":
		if m := memorySuffix.FindStringSubmatch(v.Text); m != nil && isMemory(s.unit) {
			return m[1] + map[string]string{"k": "kB", "m": "MB", "g": "GB", "t": "TB"}[strings.ToLower(m[2])]
		}
	}
	return v.Text
}

// isMemory is true of the units of bytes: B, kB, 8kB, 16MB.
func isMemory(unit string) bool { return strings.HasSuffix(unit, "B") }

// alter is the statement that sets a variable for this server and its next starts.
func alter(name, value string) (string, error) {
	v, err := written(name, value)
	return "ALTER SYSTEM SET " + identifier(name) + " = " + v, err
}

// written is a value as SET takes it.
func written(name, value string) (string, error) {
	if !slices.Contains(quotedLists, strings.ToLower(name)) {
		return postgresql.Literal(value), nil
	}
	elements, err := splitList(value)
	if err != nil {
		return "", err
	}
	if len(elements) == 0 {
		return "", errors.New("an empty list cannot be written by SET: the configuration can say it")
	}
	for i, e := range elements {
		elements[i] = postgresql.Literal(e)
	}
	return strings.Join(elements, ", "), nil
}

func reset(name string) string { return "ALTER SYSTEM RESET " + identifier(name) }

// identifier quotes each part of a variable's name: those of extensions have two.
func identifier(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = postgresql.Identifier(p)
	}
	return strings.Join(parts, ".")
}

// splitList reads a list as a configuration file has it: elements between commas, in
// double quotes where they need it.
func splitList(s string) ([]string, error) {
	var out []string
	rest := strings.TrimSpace(s)
	for rest != "" {
		var element string
		if strings.HasPrefix(rest, `"`) {
			var b strings.Builder
			i := 1
			for ; ; i++ {
				if i >= len(rest) {
					return nil, errors.New("a quote is not ended")
				}
				if rest[i] == '"' {
					if i+1 >= len(rest) || rest[i+1] != '"' {
						break
					}
					i++
				}
				b.WriteByte(rest[i])
			}
			element, rest = b.String(), strings.TrimSpace(rest[i+1:])
		} else {
			i := strings.IndexByte(rest, ',')
			if i < 0 {
				i = len(rest)
			}
			element, rest = strings.TrimSpace(rest[:i]), rest[i:]
		}
		if element == "" || (rest != "" && rest[0] != ',') {
			return nil, errors.New("not a list of names")
		}
		out = append(out, element)
		if rest != "" {
			if rest = strings.TrimSpace(rest[1:]); rest == "" {
				return nil, errors.New("the list ends in a comma")
			}
		}
	}
	return out, nil
}
