// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"io"
)

// Lines as a program's Stderr takes those of its lines that are no messages, such as how
// far it is: Run keeps the others, which say why it ended.
type Lines struct {
	// Take returns false for a message.
	Take func(line string) bool

	part []byte
	rest io.Writer
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexAny(l.part, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		l.line(l.part[:i+1])
		l.part = l.part[i+1:]
	}
}

func (l *Lines) line(line []byte) {
	if !l.Take(string(bytes.TrimSpace(line))) {
		// A Tail takes everything.
		_, _ = l.rest.Write(line)
	}
}

// end of what the program wrote, which need not be one of a line.
func (l *Lines) end() {
	if len(l.part) > 0 {
		l.line(l.part)
		l.part = nil
	}
}
