// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRender: whatever users write, a rendering ends, twice in the same way, and
// within its limits.
func FuzzRender(f *testing.F) {
	for _, seed := range []struct{ template, values string }{
		{"port = {{ .Port }}", ""},
		{"{{ options .Values.options \"port\" }}", "options: {a: 1, b: [x, y], c: \"a b\"}"},
		{"{{ range $k, $v := .Values }}{{ $k }}={{ $v }}\n{{ end }}", "a: 1\nb: {c: d}"},
		{"{{ define \"a\" }}{{ . }}{{ end }}{{ template \"a\" .Unit }}", ""},
		{"{{ with $x := percent 50 .Memory }}{{ $x | MB }}{{ end }}", ""},
		{"{{ printf \"%s-%d\" .Unit.Name 3 | quote }}{{ index .Values \"a\" }}", "a: '%1000000d'"},
		{"{{ range 10000000 }}{{ end }}", "x: null"},
		{"{{ if .Version.AtLeast \"8.0.26\" }}a{{ else }}b{{ end }}{{ .TLS.Required }}", ""},
		{"{{ slice .Unit.Host 0 3 }}{{ len .Values }}{{ and 1 0 }}{{ not true }}{{ eq 1 1 }}", ""},
	} {
		f.Add(seed.template, seed.values)
	}
	f.Fuzz(func(t *testing.T, template, text string) {
		in := input(template)
		in.Files["extra.conf"] = text
		values, err := ParseValues(text)
		if err == nil {
			in.Values = []Layer{{Name: "fuzz", Values: values}}
		}
		out, err := Render(in)
		again, errAgain := Render(in)
		if (err == nil) != (errAgain == nil) || (err != nil && err.Error() != errAgain.Error()) {
			t.Fatalf("once %v, then %v", err, errAgain)
		}
		if diff := cmp.Diff(out, again); diff != "" {
			t.Fatalf("differs:\n%s", diff)
		}
		size := 0
		for _, content := range out.Files {
			size += len(content)
		}
		if size > MaxOutput {
			t.Fatalf("%d bytes", size)
		}
	})
}
