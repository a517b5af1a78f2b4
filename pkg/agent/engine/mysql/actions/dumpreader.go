// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"bytes"
	"fmt"
	"io"
)

// verdict on a statement of a dump.
type verdict int

const (
	// keep passes it on.
	keep verdict = iota
	// drop leaves it out.
	drop
	// whole asks again with all of it.
	whole
	// aside passes it on to the other reader, both to both.
	aside
	both
)

const (
	// headSize of a statement tells what it is: the longest identifier takes 256
	// bytes.
	headSize = 1 << 10
	// wholeSize bounds what is kept of a statement that is asked for.
	wholeSize = 16 << 20
)

// dumpReader finds the statements in what mysqldump writes, as the client mysql does:
// by quotes, comments and delimiters. What looks like one within data is data.
type dumpReader struct {
	// out takes what is kept, aside what is put aside; nil if nothing is.
	out, aside io.Writer
	// decide is asked once for each statement, with its beginning, and again with all
	// of it if it answered whole; ended says that this is all. What it returns alongside
	// keep and both goes out instead.
	decide func(statement []byte, ended bool) (verdict, []byte)

	delimiter []byte
	// literal: backslashes escape nothing, by NO_BACKSLASH_ESCAPES.
	literal bool

	state   lexState
	escaped bool
	// p1 and p2 are the last bytes of code and the one before.
	p1, p2 byte
	// matched bytes of the delimiter.
	matched int
	// head is the statement so far, until it is decided; commentAt where the comment
	// in it begins.
	head      []byte
	commentAt int
	limit     int
	decided   bool
	// to is where the rest of a decided statement goes; nil if nowhere.
	to  io.Writer
	err error
}

type lexState int

const (
	between lexState = iota
	code
	quoted
	lineComment
	blockComment
	delimiterLine
)

func newDumpReader(out io.Writer, decide func([]byte, bool) (verdict, []byte)) *dumpReader {
	return &dumpReader{out: out, decide: decide, delimiter: []byte(";")}
}

// Write implements io.Writer.
func (d *dumpReader) Write(p []byte) (int, error) {
	start := 0
	for i := 0; i < len(p); i++ {
		if d.decided && d.state == quoted && !d.escaped {
			if i += d.plain(p[i:]); i == len(p) {
				break
			}
		}
		c := p[i]
		if d.state == between {
			if isSpace(c) {
				continue
			}
			d.state, d.p1, d.p2, d.matched = code, 0, 0, 0
			d.head, d.limit, d.decided = d.head[:0], headSize, false
		}
		if !d.decided {
			d.head = append(d.head, c)
		}
		ended := d.step(c)
		switch {
		case d.decided && ended:
			d.emit(p[start : i+1])
			d.emit([]byte("\n"))
			d.state = between
		case d.decided:
		case ended:
			d.ask(true)
			d.state = between
		case len(d.head) >= d.limit:
			d.ask(false)
			start = i + 1
		}
		if d.err != nil {
			return i, d.err
		}
		if d.state == between {
			start = i + 1
		}
	}
	if d.state != between && d.decided && start < len(p) {
		d.emit(p[start:])
	}
	return len(p), d.err
}

// plain counts the bytes at the beginning of p that neither end a quotation nor escape:
// most of a dump is such, and need not go through step.
func (d *dumpReader) plain(p []byte) int {
	escapes := d.p1 != '`' && !d.literal
	for n, c := range p {
		if c == d.p1 || escapes && c == '\\' {
			return n
		}
	}
	return len(p)
}

// Close passes on what has no delimiter.
func (d *dumpReader) Close() error {
	if d.state != between && !d.decided {
		d.ask(true)
	}
	d.state = between
	return d.err
}

func (d *dumpReader) emit(p []byte) {
	if d.to != nil && d.err == nil {
		_, d.err = d.to.Write(p)
	}
}

// all are both ways that a statement may go.
func (d *dumpReader) all() io.Writer {
	if d.aside == nil {
		return d.out
	}
	return io.MultiWriter(d.out, d.aside)
}

// ask decides the statement in head.
func (d *dumpReader) ask(ended bool) {
	if d.state == delimiterLine {
		d.to = d.all()
		d.emit(d.head)
		return
	}
	v, instead := d.decide(d.head, ended)
	if v == whole && !ended {
		if d.limit == wholeSize {
			d.err = fmt.Errorf("a statement of the dump that must be read whole takes more than %d bytes: %.100s", wholeSize, d.head)
			return
		}
		d.limit = wholeSize
		return
	}
	if bytes.Contains(d.head, []byte("sql_mode")) && bytes.HasPrefix(bytes.TrimLeft(d.head, "/*!0123456789 "), []byte("SET")) {
		d.literal = bytes.Contains(d.head, []byte("NO_BACKSLASH_ESCAPES"))
	}
	d.decided, d.to = true, nil
	if instead != nil {
		d.to = d.out
		d.emit(append(append(instead, d.delimiter...), '\n'))
		if d.to = nil; v != both {
			return
		}
		v = aside
	}
	switch v {
	case keep, whole:
		d.to = d.out
	case aside:
		d.to = d.aside
	case both:
		d.to = d.all()
	case drop:
	}
	d.emit(d.head)
	if ended {
		d.emit([]byte("\n"))
	}
}

// step takes the next byte of a statement; true if it is its last.
func (d *dumpReader) step(c byte) bool {
	switch d.state {
	case quoted:
		switch {
		case d.escaped:
			d.escaped = false
		case c == '\\' && d.p1 != '`' && !d.literal:
			d.escaped = true
		case c == d.p1:
			d.state, d.p1, d.p2 = code, 0, 0
		}
	case lineComment:
		if c == '\n' {
			d.endComment()
		}
	case blockComment:
		if d.p1 == '*' && c == '/' {
			d.endComment()
			return false
		}
		d.p1 = c
	case delimiterLine:
		if c == '\n' {
			d.delimiter = append([]byte(nil), bytes.TrimSpace(d.head[len("DELIMITER "):])...)
			return true
		}
	default:
		return d.code(c)
	}
	return false
}

func (d *dumpReader) code(c byte) bool {
	if c == d.delimiter[d.matched] {
		if d.matched++; d.matched == len(d.delimiter) {
			return true
		}
	} else {
		d.matched = 0
	}
	p2, p1 := d.p2, d.p1
	d.p2, d.p1 = p1, c
	switch {
	case p2 == '/' && p1 == '*' && c != '!' && c != '+':
		d.state, d.commentAt = blockComment, len(d.head)-3
	case p2 == '-' && p1 == '-' && isSpace(c):
		d.state, d.commentAt = lineComment, len(d.head)-3
		if c == '\n' {
			d.endComment()
		}
	case c == '#':
		d.state, d.commentAt = lineComment, len(d.head)-1
	case c == '\'' || c == '"' || c == '`':
		// Within quotes p1 is the quote.
		d.state = quoted
	case !d.decided && len(d.head) == len("DELIMITER ") && bytes.EqualFold(d.head, []byte("DELIMITER ")):
		d.state = delimiterLine
	}
	return false
}

// endComment forgets a comment before a statement. Those within one belong to it.
func (d *dumpReader) endComment() {
	d.state, d.p1, d.p2, d.matched = code, 0, 0, 0
	if !d.decided && d.commentAt == 0 {
		d.state = between
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
