// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "abc", `'abc'`},
		{"empty", "", `''`},
		{"a quote cannot end it", `a'b`, `'a\'b'`},
		{"a backslash cannot escape its end", `a\`, `'a\\'`},
		{"it is one line", "a\r\nb", `'a\r\nb'`},
		{"NUL and the end of files of old", "\x00\x1a", `'\0\Z'`},
		{"wildcards stay as they are, with their backslashes doubled", `a%\_b`, `'a%\\_b'`},
		{"other bytes pass", "ü\xff\"`;", "'ü\xff\"`;'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := literal(tc.in); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// lex reads one string literal as the server does (get_text in sql_lex.cc) and
// returns its value and what follows.
func lex(s string) (value, rest string, err error) {
	if s == "" || s[0] != '\'' {
		return "", "", fmt.Errorf("no literal: %q", s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case 0, '\n', '\r':
			return "", "", fmt.Errorf("byte %d of %q ends a line of an init file", i, s)
		case '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("not ended: %q", s)
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case 'b':
				b.WriteByte('\b')
			case '0':
				b.WriteByte(0)
			case 'Z':
				b.WriteByte(0x1a)
			case '_', '%':
				b.WriteByte('\\')
				b.WriteByte(s[i])
			default:
				b.WriteByte(s[i])
			}
		case '\'':
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
	for _, s := range []string{"", "'", `\`, `\'`, `\%`, "a\nb", "\x00", "\x1a", "ü", "\xff'", "''"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, user, host string) {
		const after = " IDENTIFIED BY 'x'"
		gotUser, rest, err := lex(accountName(user, host) + after)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(rest, "@") {
			t.Fatalf("after the user: %q", rest)
		}
		gotHost, rest, err := lex(rest[1:])
		if err != nil {
			t.Fatal(err)
		}
		if gotUser != user || gotHost != host || rest != after {
			t.Fatalf("%q, %q came back as %q, %q, %q", user, host, gotUser, gotHost, rest)
		}
	})
}
