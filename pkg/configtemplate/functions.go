// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
)

// payFunction is the meter's function; see parseTemplate.
const payFunction = "_pay"

// functions of the template language. docs/configuration.md describes them; keep
// it in step. Functions of text/template that make strings are replaced by
// counted ones, or refused where a configuration has no use for them.
func functions(syntax syntax, b *budget) texttemplate.FuncMap {
	f := funcs{syntax: syntax, budget: b}
	return texttemplate.FuncMap{
		payFunction: b.pay,

		"add": fold(addInt), "sub": two(subInt), "mul": fold(mulInt), "div": two(divInt),
		"min":       fold(func(x, y int64) (int64, error) { return min(x, y), nil }),
		"max":       fold(func(x, y int64) (int64, error) { return max(x, y), nil }),
		"percent":   percent,
		"roundDown": roundDown,
		"int":       toInt,
		"size":      toSize,
		"MB":        func(n any) (string, error) { return inUnit(n, 20, "MB") },
		"M":         func(n any) (string, error) { return inUnit(n, 20, "M") },

		"default": defaultTo,
		"has":     has,
		"fail":    fail,

		"quote":    f.quote,
		"option":   f.option,
		"options":  f.options,
		"join":     f.join,
		"lower":    f.lower,
		"upper":    f.upper,
		"contains": f.contains,
		"semver":   semver,

		"print":    f.print,
		"printf":   f.printf,
		"println":  refused("println"),
		"html":     refused("html"),
		"js":       refused("js"),
		"urlquery": refused("urlquery"),
		"call":     refused("call"),
	}
}

// funcs are the functions that know the syntax or count strings.
type funcs struct {
	syntax syntax
	budget *budget
}

func refused(name string) func(...any) (string, error) {
	return func(...any) (string, error) {
		return "", fmt.Errorf("%s is not available in configuration templates", name)
	}
}

func fold(op func(x, y int64) (int64, error)) func(first any, rest ...any) (int64, error) {
	return func(first any, rest ...any) (int64, error) {
		result, err := toInt(first)
		if err != nil {
			return 0, err
		}
		for _, r := range rest {
			n, err := toInt(r)
			if err != nil {
				return 0, err
			}
			if result, err = op(result, n); err != nil {
				return 0, err
			}
		}
		return result, nil
	}
}

func two(op func(x, y int64) (int64, error)) func(x, y any) (int64, error) {
	return func(x, y any) (int64, error) { return fold(op)(x, y) }
}

var errOverflow = errors.New("the result does not fit into 64 bits")

func addInt(x, y int64) (int64, error) {
	sum := x + y
	if (sum > x) != (y > 0) && y != 0 {
		return 0, errOverflow
	}
	return sum, nil
}

func subInt(x, y int64) (int64, error) {
	if y == math.MinInt64 {
		return 0, errOverflow
	}
	return addInt(x, -y)
}

func mulInt(x, y int64) (int64, error) {
	if x == 0 || y == 0 {
		return 0, nil
	}
	product := x * y
	if product/y != x || (x == -1 && y == math.MinInt64) || (y == -1 && x == math.MinInt64) {
		return 0, errOverflow
	}
	return product, nil
}

func divInt(x, y int64) (int64, error) {
	if y == 0 {
		return 0, errors.New("division by zero")
	}
	if x == math.MinInt64 && y == -1 {
		return 0, errOverflow
	}
	return x / y, nil
}

// percent of a number: {{ percent 25 .Memory }}.
func percent(p, of any) (int64, error) {
	whole, err := toInt(of)
	if err != nil {
		return 0, err
	}
	part, err := toInt(p)
	if err != nil {
		return 0, err
	}
	if whole > math.MaxInt64/10_000 || whole < 0 || part < 0 || part > 10_000 {
		return 0, fmt.Errorf("percent %d of %d: want 0 to 10000 percent of a size", part, whole)
	}
	return whole * part / 100, nil
}

// roundDown n to a multiple of step: {{ roundDown $step $n }}.
func roundDown(step, n any) (int64, error) {
	s, err := toInt(step)
	if err != nil {
		return 0, err
	}
	x, err := toInt(n)
	if err != nil {
		return 0, err
	}
	if s < 1 || x < 0 {
		return 0, fmt.Errorf("roundDown %d %d: want a step above 0 and a number not below it", s, x)
	}
	return x - x%s, nil
}

// toInt reads whole numbers, also from text.
func toInt(v any) (int64, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case uint32:
		return int64(v), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is not a whole number", show(v))
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,18})([kKMGT]?)(i?[bB])?$`)

// toSize reads a size as people write it in option files, in PostgreSQL and in
// Kubernetes: 512M, 512MB, 512Mi are all 512 * 2^20.
func toSize(v any) (int64, error) {
	s, ok := v.(string)
	if !ok {
		return toInt(v)
	}
	s = strings.TrimSpace(s)
	m := sizePattern.FindStringSubmatch(strings.TrimSuffix(s, "i"))
	if m == nil {
		return 0, fmt.Errorf("%s is not a size such as 512M or 2Gi", show(v))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	shift := map[string]uint{"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}[m[2]]
	return mulInt(n, 1<<shift)
}

// inUnit writes a size in whole units, rounded down.
func inUnit(v any, shift uint, unit string) (string, error) {
	n, err := toSize(v)
	if err != nil {
		return "", err
	}
	if n < 0 {
		return "", fmt.Errorf("%d is not a size", n)
	}
	return strconv.FormatInt(n>>shift, 10) + unit, nil
}

// defaultTo gives d for a value that is empty: "", null or nothing. 0 and false
// are values. {{ .Values.size | default "1G" }}.
func defaultTo(d, v any) any {
	if v == nil || v == "" {
		return d
	}
	return v
}

// has says whether a mapping has a key: {{ if has .Values "size" }}.
func has(m any, key string) (bool, error) {
	switch m := m.(type) {
	case map[string]any:
		_, ok := m[key]
		return ok, nil
	case map[string]int32:
		_, ok := m[key]
		return ok, nil
	}
	return false, fmt.Errorf("has: %s is no mapping", show(m))
}

func fail(message string) (string, error) { return "", errors.New(message) }

// semver says whether a version satisfies an operator and another version:
// {{ if semver .Version "<" "8.0.26" }}.
func semver(version any, operator, other string) (bool, error) {
	var v Version
	switch version := version.(type) {
	case Version:
		v = version
	case string:
		var err error
		if v, err = ParseVersion(version); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("%s is not a version", show(version))
	}
	o, err := ParseVersion(other)
	if err != nil {
		return false, err
	}
	c := v.compare(o)
	switch operator {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case "=", "==":
		return c == 0, nil
	case "!=":
		return c != 0, nil
	case ">=":
		return c >= 0, nil
	case ">":
		return c > 0, nil
	}
	return false, fmt.Errorf("semver: operator %q: want <, <=, =, !=, >= or >", operator)
}

// maxArgs bounds the arguments of one call.
const maxArgs = 64

// scalar is the text of a value that is neither a list nor a mapping.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int32:
		return strconv.FormatInt(int64(v), 10), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint32:
		return strconv.FormatUint(uint64(v), 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case Version:
		return v.Full, nil
	}
	return "", fmt.Errorf("%s is neither a text nor a number nor a boolean", show(v))
}

// show names a value in an error, shortened.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		const shown = 64
		if len(v) > shown {
			return strconv.Quote(v[:shown]) + "..."
		}
		return strconv.Quote(v)
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	}
	text := fmt.Sprint(v)
	return text[:min(len(text), 64)]
}

func (f funcs) quote(v any) (string, error) {
	s, err := scalar(v)
	if err != nil {
		return "", err
	}
	if err := f.budget.handle(s); err != nil {
		return "", err
	}
	quoted, err := f.syntax.quote(s)
	if err != nil {
		return "", err
	}
	return f.budget.made(quoted)
}

// option writes one line, without its end: {{ option "port" .Port }}.
func (f funcs) option(name string, v any) (string, error) {
	if err := f.budget.handle(name); err != nil {
		return "", err
	}
	if !f.syntax.name.MatchString(name) {
		return "", fmt.Errorf("%s is not the name of an option", show(name))
	}
	value, err := f.value(v)
	if err != nil {
		return "", fmt.Errorf("option %s: %w", name, err)
	}
	return f.budget.made(name + f.syntax.assign + value)
}

// value writes a value as an option has it. A list is its elements joined by
// commas.
func (f funcs) value(v any) (string, error) {
	var text string
	switch v := v.(type) {
	case bool:
		text = f.syntax.boolean[v]
	case []any:
		joined, err := f.join(",", v)
		if err != nil {
			return "", err
		}
		text = joined
	default:
		s, err := scalar(v)
		if err != nil {
			return "", err
		}
		text = s
	}
	if f.syntax.bare != nil && f.syntax.bare.MatchString(text) {
		return text, nil
	}
	return f.quote(text)
}

// options writes a line for each entry of a mapping, sorted by name, and refuses
// the names that follow: {{ options .Values.options "port" "datadir" }}. Names
// are compared as the engine does, without case and with - for _.
func (f funcs) options(m map[string]any, owned ...string) (string, error) {
	refuse := make(map[string]bool, len(owned))
	for _, name := range owned {
		refuse[f.syntax.canonical(name)] = true
	}
	names := make([]string, 0, len(m))
	for name, v := range m {
		if v != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if _, err := f.budget.pay(1 + len(m) + len(owned)); err != nil {
		return "", err
	}
	lines := make([]string, 0, len(names))
	for _, name := range names {
		if refuse[f.syntax.canonical(name)] {
			return "", fmt.Errorf("option %s is set by the operator and cannot be among the options", name)
		}
		line, err := f.option(name, m[name])
		if err != nil {
			return "", err
		}
		lines = append(lines, f.syntax.indent+line)
	}
	return f.budget.made(strings.Join(lines, "\n"))
}

func (f funcs) join(separator string, list []any) (string, error) {
	if _, err := f.budget.pay(1 + len(list)); err != nil {
		return "", err
	}
	parts := make([]string, 0, len(list))
	for _, e := range list {
		s, err := scalar(e)
		if err != nil {
			return "", err
		}
		if err := f.budget.handle(separator, s); err != nil {
			return "", err
		}
		parts = append(parts, s)
	}
	return f.budget.made(strings.Join(parts, separator))
}

func (f funcs) lower(s string) (string, error) { return f.budget.made(strings.ToLower(s)) }

func (f funcs) upper(s string) (string, error) { return f.budget.made(strings.ToUpper(s)) }

func (f funcs) contains(part, s string) (bool, error) {
	if err := f.budget.handle(part, s); err != nil {
		return false, err
	}
	return strings.Contains(s, part), nil
}

// scalars of a call, counted.
func (f funcs) scalars(args []any) ([]any, error) {
	if len(args) > maxArgs {
		return nil, fmt.Errorf("more than %d arguments", maxArgs)
	}
	result := make([]any, 0, len(args))
	for _, arg := range args {
		s, err := scalar(arg)
		if err != nil {
			return nil, err
		}
		if err := f.budget.handle(s); err != nil {
			return nil, err
		}
		if v, ok := arg.(Version); ok {
			arg = v.Full
		}
		result = append(result, arg)
	}
	return result, nil
}

func (f funcs) print(args ...any) (string, error) {
	scalars, err := f.scalars(args)
	if err != nil {
		return "", err
	}
	return f.budget.made(fmt.Sprint(scalars...))
}

// verb is what printf takes: no width from an argument or above 99, no index, so
// that the result is hardly longer than format and arguments together.
var verb = regexp.MustCompile(`%([-+# 0]{0,4}[0-9]{0,2}(\.[0-9]{1,2})?[sdvqtxXfgeT]|%)`)

func (f funcs) printf(format string, args ...any) (string, error) {
	if len(format) > maxArgs*64 {
		return "", errors.New("printf: the format is too long")
	}
	if rest := verb.ReplaceAllString(format, ""); strings.Contains(rest, "%") {
		return "", fmt.Errorf("printf: %s has a verb other than a plain %%s, %%d, %%v, %%q, %%t, %%x, %%f, %%g, %%e", show(format))
	}
	scalars, err := f.scalars(args)
	if err != nil {
		return "", err
	}
	return f.budget.made(fmt.Sprintf(format, scalars...))
}
