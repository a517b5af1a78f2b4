// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func input(template string, values ...map[string]any) Input {
	in := Input{
		Type:  "mysql",
		Files: map[string]string{"mysql": template},
		Facts: Facts{
			Unit:    Unit{Name: "m-0", Namespace: "ns", Set: "m", Host: "m-0.m-headless-svc.ns", ServerID: 7},
			Version: Version{Full: "8.0.41", Major: 8, Patch: 41, Parts: 3},
			Memory:  4 << 30,
			Port:    3306,
			Ports:   map[string]int32{"mysql": 3306},
		},
	}
	for i, v := range values {
		in.Values = append(in.Values, Layer{Name: "layer " + string(rune('0'+i)), Values: v})
	}
	return in
}

func TestRender(t *testing.T) {
	for name, tc := range map[string]struct {
		in   Input
		want map[string]string
	}{
		"facts, values and functions": {
			input(`port={{ .Port }} id={{ .Unit.ServerID }} {{ percent 50 .Memory | M }} {{ .Values.a | default "x" }}`,
				map[string]any{"a": "y"}),
			map[string]string{"my.cnf": "port=3306 id=7 2048M y"},
		},
		"a later layer wins, maps are merged, null removes": {
			input(`{{ options .Values.options }}`,
				map[string]any{"options": map[string]any{"a": int64(1), "b": int64(2), "c": int64(3)}},
				map[string]any{"options": map[string]any{"b": true, "c": nil, "d": "x y"}}),
			map[string]string{"my.cnf": "a = 1\nb = ON\nd = \"x y\""},
		},
		"further keys are further files": {
			Input{Type: "postgresql", Files: map[string]string{"postgresql": "a", "pg_hba.conf": "b", "empty.conf": ""}},
			map[string]string{"postgresql.conf": "a", "pg_hba.conf": "b", "empty.conf": ""},
		},
		"versions are compared as numbers": {
			input(`{{ .Version.AtLeast "8.0.9" }} {{ .Version.AtLeast "8.1" }} {{ semver .Version "<" "8.4" }} {{ semver "9.7" ">=" "10" }}`),
			map[string]string{"my.cnf": "true false true false"},
		},
		"templates may call others of their file": {
			input(`{{ define "twice" }}{{ . }}{{ . }}{{ end }}{{ template "twice" "ab" }}{{ range $i := 3 }}{{ template "twice" $i }}{{ end }}`),
			map[string]string{"my.cnf": "abab001122"},
		},
		"arithmetic": {
			input(`{{ add 1 2 3 }} {{ sub 5 7 }} {{ mul 2 "3" }} {{ div 7 2 }} {{ min 3 1 2 }} {{ max 3 1 2 }} {{ roundDown 128 300 }} {{ size "2Gi" }} {{ size "512MB" }} {{ size "1G" | MB }} {{ int "12" }}`),
			map[string]string{"my.cnf": "6 -2 6 3 1 3 256 2147483648 536870912 1024MB 12"},
		},
		"texts": {
			input(`{{ quote "a\"b\\c\nd" }} {{ join "," .Values.list }} {{ upper "a" }}{{ lower "B" }} {{ contains "b" "abc" }} {{ printf "%05.1f|%s|%x" 2.5 .Version 255 }} {{ print 1 "a" }}`,
				map[string]any{"list": []any{"a", int64(1), true}}),
			map[string]string{"my.cnf": `"a\"b\\c\nd" a,1,true Ab true 002.5|8.0.41|ff 1a`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Render(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, content := range out.Files {
				got[name] = string(content)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			again, err := Render(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(out, again); diff != "" {
				t.Errorf("the second rendering differs:\n%s", diff)
			}
			if len(out.Hash) != 32 {
				t.Errorf("hash %q: want 32 digits", out.Hash)
			}
		})
	}
}

func TestRenderErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		in   Input
		want []string
	}{
		"a missing value names file, line and key": {
			input("a\nb = {{ .Values.max_connections }}"), []string{"mysql:2", `there is no value "max_connections"`},
		},
		"a fact that does not exist": {
			input("{{ .Memroy }}"), []string{"mysql:1", "Memroy"},
		},
		"a template that does not parse names its line": {
			input("a\n\n{{ if }}"), []string{"mysql:3", "missing value for if"},
		},
		"the main file's key is missing": {
			Input{Type: "mysql", Files: map[string]string{"my.cnf": ""}}, []string{"key mysql is missing"},
		},
		"the main file's name is taken": {
			Input{Type: "mysql", Files: map[string]string{"mysql": "", "my.cnf": ""}}, []string{"belongs in the key mysql"},
		},
		"a key that is no file name": {
			Input{Type: "mysql", Files: map[string]string{"mysql": "", "..": ""}}, []string{`".."`},
		},
		"an unknown type": {
			Input{Type: "oracle"}, []string{`"oracle"`},
		},
		"an option of the operator's": {
			input(`{{ options .Values.options "server_id" }}`, map[string]any{"options": map[string]any{"Loose-Server-ID": int64(1)}}),
			[]string{"Loose-Server-ID", "set by the operator"},
		},
		"an option's name with a line end": {
			input(`{{ options .Values.options }}`, map[string]any{"options": map[string]any{"a\nb": int64(1)}}),
			[]string{"not the name of an option"},
		},
		"a value with a control character": {
			input(`{{ option "a" .Values.a }}`, map[string]any{"a": "x\x00y"}), []string{"control character"},
		},
		"a mapping as a value": {
			input(`{{ option "a" .Values.a }}`, map[string]any{"a": map[string]any{}}), []string{"option a", "a mapping"},
		},
		"fail": {
			input(`{{ fail "choose a size" }}`), []string{"choose a size", "mysql:1"},
		},
		"division by zero":           {input(`{{ div 1 0 }}`), []string{"division by zero"}},
		"overflow":                   {input(`{{ mul 4611686018427387904 4 }}`), []string{"64 bits"}},
		"a text that is no number":   {input(`{{ add "1x" 1 }}`), []string{`"1x"`, "whole number"}},
		"a text that is no size":     {input(`{{ size "12 parsecs" }}`), []string{"not a size"}},
		"a layer with a huge value":  {input(``, nil, map[string]any{"a": map[string]any{"b": strings.Repeat("x", maxValueString+1)}}), []string{"layer 1", ".a.b"}},
		"html is no function":        {input(`{{ html "a" }}`), []string{"not available"}},
		"an operator that is none":   {input(`{{ semver .Version "~" "8" }}`), []string{`"~"`}},
		"the meter is not for users": {input(`{{ _pay 0 }}`), []string{"not for use"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Render(tc.in)
			if err == nil {
				t.Fatalf("rendered %q", out.Files)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// A user's template must neither hang nor exhaust the operator.
func TestRenderIsBounded(t *testing.T) {
	many := map[string]any{}
	for i := range maxValues - 1 {
		many[fmt.Sprintf("k%d", i)] = int64(i)
	}
	exponential := `{{ define "t0" }}{{ end }}`
	for i := range 60 {
		exponential += fmt.Sprintf(`{{ define "t%d" }}{{ template "t%d" }}{{ template "t%d" }}{{ end }}`, i+1, i, i)
	}
	exponential += `{{ template "t60" }}`
	for name, source := range map[string]string{
		"an endless loop":                      `{{ range 9000000000000000000 }}{{ end }}`,
		"nested loops":                         `{{ range 100000 }}{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}{{ end }}`,
		"a loop over many mappings":            `{{ range 1000 }}{{ range $.Values }}{{ end }}{{ end }}`,
		"a loop left at once":                  `{{ range 100000 }}{{ range $.Values }}{{ break }}{{ end }}{{ end }}`,
		"a template that includes itself":      `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`,
		"two that include each other":          `{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ if 1 }}{{ else }}{{ range 3 }}{{ template "a" }}{{ end }}{{ end }}{{ end }}`,
		"the file that includes itself":        `{{ template "mysql" . }}`,
		"templates that double":                exponential,
		"a text that doubles":                  `{{ $x := "0123456789" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`,
		"a text that doubles in quotes":        `{{ $x := "\\" }}{{ range 60 }}{{ $x = quote $x }}{{ end }}`,
		"a width":                              `{{ $x := printf "%1000000d" 1 }}`,
		"a width from an argument":             `{{ $x := printf "%*d" 1000000 1 }}`,
		"an argument many times":               `{{ $x := printf "%[1]s%[1]s%[1]s%[1]s" "a" }}`,
		"a long file":                          strings.Repeat("x", maxSource+1),
		"much output":                          `{{ range 100000 }}0123456789{{ end }}`,
		"much output of values":                `{{ range 10000 }}{{ $.Values }}{{ end }}`,
		"many lists of options":                `{{ range 10000 }}{{ $x := options $.Values }}{{ end }}`,
		"deep parentheses":                     `{{ ` + strings.Repeat("(", 60_000) + `1` + strings.Repeat(")", 60_000) + ` }}`,
		"an unclosed nesting":                  strings.Repeat(`{{if 1}}`, 16_000),
		"a loop through many idle assignments": `{{ $x := 1 }}{{ range 1000000 }}` + strings.Repeat(`{{$x = 1}}`, 10_000) + `{{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			started := worked(t)
			_, err := Render(input(source, many))
			if err == nil {
				t.Fatal("rendered")
			}
			if took := worked(t) - started; took > 10*time.Second {
				t.Errorf("took %s to refuse", took)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
}

// worked is the time that processors gave this test's process: what else they do does
// not count.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestRenderNamesTheLimit(t *testing.T) {
	for source, want := range map[string]error{
		`{{ range 100000 }}0123456789{{ end }}`: ErrOutputTooLarge,
		`{{ range 100000000 }}{{ end }}`:        ErrTooMuchWork,
	} {
		_, err := Render(input(source))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "template mysql") {
			t.Errorf("%s: error %v: want %v", source, err, want)
		}
	}
}

func TestHash(t *testing.T) {
	hash := func(files map[string]string) string {
		in := input("")
		in.Files = files
		out, err := Render(in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Hash
	}
	base := hash(map[string]string{"mysql": "a", "b": "c"})
	for name, files := range map[string]map[string]string{
		"other content":                 {"mysql": "a", "b": "d"},
		"another name":                  {"mysql": "a", "d": "c"},
		"content moved between files":   {"mysql": "ac", "b": ""},
		"one file less":                 {"mysql": "a"},
		"content that looks like names": {"mysql": "a", "b": "c", "c": ""},
	} {
		if hash(files) == base {
			t.Errorf("%s: the same hash", name)
		}
	}
	if hash(map[string]string{"mysql": `{{ "a" }}`, "b": "c"}) != base {
		t.Error("the hash depends on more than the output")
	}
}

func TestServerID(t *testing.T) {
	if a, b := ServerID("a"), ServerID("b"); a == b || a == 0 {
		t.Errorf("ServerID: %d and %d", a, b)
	}
	if ServerID("a") != ServerID("a") {
		t.Error("ServerID changes")
	}
}
