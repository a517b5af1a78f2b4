// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// LSN is a position in the write-ahead log: the number of the byte that is written next.
// Positions of one history compare as numbers.
type LSN uint64

const (
	// None is no position: no server has one as low.
	None LSN = 0
	// Unlimited is above all positions: where a timeline ends that was not left yet.
	Unlimited LSN = math.MaxUint64
)

// lsnDigits of each half, at most.
const lsnDigits = 8

// ParseLSN reads one as servers write it: 16/B374D848, or 16/0B374D84 where they write
// all digits of the lower half.
func ParseLSN(text string) (LSN, error) {
	high, low, ok := strings.Cut(text, "/")
	if !ok || len(high) > lsnDigits || len(low) > lsnDigits {
		return None, notLSN(text)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return None, notLSN(text)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return None, notLSN(text)
	}
	return LSN(h<<32 | l), nil
}

func notLSN(text string) error {
	return fmt.Errorf("%s is no position in the write-ahead log", quoted(text))
}

// quoted text for an error, shortened: it may come from anywhere.
func quoted(text string) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}

// MustParseLSN is ParseLSN for constants.
func MustParseLSN(text string) LSN {
	l, err := ParseLSN(text)
	if err != nil {
		panic(err)
	}
	return l
}

// String is the server's form of it, without leading zeros.
func (l LSN) String() string {
	return fmt.Sprintf("%X/%X", uint64(l)>>32, uint64(l)&math.MaxUint32)
}
