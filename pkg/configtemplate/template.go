// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	texttemplate "text/template"
	"text/template/parse"
)

// maxSource is how long one template may be.
const maxSource = 128 << 10

// template is a parsed and metered template.
type template struct {
	key    string
	text   *texttemplate.Template
	budget *budget
}

// parseTemplate parses a template and puts a meter into every body that can run
// more than once: each body of a range and each defined template first pays for
// the nodes it holds. So the work of a template is bounded whatever it loops
// over, without a clock.
func parseTemplate(key, source string, syntax syntax, budget *budget) (*template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("template %s: longer than %d KiB", key, maxSource>>10)
	}
	t, err := texttemplate.New(key).Option("missingkey=error").Funcs(functions(syntax, budget)).Parse(source)
	if err != nil {
		return nil, err
	}
	// An empty source defines no template of its name.
	if t.Tree == nil {
		if t, err = t.Parse(`{{""}}`); err != nil {
			return nil, err
		}
	}
	trees := map[string]*parse.Tree{}
	for _, defined := range t.Templates() {
		if defined.Tree != nil {
			trees[defined.Name()] = defined.Tree
		}
	}
	if err := refuseRecursion(key, trees); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		tree := trees[name]
		if err := refuseBreak(key, tree); err != nil {
			return nil, err
		}
		weight := meter(tree.Root)
		tree.Root.Nodes = slices.Insert(tree.Root.Nodes, 0, payNode(weight))
	}
	return &template{key: key, text: t, budget: budget}, nil
}

// payNode is the node {{_pay weight}}.
func payNode(weight int) parse.Node {
	trees, err := parse.Parse("pay", fmt.Sprintf("{{%s %d}}", payFunction, weight), "", "",
		map[string]any{payFunction: func(int) {}})
	if err != nil {
		panic(err) // a constant text with a number in it
	}
	return trees["pay"].Root.Nodes[0]
}

// meter makes the bodies of ranges below list pay, and returns how many nodes
// list holds.
func meter(list *parse.ListNode) int {
	if list == nil {
		return 0
	}
	weight := 1
	for _, node := range list.Nodes {
		weight += weigh(node)
	}
	return weight
}

func weigh(node parse.Node) int {
	switch n := node.(type) {
	case *parse.ActionNode:
		return 1 + weighPipe(n.Pipe)
	case *parse.IfNode:
		return 1 + weighPipe(n.Pipe) + meter(n.List) + meter(n.ElseList)
	case *parse.WithNode:
		return 1 + weighPipe(n.Pipe) + meter(n.List) + meter(n.ElseList)
	case *parse.RangeNode:
		body := meter(n.List)
		n.List.Nodes = slices.Insert(n.List.Nodes, 0, payNode(body))
		return 1 + weighPipe(n.Pipe) + body + meter(n.ElseList)
	case *parse.TemplateNode:
		return 1 + weighPipe(n.Pipe)
	}
	return 1
}

func weighPipe(pipe *parse.PipeNode) int {
	if pipe == nil {
		return 0
	}
	weight := 1
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			weight += weighArg(arg)
		}
	}
	return weight
}

func weighArg(arg parse.Node) int {
	switch a := arg.(type) {
	case *parse.PipeNode:
		return weighPipe(a)
	case *parse.ChainNode:
		return 1 + len(a.Field) + weighArg(a.Node)
	case *parse.FieldNode:
		return len(a.Ident)
	case *parse.VariableNode:
		return len(a.Ident)
	}
	return 1
}

// refuseRecursion follows the {{template}} actions. text/template itself stops a
// recursion only after a stack of a hundred thousand frames.
func refuseRecursion(key string, trees map[string]*parse.Tree) error {
	const (
		entered = 1
		left    = 2
	)
	state := map[string]int{}
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case left:
			return nil
		case entered:
			return fmt.Errorf("template %s: template %q includes itself", key, name)
		}
		state[name] = entered
		if tree := trees[name]; tree != nil {
			for _, included := range includes(tree.Root) {
				if err := visit(included); err != nil {
					return err
				}
			}
		}
		state[name] = left
		return nil
	}
	if len(trees) > maxTemplates {
		return fmt.Errorf("template %s: defines more than %d templates", key, maxTemplates)
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}

// maxTemplates bounds the templates of one file, and by it the depth of calls.
const maxTemplates = 256

// includes lists the templates that list calls.
func includes(list *parse.ListNode) []string {
	var names []string
	walk(list, func(node parse.Node) {
		if n, ok := node.(*parse.TemplateNode); ok {
			names = append(names, n.Name)
		}
	})
	return names
}

// refuseBreak: a range over a mapping sorts it before the first round, and a
// break would leave before that was paid for.
func refuseBreak(key string, tree *parse.Tree) error {
	var err error
	walk(tree.Root, func(node parse.Node) {
		if n, ok := node.(*parse.BreakNode); ok && err == nil {
			err = fmt.Errorf("template %s:%d: break is not available in configuration templates", key, n.Line)
		}
	})
	return err
}

// walk visits the nodes of list and of the lists in them.
func walk(list *parse.ListNode, visit func(parse.Node)) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		visit(node)
		switch n := node.(type) {
		case *parse.IfNode:
			walk(n.List, visit)
			walk(n.ElseList, visit)
		case *parse.WithNode:
			walk(n.List, visit)
			walk(n.ElseList, visit)
		case *parse.RangeNode:
			walk(n.List, visit)
			walk(n.ElseList, visit)
		}
	}
}

// ErrTooMuchWork is in the error of a Render whose templates do not come to an
// end soon.
var ErrTooMuchWork = errors.New("the template does too much: it loops over too many things")

// Limits of the work of one rendering, all files together. The largest package of
// ours uses a thousandth of them.
const (
	maxWork    = 500_000
	maxStrings = 4 << 20
)

// budget counts what a rendering uses.
type budget struct {
	work, strings, output int
}

func newBudget() *budget { return &budget{} }

// pay charges for n nodes.
func (b *budget) pay(n int) (string, error) {
	if n < 1 {
		return "", errors.New("not for use in templates")
	}
	if b.work += n; b.work > maxWork {
		return "", ErrTooMuchWork
	}
	return "", nil
}

// handle charges for strings that a function reads or makes.
func (b *budget) handle(parts ...string) error {
	for _, s := range parts {
		b.strings += len(s)
	}
	return b.checkStrings()
}

func (b *budget) checkStrings() error {
	if b.strings > maxStrings {
		return errors.New("the template makes strings that are too long")
	}
	return nil
}

// made charges for a string and returns it.
func (b *budget) made(s string) (string, error) {
	if err := b.handle(s); err != nil {
		return "", err
	}
	return s, nil
}

func (b *budget) write(n int) error {
	if b.output += n; b.output > MaxOutput {
		return ErrOutputTooLarge
	}
	return nil
}
