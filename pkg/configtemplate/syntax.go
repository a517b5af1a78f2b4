// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"errors"
	"regexp"
	"strings"
)

// syntax is how the main file of a type is written.
type syntax struct {
	// name is what an option may be called.
	name *regexp.Regexp
	// canonical is the one spelling of names that mean the same option.
	canonical func(string) string
	// indent stands before a line of options, assign between name and value.
	indent, assign string
	// boolean is how false and true are written.
	boolean map[bool]string
	// bare matches values that need no quotes; nil: all need them.
	bare *regexp.Regexp
	// quote writes a text between quotes.
	quote func(string) (string, error)
}

var optionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,127}$`)

var syntaxes = map[string]syntax{
	"mysql": {
		name: optionName,
		canonical: func(name string) string {
			name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
			return strings.TrimPrefix(name, "loose_")
		},
		assign:  " = ",
		boolean: map[bool]string{false: "OFF", true: "ON"},
		// No # (a comment), no quotes, no backslash (escapes are read without
		// quotes too), and an empty value needs none.
		bare:  regexp.MustCompile(`^[A-Za-z0-9_./:,;+=*%@-]*$`),
		quote: quoteMySQL,
	},
	"postgresql": {
		name:      optionName,
		canonical: strings.ToLower,
		assign:    " = ",
		boolean:   map[bool]string{false: "off", true: "on"},
		// A number with or without a unit, or a word.
		bare:  regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?[A-Za-z]{0,3}|[A-Za-z_][A-Za-z0-9_]*)$`),
		quote: quotePostgreSQL,
	},
	"proxysql": {
		name:      optionName,
		canonical: func(name string) string { return strings.ReplaceAll(name, "-", "_") },
		indent:    "\t",
		assign:    " = ",
		boolean:   map[bool]string{false: "false", true: "true"},
		// ProxySQL takes numbers and booleans between quotes, and libconfig's own
		// numbers end at 32 bits.
		quote: quoteLibconfig,
	},
}

var errControl = errors.New("a value with a control character cannot be written into a configuration file")

// control characters other than tab and the ends of lines, which have escapes.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return (r < 0x20 && r != '\t' && r != '\n' && r != '\r') || r == 0x7f
	})
}

// quoteMySQL: an option file's value between double quotes; backslash escapes.
func quoteMySQL(s string) (string, error) {
	if hasControl(s) {
		return "", errControl
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`, nil
}

// quotePostgreSQL: postgresql.conf doubles quotes and reads C's escapes.
func quotePostgreSQL(s string) (string, error) {
	if hasControl(s) {
		return "", errControl
	}
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `'`, nil
}

// quoteLibconfig: proxysql.cnf is read by libconfig.
func quoteLibconfig(s string) (string, error) {
	if hasControl(s) {
		return "", errControl
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`, nil
}
