// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what happens into the scenarios")

// TestScenarios runs the files of testdata, and those of rules that are off. A file is
// blocks of commands, each followed by ---- and what clients and people see of it. The
// first command is
//
//	world MEMBERS [async] [off=RULE] [operator=pilot]
//
// which makes a set and lets it settle; others are actions, "show", which says what the
// members have, and "recover", after which nothing goes wrong any more.
func TestScenarios(t *testing.T) {
	var files []string
	for _, pattern := range []string{"testdata/*.txt", "testdata/off/*.txt"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no scenarios in %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(content))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(content), got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// play runs a scenario and returns it with what it has come to.
func play(content string) (string, error) {
	var out strings.Builder
	var w *World
	operator := Operator(Pilot)
	var seen []string
	defer func() {
		if w != nil {
			w.stopOperator(0)
			w.stopOperator(1)
		}
	}()
	inOutput := false
	for line := range strings.Lines(content) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case inOutput && line != "":
			continue
		case line == "----":
			out.WriteString(line + "\n")
			for _, s := range seen {
				out.WriteString(s + "\n")
			}
			seen, inOutput = nil, true
			continue
		}
		inOutput = false
		out.WriteString(line + "\n")
		command, _, _ := strings.Cut(line, "#")
		words := strings.Fields(command)
		switch {
		case len(words) == 0:
		case words[0] == "world":
			var err error
			if w, operator, err = scenarioWorld(words[1:]); err != nil {
				return "", err
			}
			w.begin(operator)
			w.traced = true
			w.trace = func(format string, args ...any) {
				if s := fmt.Sprintf(format, args...); isSeen(s) {
					seen = append(seen, s)
				}
			}
		case w == nil:
			return "", fmt.Errorf("%q comes before the world", line)
		case words[0] == "show":
			seen = append(seen, w.show()...)
		case words[0] == "recover":
			w.recover(operator)
			seen = append(seen, fmt.Sprintf("settled: %v", w.Settled()))
		default:
			a, err := ParseAction(command)
			if err != nil {
				return "", err
			}
			w.Do(a, operator)
		}
	}
	return out.String(), nil
}

// isSeen leaves out how operators go about it: scenarios say what comes of it.
func isSeen(s string) bool {
	return !strings.HasPrefix(s, "operator ") && !strings.HasPrefix(s, "recorded:") && !strings.HasPrefix(s, "the call to") && !strings.HasPrefix(s, "---")
}

func scenarioWorld(words []string) (*World, Operator, error) {
	if len(words) == 0 {
		return nil, nil, fmt.Errorf("world: how many members?")
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n > maxMembers {
		return nil, nil, fmt.Errorf("world: %q members", words[0])
	}
	rules, async, operator := AllRules(), false, Operator(Pilot)
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "async":
			async = true
		case "off":
			f := reflect.ValueOf(&rules).Elem().FieldByName(value)
			if !f.IsValid() {
				return nil, nil, fmt.Errorf("there is no rule %q", value)
			}
			f.SetBool(false)
		case "operator":
			if operator = operators[value]; operator == nil {
				return nil, nil, fmt.Errorf("there is no operator %q", value)
			}
		default:
			return nil, nil, fmt.Errorf("world: %q", word)
		}
	}
	w := newWorld(n, rules)
	w.async = async
	return w, operator, nil
}

// operators that a scenario can name.
var operators = map[string]Operator{"pilot": Pilot, "worker": Worker}

// show is one line for each member.
func (w *World) show() (out []string) {
	for _, m := range w.members {
		s, r := m.server, m.pod.desired.record
		line := m.name + " " + string(r.Role)
		if r.Upstream != nil {
			line += " of " + r.Upstream.Name
		}
		switch {
		case !s.up:
			line += ", down"
		case !s.readOnly:
			line += ", open"
		}
		if n := len(s.waiting); n > 0 {
			line += fmt.Sprintf(", %d waiting", n)
		}
		executed := s.executed
		line += ", has " + short(executed)
		if len(s.relay) > 0 {
			var received set
			for _, t := range s.relay {
				received.add(t)
			}
			line += ", received " + short(received)
		}
		out = append(out, line)
	}
	return out
}

// short is a set in the numbers of servers.
func short(s set) string {
	if s.empty() {
		return "nothing"
	}
	text := s.text()
	for i, uuid := range uuids {
		text = strings.ReplaceAll(text, uuid, fmt.Sprintf("s%d", i))
	}
	return text
}
