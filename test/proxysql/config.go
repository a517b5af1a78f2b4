// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A configuration file is libconfig: settings "name = value;" whose values are scalars,
// strings, groups {}, lists () and arrays [].

// config is a file that was read: its settings by name.
type config struct{ settings map[string]any }

// group is the settings of a {}, in their order.
type group []cell

type cell struct{ name, value string }

func readConfig(path string) (*config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := parser{rest: string(content)}
	settings, err := p.settings("")
	if err != nil {
		line := 1 + strings.Count(string(content[:len(content)-len(p.rest)]), "\n")
		return nil, fmt.Errorf("%s:%d: %w", path, line, err)
	}
	c := &config{settings: map[string]any{}}
	for _, s := range settings {
		c.settings[s.name] = s.value
	}
	return c, nil
}

// scalar is a setting outside all groups.
func (c *config) scalar(name string) string {
	s, _ := c.settings[name].(string)
	return s
}

// variables are those of the group of a prefix: mysql- has them in mysql_variables.
func (c *config) variables(prefix string) map[string]string {
	all := map[string]string{}
	g, _ := c.settings[strings.TrimSuffix(prefix, "-")+"_variables"].(group)
	for _, v := range g {
		all[prefix+v.name] = v.value
	}
	return all
}

// rows are the groups in the list of a table's name, and their names are columns, or
// the shorter forms that the file may have.
func (c *config) rows(table string) []group {
	list, _ := c.settings[table].([]group)
	for _, g := range list {
		for i := range g {
			switch {
			case g[i].name == "address":
				g[i].name = "hostname"
			case g[i].name == "hostgroup" && table == "mysql_servers":
				g[i].name = "hostgroup_id"
			}
		}
	}
	return list
}

type parser struct{ rest string }

type setting struct {
	name string
	// value is a string, a group or a []group.
	value any
}

// settings reads until end, a bracket, or the end of the file if that is empty.
func (p *parser) settings(end string) ([]setting, error) {
	var all []setting
	for {
		token, err := p.next()
		if err != nil {
			return nil, err
		}
		switch token {
		case end:
			return all, nil
		case ";", ",":
			continue
		case "":
			return nil, fmt.Errorf("%s is missing", end)
		}
		if slices.ContainsFunc(all, func(s setting) bool { return s.name == token }) {
			return nil, fmt.Errorf("%s is there twice", token)
		}
		if sign, err := p.next(); err != nil || sign != "=" && sign != ":" {
			return nil, fmt.Errorf("syntax error after %.20q", token)
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		all = append(all, setting{token, value})
	}
}

func (p *parser) value() (any, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	switch {
	case token == "{":
		settings, err := p.settings("}")
		var g group
		for _, s := range settings {
			// Groups in groups mean nothing to anybody here.
			if text, ok := s.value.(string); ok {
				g = append(g, cell{s.name, text})
			}
		}
		return g, err
	case token == "(" || token == "[":
		end := map[string]string{"(": ")", "[": "]"}[token]
		var list []group
		for {
			p.space()
			if strings.HasPrefix(p.rest, end) {
				p.rest = p.rest[1:]
				return list, nil
			}
			if strings.HasPrefix(p.rest, ",") {
				p.rest = p.rest[1:]
				continue
			}
			if p.rest == "" {
				return nil, fmt.Errorf("%s is missing", end)
			}
			item, err := p.value()
			if err != nil {
				return nil, err
			}
			if g, ok := item.(group); ok {
				list = append(list, g)
			}
		}
	case strings.HasPrefix(token, `"`):
		// Strings beside each other are one.
		text := token[1:]
		for p.space(); strings.HasPrefix(p.rest, `"`); p.space() {
			more, err := p.next()
			if err != nil {
				return nil, err
			}
			text += more[1:]
		}
		return text, nil
	case token == "" || strings.ContainsAny(token[:1], "{}()[]=:;,"):
		return nil, fmt.Errorf("no value at %.20q", token+p.rest)
	}
	return token, nil
}

// space passes over white space and comments.
func (p *parser) space() {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\r\n\f\v")
		switch {
		case strings.HasPrefix(p.rest, "#") || strings.HasPrefix(p.rest, "//") || strings.HasPrefix(p.rest, "@include"):
			_, p.rest, _ = strings.Cut(p.rest, "\n")
		case strings.HasPrefix(p.rest, "/*"):
			_, p.rest, _ = strings.Cut(p.rest, "*/")
		default:
			return
		}
	}
}

// next is a word, a sign, or a string with its first quote and without its last; empty
// at the end.
func (p *parser) next() (string, error) {
	p.space()
	if p.rest == "" {
		return "", nil
	}
	if p.rest[0] == '"' {
		return p.string()
	}
	end := strings.IndexAny(p.rest, " \t\r\n\f\v\"{}()[]=:;,#")
	switch end {
	case 0:
		end = 1
	case -1:
		end = len(p.rest)
	}
	token := p.rest[:end]
	p.rest = p.rest[end:]
	return token, nil
}

func (p *parser) string() (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case '\\':
			i++
			if i == len(p.rest) {
				continue
			}
			if escaped, ok := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'f': '\f'}[p.rest[i]]; ok {
				b.WriteByte(escaped)
			} else {
				b.WriteByte(p.rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("a string is not ended")
}
