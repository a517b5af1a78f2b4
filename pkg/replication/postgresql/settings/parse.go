// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxSyncLength bounds what ParseSync accepts, in bytes.
const MaxSyncLength = 1 << 20

// ParseSync reads synchronous_standby_names as the server does: ANY n (...), FIRST n (...),
// n (...), which is FIRST, or a list, which is FIRST 1.
func ParseSync(text string) (Sync, error) {
	if len(text) > MaxSyncLength {
		return Sync{}, fmt.Errorf("synchronous_standby_names of %d bytes is longer than %d", len(text), MaxSyncLength)
	}
	if text == "" {
		return Sync{}, nil
	}
	tokens, err := scan(text)
	if err != nil {
		return Sync{}, fmt.Errorf("no synchronous_standby_names: %w", err)
	}
	s := Sync{Method: First, Wait: 1}
	switch open := (token{sign, "("}); {
	case tokens[0].kind == word && len(tokens) > 2 && tokens[1].kind == number && tokens[2] == open:
		s.Method = Method(tokens[0].text)
		s.Wait, tokens, err = counted(tokens[1:])
	case tokens[0].kind == number && len(tokens) > 1 && tokens[1] == open:
		s.Wait, tokens, err = counted(tokens)
	}
	if err == nil {
		s.Names, err = list(tokens)
	}
	if err != nil {
		return Sync{}, fmt.Errorf("no synchronous_standby_names: %w", err)
	}
	return s, nil
}

// counted reads n (...) and returns what is between the parentheses.
func counted(tokens []token) (n int, between []token, err error) {
	n, err = strconv.Atoi(tokens[0].text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, nil, errors.New("want a number of standbys above 0")
	}
	last := len(tokens) - 1
	if tokens[last] != (token{sign, ")"}) {
		return 0, nil, errors.New("want a closing parenthesis at the end")
	}
	return n, tokens[2:last], nil
}

// list reads names with commas between them.
func list(tokens []token) ([]string, error) {
	var names []string
	for i, t := range tokens {
		switch {
		case i%2 == 0 && (t.kind == name || t.kind == number):
			names = append(names, t.text)
		case i%2 == 1 && t == token{sign, ","}:
		default:
			return nil, fmt.Errorf("want names with commas between them, not %.40q there", t.text)
		}
	}
	if len(tokens)%2 == 0 {
		return nil, errors.New("want a name at the end")
	}
	return names, nil
}

// token of the setting.
type token struct {
	kind kind
	text string
}

type kind int

const (
	// name in quotes, an identifier, or *.
	name kind = iota
	// number, which is a name as well where a name may be.
	number
	// word ANY or FIRST in any case, which is no name without quotes.
	word
	// sign is a comma or a parenthesis.
	sign
)

// scan the tokens; there is at least one.
func scan(text string) (tokens []token, err error) {
	for at := 0; at < len(text); {
		switch c := text[at]; {
		case strings.IndexByte(" \t\n\r\f\v", c) >= 0:
			at++
		case c == ',' || c == '(' || c == ')':
			tokens = append(tokens, token{sign, text[at : at+1]})
			at++
		case c == '*':
			tokens = append(tokens, token{name, Everybody})
			at++
		case c == '"':
			quoted, length, ok := unquote(text[at:])
			if !ok {
				return nil, fmt.Errorf("the quote at byte %d has no end", at)
			}
			tokens = append(tokens, token{name, quoted})
			at += length
		case isDigit(c):
			length := span(text[at:], isDigit)
			tokens = append(tokens, token{number, text[at : at+length]})
			at += length
		case startsIdentifier(c):
			length := span(text[at:], func(c byte) bool { return startsIdentifier(c) || isDigit(c) || c == '$' })
			t := token{name, text[at : at+length]}
			if m := Method(strings.ToUpper(t.text)); m == Any || m == First {
				t = token{word, string(m)}
			}
			tokens = append(tokens, t)
			at += length
		default:
			return nil, fmt.Errorf("%q at byte %d stands in no name without quotes", c, at)
		}
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is nothing but white space")
	}
	return tokens, nil
}

// unquote what begins with a quote, in which two are one; length is what it takes.
func unquote(text string) (out string, length int, ok bool) {
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return strings.ReplaceAll(text[1:i], `""`, `"`), i + 1, true
	}
	return "", 0, false
}

// span is how many bytes are such ones.
func span(text string, such func(c byte) bool) int {
	n := 0
	for n < len(text) && such(text[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// startsIdentifier: a letter, an underscore, or a byte of a character beyond ASCII.
func startsIdentifier(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
