// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodeJSON one value, numbers as they were written.
func decodeJSON(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// value of a key; there is false if it is absent or was refused.
func (a *args) value(key string) (v any, there bool) {
	raw, ok := a.raw[key]
	if !ok {
		return nil, false
	}
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		a.refuse(key, "is null; leave it out or give it a value")
		return nil, false
	}
	v, err := decodeJSON(raw)
	if err != nil {
		a.refuse(key, "is not JSON")
		return nil, false
	}
	return v, true
}

// asScalar of a JSON string, number or boolean.
func asScalar(v any) (Value, bool) {
	switch v := v.(type) {
	case string:
		return Value{Text: v, Kind: String}, true
	case json.Number:
		return Value{Text: v.String(), Kind: Number}, true
	case bool:
		return Value{Text: strconv.FormatBool(v), Kind: Bool}, true
	}
	return Value{}, false
}

// kindOf a JSON value, for people.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "null"
}

// scalar of a key as text, not empty and without control characters.
func (a *args) scalar(key, want string) (string, bool) {
	v, there := a.value(key)
	if !there {
		return "", false
	}
	s, ok := asScalar(v)
	switch {
	case !ok:
		a.refuse(key, "is %s; it wants %s", kindOf(v), want)
	case s.Text == "":
		a.refuse(key, "is empty; it wants %s", want)
	case !printable(s.Text):
		a.refuse(key, "holds control characters; it wants %s", want)
	default:
		return s.Text, true
	}
	return "", false
}

// text of a key that must be a JSON string.
func (a *args) text(key, want string, most int) (string, bool) {
	v, there := a.value(key)
	if !there {
		return "", false
	}
	if _, ok := v.(string); !ok {
		a.refuse(key, "is %s; it wants %s, in quotes", kindOf(v), want)
		return "", false
	}
	s, ok := a.scalar(key, want)
	if ok && len(s) > most {
		a.refuse(key, "is longer than %d bytes", most)
		return "", false
	}
	return s, ok
}

// printable says whether s is text without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) && !strings.ContainsRune(s, utf8.RuneError)
}

func (a *args) integer(key string, byDefault, least, most int) int {
	want := "an integer from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
	s, ok := a.scalar(key, want)
	if !ok {
		return byDefault
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most || strings.HasPrefix(s, "+") {
		a.refuse(key, "is %s; it wants %s", quote(s), want)
		return byDefault
	}
	return n
}

func (a *args) boolean(key string) bool {
	s, ok := a.scalar(key, "true or false")
	if ok && s != "true" && s != "false" {
		a.refuse(key, "is %s; it wants true or false", quote(s))
	}
	return s == "true"
}

// list of strings, each once.
func (a *args) list(key, want string, check func(string) string) []string {
	v, there := a.value(key)
	if !there {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		a.refuse(key, "is %s; it wants a list of %s", kindOf(v), want)
		return nil
	}
	if len(items) == 0 {
		a.refuse(key, "is an empty list; leave it out or name %s", want)
		return nil
	}
	const most = 1000
	if len(items) > most {
		a.refuse(key, "has more than %d entries", most)
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for i, item := range items {
		s, ok := item.(string)
		var why string
		switch {
		case !ok:
			why = "is " + kindOf(item) + "; it wants a string, in quotes"
		case s == "":
			why = "is empty"
		case !printable(s):
			why = "holds control characters"
		case seen[s]:
			why = "is there twice"
		default:
			why = check(s)
		}
		if why != "" {
			a.refuse(key+"["+strconv.Itoa(i)+"]", "%s", why)
			return nil
		}
		seen[s] = true
		out = append(out, s)
	}
	return out
}
