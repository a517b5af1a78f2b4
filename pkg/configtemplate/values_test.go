// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]Version{
		"8.0.41":             {Full: "8.0.41", Major: 8, Patch: 41, Parts: 3},
		"15.12":              {Full: "15.12", Major: 15, Minor: 12, Parts: 2},
		"17":                 {Full: "17", Major: 17, Parts: 1},
		"8.4.6-oraclelinux9": {Full: "8.4.6-oraclelinux9", Major: 8, Minor: 4, Patch: 6, Parts: 3},
	} {
		got, err := ParseVersion(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{"", "latest", "8.", ".8", "8.0.41.2", "8..1", "-1", "8.0-", "99999999999.1", "+8", "8. 1"} {
		if v, err := ParseVersion(in); err == nil {
			t.Errorf("%q was read as %+v", in, v)
		}
	}
}

func TestParseValues(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want map[string]any
	}{
		"nothing":           {"", map[string]any{}},
		"only a comment":    {"# none\n", map[string]any{}},
		"null":              {"null", map[string]any{}},
		"numbers and texts": {"a: 500\nb: 0.9\nc: 2G\nd: \"12\"\ne: 1e3\n", map[string]any{"a": int64(500), "b": 0.9, "c": "2G", "d": "12", "e": int64(1000)}},
		"booleans":          {"a: ON\nb: false\n", map[string]any{"a": true, "b": false}},
		"nested":            {"a: {b: [1, x]}\nc: null\n", map[string]any{"a": map[string]any{"b": []any{int64(1), "x"}}, "c": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseValues(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for name, in := range map[string]string{
		"a list":          "- a",
		"a text":          "hello",
		"no YAML":         "a: [",
		"a key twice":     "a: 1\na: 2",
		"a tab as indent": "a:\n\tb: 1",
	} {
		if got, err := ParseValues(in); err == nil {
			t.Errorf("%s was read as %v", name, got)
		}
	}
}

func TestMergeChangesNoLayer(t *testing.T) {
	base := map[string]any{"o": map[string]any{"a": int64(1)}}
	over := map[string]any{"o": map[string]any{"b": int64(2)}}
	merged, err := mergeLayers([]Layer{{Name: "base", Values: base}, {Name: "over", Values: over}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"o": map[string]any{"a": int64(1), "b": int64(2)}}
	if diff := cmp.Diff(want, merged); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"o": map[string]any{"a": int64(1)}}, base); diff != "" {
		t.Errorf("the first layer changed:\n%s", diff)
	}
}

// Values of a revision come back from JSON, where every number is a float64.
func TestRenderDoesNotDependOnTheKindOfNumbers(t *testing.T) {
	const template = `{{ if gt .Values.a 1 }}{{ options .Values.o }} {{ mul .Values.a 2 }} {{ .Values.a }} {{ .Values.f }}{{ end }}`
	fromYAML, err := ParseValues("a: 200000000\nf: 0.5\no: {x: 12345678901, list: [1, 2.5]}\n")
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON map[string]any
	if err := json.Unmarshal(content, &fromJSON); err != nil {
		t.Fatal(err)
	}
	const want = "list = 1,2.5\nx = 12345678901 400000000 200000000 0.5"
	for name, values := range map[string]map[string]any{"YAML": fromYAML, "JSON": fromJSON} {
		out, err := Render(input(template, values))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, string(out.Files["my.cnf"])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, ok := fromJSON["a"].(float64); !ok {
		t.Error("rendering changed its input")
	}
}

func TestOptionsBySyntax(t *testing.T) {
	values := map[string]any{
		"flag": true, "off": false, "number": int64(5), "ratio": 0.9, "word": "replica",
		"path": "/var/log/x", "spaces": "a b", "quotes": `it's "x"\y`, "hash": "a#b", "list": []any{"a", "b"}, "empty": "", "gone": nil,
	}
	for unitType, want := range map[string]string{
		"mysql": `empty = 
flag = ON
hash = "a#b"
list = a,b
number = 5
off = OFF
path = /var/log/x
quotes = "it's \"x\"\\y"
ratio = 0.9
spaces = "a b"
word = replica`,
		"postgresql": `empty = ''
flag = on
hash = 'a#b'
list = 'a,b'
number = 5
off = off
path = '/var/log/x'
quotes = 'it''s "x"\\y'
ratio = 0.9
spaces = 'a b'
word = replica`,
		"proxysql": `	empty = ""
	flag = "true"
	hash = "a#b"
	list = "a,b"
	number = "5"
	off = "false"
	path = "/var/log/x"
	quotes = "it's \"x\"\\y"
	ratio = "0.9"
	spaces = "a b"
	word = "replica"`,
	} {
		out, err := Render(Input{
			Type:   unitType,
			Files:  map[string]string{unitType: `{{ options .Values }}`},
			Values: []Layer{{Name: "values", Values: values}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(out.Files[MainFile(unitType)])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", unitType, diff)
		}
	}
}
