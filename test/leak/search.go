// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// window is how much of a text is searched at a time.
const window = 1 << 20

// Search returns a sentence for each secret that the text holds. The sentence shows
// what is around it, not the secret.
func (s *Secrets) Search(text io.Reader) ([]string, error) {
	s.mu.Lock()
	names := maps.Clone(s.names)
	s.mu.Unlock()
	overlap := 0
	for value := range names {
		overlap = max(overlap, len(value))
	}
	found := map[string]string{}
	buffer := make([]byte, 0, window+overlap)
	for {
		n, err := io.ReadFull(text, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		for value, name := range names {
			if i := bytes.Index(buffer, []byte(value)); i >= 0 && found[name] == "" {
				found[name] = fmt.Sprintf("%s is told: %s", name, around(buffer, i, len(value)))
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return slices.Sorted(maps.Values(found)), nil
		case err != nil:
			return nil, err
		}
		// A secret may lie across the border of two windows.
		buffer = buffer[:copy(buffer, buffer[len(buffer)-overlap:])]
	}
}

// around shows the place of a secret.
func around(text []byte, at, length int) string {
	const margin = 120
	before, after := text[max(0, at-margin):at], text[at+length:min(len(text), at+length+margin)]
	return strings.ToValidUTF8(strings.Map(printable, string(before)+"***"+string(after)), "?")
}

func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}
