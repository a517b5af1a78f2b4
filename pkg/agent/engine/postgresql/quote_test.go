// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "abc", `'abc'`},
		{"empty", "", `''`},
		{"a quote cannot end it", `a'b`, `'a''b'`},
		{"a backslash makes it an escape string", `a\'`, ` E'a\\'''`},
		{"it is one line", "a;\r\n\nb", ` E'a;\r\n\nb'`},
		{"other characters pass", "ü\"$$`", "'ü\"$$`'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := literal(tc.in); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestIdentifier(t *testing.T) {
	for in, want := range map[string]string{"a": `"a"`, `a"b`: `"a""b"`, "Ü x": `"Ü x"`, `\`: `"\"`} {
		if got := identifier(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// lex reads one string constant as the server does (scan.l) and returns its value
// and what follows.
func lex(s string, standardConforming bool) (value, rest string, err error) {
	escapes := !standardConforming
	s = strings.TrimPrefix(s, " ")
	if strings.HasPrefix(s, "E'") {
		escapes = true
		s = s[1:]
	}
	if s == "" || s[0] != '\'' {
		return "", "", fmt.Errorf("no constant: %q", s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			return "", "", fmt.Errorf("a line ends in %q", s)
		case c == '\\' && escapes:
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("not ended: %q", s)
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case '\\', '\'':
				b.WriteByte(s[i])
			default:
				return "", "", fmt.Errorf("escape \\%c", s[i])
			}
		case c == '\'':
			if i+1 < len(s) && s[i+1] == '\'' {
				b.WriteByte('\'')
				i++
				continue
			}
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("not ended: %q", s)
}

func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"", "'", `\`, `\'`, "a\nb", ";\n\n", "ü", "\xff'", "''", " E'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, standardConforming := range []bool{true, false} {
			got, rest, err := lex(literal(s)+" VALID UNTIL 'x'", standardConforming)
			if err != nil || got != s || rest != " VALID UNTIL 'x'" {
				t.Fatalf("%q came back as %q, %q, %v", s, got, rest, err)
			}
		}
	})
}
