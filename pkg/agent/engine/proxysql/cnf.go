// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"fmt"
	"strings"
)

// A configuration file of ProxySQL is libconfig: settings "name = value;", values
// being scalars, strings, groups {}, lists () and arrays [].

// token is a piece of a file, at file[start:end].
type token struct {
	kind       byte
	start, end int
}

// Kinds of tokens other than single characters of punctuation.
const (
	word = 'w'
	text = '"'
)

// tokens splits a file, leaving comments out.
func tokens(file string) ([]token, error) {
	var all []token
	for i := 0; i < len(file); {
		switch c := file[i]; {
		case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			i++
		case c == '#' || strings.HasPrefix(file[i:], "//"):
			for i < len(file) && file[i] != '\n' {
				i++
			}
		case strings.HasPrefix(file[i:], "/*"):
			j := strings.Index(file[i+2:], "*/")
			if j < 0 {
				return nil, fmt.Errorf("a comment is not ended")
			}
			i += 2 + j + 2
		case c == '"':
			j := i + 1
			for j < len(file) && file[j] != '"' {
				if file[j] == '\\' {
					j++
				}
				j++
			}
			if j >= len(file) {
				return nil, fmt.Errorf("a string is not ended")
			}
			all = append(all, token{text, i, j + 1})
			i = j + 1
		case strings.IndexByte("{}()[]=:;,", c) >= 0:
			all = append(all, token{c, i, i + 1})
			i++
		default:
			j := i
			for j < len(file) && strings.IndexByte(" \t\r\n\f\v\"{}()[]=:;,#", file[j]) < 0 && !strings.HasPrefix(file[j:], "//") && !strings.HasPrefix(file[j:], "/*") {
				j++
			}
			all = append(all, token{word, i, j})
			i = j
		}
	}
	return all, nil
}

// setting is a name with its value, as tokens [from, to).
type setting struct {
	name     string
	from, to int
}

// settings reads those of one level: tokens [i, to) of a group or of the file.
func settings(file string, all []token, i, to int) ([]setting, error) {
	var found []setting
	for i < to {
		switch {
		case all[i].kind == ';' || all[i].kind == ',':
			i++
			continue
		case all[i].kind == word && strings.HasPrefix(file[all[i].start:], "@include"):
			i += 2
			continue
		}
		if all[i].kind != word || i+2 >= to || (all[i+1].kind != '=' && all[i+1].kind != ':') {
			return nil, fmt.Errorf("no setting at %.20q", file[all[i].start:])
		}
		s := setting{name: file[all[i].start:all[i].end], from: i + 2}
		var err error
		if s.to, err = value(file, all, s.from, to); err != nil {
			return nil, err
		}
		found = append(found, s)
		i = s.to
	}
	return found, nil
}

// value returns the end of the value that begins at token i.
func value(file string, all []token, i, to int) (int, error) {
	switch all[i].kind {
	case word:
		return i + 1, nil
	case text:
		// Strings beside each other are one.
		for i < to && all[i].kind == text {
			i++
		}
		return i, nil
	case '{', '(', '[':
		depth := 0
		for j := i; j < to; j++ {
			switch all[j].kind {
			case '{', '(', '[':
				depth++
			case '}', ')', ']':
				if depth--; depth == 0 {
					return j + 1, nil
				}
			}
		}
	}
	return 0, fmt.Errorf("no value at %.20q", file[all[i].start:])
}

// lookup finds a setting of a group at the file's top level. group is nil if the
// file has no such group, inner if the group has no such setting.
func lookup(file string, all []token, groupName, name string) (group, inner *setting, err error) {
	top, err := settings(file, all, 0, len(all))
	if err != nil {
		return nil, nil, err
	}
	for _, g := range top {
		if g.name != groupName {
			continue
		}
		if all[g.from].kind != '{' {
			return nil, nil, fmt.Errorf("%s is not a group", groupName)
		}
		members, err := settings(file, all, g.from+1, g.to-1)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", groupName, err)
		}
		for _, m := range members {
			if m.name == name {
				return &g, &m, nil
			}
		}
		return &g, nil, nil
	}
	return nil, nil, nil
}

// get returns a setting's value as the file has it; empty if there is none.
func get(file, group, name string) (string, error) {
	all, err := tokens(file)
	if err != nil {
		return "", err
	}
	_, s, err := lookup(file, all, group, name)
	if err != nil || s == nil {
		return "", err
	}
	return file[all[s.from].start:all[s.to-1].end], nil
}

// set gives a setting of a group a string value, in the place of the one it has.
func set(file, group, name, value string) (string, error) {
	all, err := tokens(file)
	if err != nil {
		return "", err
	}
	g, s, err := lookup(file, all, group, name)
	if err != nil {
		return "", err
	}
	switch {
	case s != nil:
		return file[:all[s.from].start] + quote(value) + file[all[s.to-1].end:], nil
	case g != nil:
		at := all[g.from].end
		return file[:at] + "\n\t" + name + " = " + quote(value) + file[at:], nil
	default:
		return file + "\n" + group + " =\n{\n\t" + name + " = " + quote(value) + "\n}\n", nil
	}
}

// quote writes a string of the agent's own making: letters, digits and
// punctuation, no quotes.
func quote(s string) string { return `"` + s + `"` }
