// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// shortest is the length of a value that does not occur by chance.
const shortest = 8

// Secrets are values to look for.
type Secrets struct {
	mu sync.Mutex
	// names by what is looked for.
	names map[string]string
	short []string
}

// Add a secret by a name to be shown instead of it. Of private keys in PEM the lines
// are looked for, since logs are lines; certificates are no secrets.
func (s *Secrets) Add(name string, value []byte) {
	switch {
	case bytes.Contains(value, []byte("PRIVATE KEY-----")):
		for line := range strings.Lines(string(value)) {
			if line = strings.TrimSpace(line); len(line) >= 40 && !strings.HasPrefix(line, "-----") {
				s.add(name, line)
			}
		}
	case bytes.HasPrefix(bytes.TrimSpace(value), []byte("-----BEGIN CERTIFICATE")):
	case len(value) < shortest:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.short = append(s.short, name)
	default:
		s.add(name, forms(value)...)
	}
}

// AddWord adds a password that is an ordinary word: it is one only where it is given
// to somebody.
func (s *Secrets) AddWord(name, word string) {
	s.add(name, "'"+word+"'", "="+word, ":"+word+"@", "-p"+word)
}

// Len is the number of secrets.
func (s *Secrets) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	distinct := map[string]bool{}
	for _, name := range s.names {
		distinct[name] = true
	}
	return len(distinct)
}

// Short are the names of values that are too short to be looked for.
func (s *Secrets) Short() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.short...)
}

func (s *Secrets) add(name string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]string{}
	}
	for _, value := range values {
		if _, known := s.names[value]; !known {
			s.names[value] = name
		}
	}
}

// forms in which programs write a value.
func forms(value []byte) []string {
	plain := string(value)
	out := []string{
		base64.StdEncoding.EncodeToString(value), base64.RawStdEncoding.EncodeToString(value), base64.URLEncoding.EncodeToString(value),
		hex.EncodeToString(value), strings.ToUpper(hex.EncodeToString(value)),
		url.QueryEscape(plain), url.PathEscape(plain),
	}
	sql := []string{
		plain,
		strings.ReplaceAll(plain, "'", "''"),
		strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(plain),
		strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "'", "\\'").Replace(plain),
	}
	for _, text := range sql {
		// What quotes it may be quoted once more, as a statement in a log line is.
		once := quoted(text)
		out = append(out, text)
		out = append(out, once...)
		for _, again := range once {
			out = append(out, quoted(again)...)
		}
	}
	return out
}

// quoted as a string of Go or JSON, without the quotes around.
func quoted(text string) []string {
	out := []string{strconv.Quote(text)}
	if raw, err := json.Marshal(text); err == nil {
		out = append(out, string(raw))
	}
	for i, q := range out {
		out[i] = q[1 : len(q)-1]
	}
	return out
}
