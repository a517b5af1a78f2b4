// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gtid

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxTextLength bounds what Parse accepts, in bytes: some 200,000 intervals.
const MaxTextLength = 4 << 20

const (
	// maxNumber is the highest number of a transaction.
	maxNumber = 1<<63 - 2
	// maxTagLength in bytes.
	maxTagLength = 32
	uuidLength   = 36
)

// Parse reads the text form of a set: UUIDs with intervals and tags, separated by
// commas, white space wherever the server allows it.
func Parse(text string) (Set, error) {
	if len(text) > MaxTextLength {
		return Set{}, fmt.Errorf("a GTID set of %d bytes is longer than %d", len(text), MaxTextLength)
	}
	p := parser{text: text}
	origins, err := p.set()
	if err != nil {
		return Set{}, fmt.Errorf("no GTID set: %w at byte %d", err, p.at)
	}
	return Set{canonical(origins)}, nil
}

// MustParse is Parse for constants.
func MustParse(text string) Set {
	s, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return s
}

// ParseUUID reads a server_uuid.
func ParseUUID(text string) (UUID, error) {
	var u UUID
	if len(text) != uuidLength || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, errors.New("want a UUID of 36 characters")
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return UUID{}, errors.New("want a UUID of hexadecimal digits")
	}
	return u, nil
}

// String is the server's form of it: small letters.
func (u UUID) String() string { return string(u.appendTo(nil)) }

func (u UUID) appendTo(b []byte) []byte {
	for i, n := range [...]int{4, 6, 8, 10, 16} {
		from := [...]int{0, 4, 6, 8, 10}[i]
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, u[from:n])
	}
	return b
}

// String is the canonical form, on one line: UUIDs in order, each with the intervals
// without a tag before those of its tags.
func (s Set) String() string {
	var b []byte
	for i, o := range s.origins {
		if i == 0 || s.origins[i-1].uuid != o.uuid {
			if i > 0 {
				b = append(b, ',')
			}
			b = o.uuid.appendTo(b)
		}
		if o.tag != "" {
			b = append(append(b, ':'), o.tag...)
		}
		for _, in := range o.intervals {
			b = strconv.AppendInt(append(b, ':'), in.first, 10)
			if in.last > in.first {
				b = strconv.AppendInt(append(b, '-'), in.last, 10)
			}
		}
	}
	return string(b)
}

// canonical sorts what was read and joins what is written in pieces. It changes its
// argument.
func canonical(in []origin) []origin {
	slices.SortStableFunc(in, origin.compare)
	var out []origin
	for _, o := range in {
		if n := len(out); n > 0 && out[n-1].compare(o) == 0 {
			out[n-1].intervals = append(out[n-1].intervals, o.intervals...)
			continue
		}
		out = append(out, o)
	}
	for i := range out {
		out[i].intervals = merge(out[i].intervals)
	}
	return slices.DeleteFunc(out, func(o origin) bool { return len(o.intervals) == 0 })
}

// parser reads one text from left to right.
type parser struct {
	text string
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\v\f\r", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next says which byte comes after white space; 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// skip steps over the byte if it comes next.
func (p *parser) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) set() ([]origin, error) {
	var out []origin
	for {
		// The server allows empty pieces: "a:1,,b:2," is a set.
		for p.skip(',') {
		}
		if p.at == len(p.text) {
			return out, nil
		}
		var err error
		if out, err = p.uuidSet(out); err != nil {
			return nil, err
		}
		if p.next(); p.at < len(p.text) && p.text[p.at] != ',' {
			return nil, errors.New("want a comma or the end")
		}
	}
}

// uuidSet reads one UUID with what belongs to it.
func (p *parser) uuidSet(out []origin) ([]origin, error) {
	if len(p.text)-p.at < uuidLength {
		return nil, errors.New("want a UUID")
	}
	uuid, err := ParseUUID(p.text[p.at : p.at+uuidLength])
	if err != nil {
		return nil, err
	}
	p.at += uuidLength
	// A UUID or a tag without intervals is an empty set, as for the server.
	current := origin{uuid: uuid}
	for p.skip(':') {
		if isTagStart(p.next()) {
			out = append(out, current)
			current = origin{uuid: uuid}
			if current.tag, err = p.tag(); err != nil {
				return nil, err
			}
			continue
		}
		i, err := p.interval()
		if err != nil {
			return nil, err
		}
		if i.first <= i.last {
			current.intervals = append(current.intervals, i)
		}
	}
	return append(out, current), nil
}

func isTagStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) tag() (string, error) {
	from := p.at
	for p.at < len(p.text) && (isTagStart(p.text[p.at]) || p.text[p.at] >= '0' && p.text[p.at] <= '9') {
		p.at++
	}
	if p.at-from > maxTagLength {
		return "", fmt.Errorf("want a tag of at most %d characters", maxTagLength)
	}
	return strings.ToLower(p.text[from:p.at]), nil
}

// interval reads n or n-m. Like the server it takes one whose end is before its start
// for an empty one.
func (p *parser) interval() (interval, error) {
	first, err := p.number()
	if err != nil {
		return interval{}, err
	}
	if first == 0 {
		return interval{}, errors.New("want a number above 0")
	}
	if !p.skip('-') {
		return interval{first, first}, nil
	}
	last, err := p.number()
	return interval{first, last}, err
}

func (p *parser) number() (int64, error) {
	p.space()
	from := p.at
	var n int64
	for ; p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9'; p.at++ {
		d := int64(p.text[p.at] - '0')
		if n > (maxNumber-d)/10 {
			return 0, errors.New("want a number below 2^63-1")
		}
		n = n*10 + d
	}
	if p.at == from {
		return 0, errors.New("want a number")
	}
	return n, nil
}
