// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"math/big"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/operation"
)

// forms are the ways to write a value in SET, the likeliest for a variable that has
// the value current first. In an option file everything is text; SET wants integers
// for integers, and says so (1232) without saying what it wants.
func forms(v operation.Value, current string) []string {
	text := strings.TrimSpace(v.Text)
	number, isNumber := asNumber(text)
	quoted := mysql.Literal(v.Text)
	var out []string
	if on, ok := asSwitch(text); ok && isSwitch(current) {
		out = append(out, on)
	}
	_, wasNumber := asNumber(current)
	switch {
	case isNumber && wasNumber:
		out = append(out, number, quoted)
	case isNumber:
		out = append(out, quoted, number)
	default:
		out = append(out, quoted)
		if on, ok := asSwitch(text); ok {
			out = append(out, on)
		}
	}
	return out
}

// same is true if the variable has the value already.
func same(v operation.Value, current string) bool {
	text := strings.TrimSpace(v.Text)
	if on, ok := asSwitch(text); ok && isSwitch(current) {
		return on == strings.ToUpper(current)
	}
	a, isNumber := asNumber(text)
	b, wasNumber := asNumber(current)
	if isNumber && wasNumber {
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		return x != nil && y != nil && x.Cmp(y) == 0
	}
	return strings.EqualFold(v.Text, current)
}

func isSwitch(s string) bool { return strings.EqualFold(s, "ON") || strings.EqualFold(s, "OFF") }

// asSwitch reads what option files take for a boolean.
func asSwitch(s string) (string, bool) {
	switch strings.ToUpper(s) {
	case "ON", "TRUE", "1":
		return "ON", true
	case "OFF", "FALSE", "0":
		return "OFF", true
	}
	return "", false
}

const suffixes = "KMGTPE"

// asNumber is a number as SQL has it: integers may have a suffix in option files,
// JSON may have written them with an exponent.
func asNumber(s string) (string, bool) {
	if s == "" || strings.ContainsAny(s, "/_xXpP") && !strings.HasSuffix(strings.ToUpper(s), "P") {
		return "", false
	}
	shift := 0
	if i := strings.IndexByte(suffixes, upper(s[len(s)-1])); i >= 0 && len(s) > 1 {
		shift, s = 10*(i+1), s[:len(s)-1]
		if strings.ContainsAny(s, ".eE") {
			return "", false
		}
	}
	if !strings.ContainsAny(s[:1], "0123456789+-.") || len(s) > 64 {
		return "", false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 4 {
		// An exponent of four digits is no number anybody means.
		return "", false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(shift))))
	if r.IsInt() {
		return r.Num().String(), true
	}
	return strings.TrimRight(r.FloatString(18), "0"), true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
