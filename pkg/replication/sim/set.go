// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"math/bits"

	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
)

const (
	// maxServers is how many servers a world may see, those made anew included.
	maxServers = 12
	// maxNumber is how many transactions each of them may number.
	maxNumber = 128
)

// transaction is one that a server has numbered, from 1.
type transaction struct{ server, number uint8 }

func (t transaction) String() string { return fmt.Sprintf("s%d:%d", t.server, t.number) }

// set of transactions. It is a value: what the simulator does most is to copy and
// compare them.
type set [maxServers][maxNumber / 64]uint64

func (s *set) add(t transaction) { s[t.server][(t.number-1)/64] |= 1 << ((t.number - 1) % 64) }
func (s *set) has(t transaction) bool {
	return s[t.server][(t.number-1)/64]&(1<<((t.number-1)%64)) != 0
}

func (s *set) addAll(other *set) {
	for i := range s {
		for j := range s[i] {
			s[i][j] |= other[i][j]
		}
	}
}

// without is what is not in the other set.
func (s set) without(other *set) set {
	for i := range s {
		for j := range s[i] {
			s[i][j] &^= other[i][j]
		}
	}
	return s
}

func (s *set) contains(other *set) bool {
	for i := range s {
		for j := range s[i] {
			if other[i][j]&^s[i][j] != 0 {
				return false
			}
		}
	}
	return true
}

func (s *set) empty() bool { return *s == set{} }

func (s *set) count() (n int) {
	for i := range s {
		for j := range s[i] {
			n += bits.OnesCount64(s[i][j])
		}
	}
	return n
}

// first is a transaction of the set, for a sentence.
func (s *set) first() transaction {
	for i := range s {
		for j := range s[i] {
			if s[i][j] != 0 {
				return transaction{uint8(i), uint8(j*64 + bits.TrailingZeros64(s[i][j]) + 1)}
			}
		}
	}
	return transaction{}
}

// serverUUID of the server of that number. UUIDs are in the order of numbers.
func serverUUID(server int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", server+1) }

var uuids = func() (out [maxServers]string) {
	for i := range out {
		out[i] = serverUUID(i)
	}
	return out
}()

// text is the set as the server prints it.
func (s *set) text() string {
	var b []byte
	for i := range s {
		if s[i] == [maxNumber / 64]uint64{} {
			continue
		}
		if b != nil {
			b = append(b, ',')
		}
		b = append(b, uuids[i]...)
		for n := 1; n <= maxNumber; n++ {
			if !s.has(transaction{uint8(i), uint8(n)}) {
				continue
			}
			first := n
			for n < maxNumber && s.has(transaction{uint8(i), uint8(n + 1)}) {
				n++
			}
			b = fmt.Appendf(b, ":%d", first)
			if n > first {
				b = fmt.Appendf(b, "-%d", n)
			}
		}
	}
	return string(b)
}

// setOf reads a text. What no server of the world can have numbered is left out.
func setOf(text string) (set, error) {
	parsed, err := gtid.Parse(text)
	if err != nil {
		return set{}, err
	}
	var s set
	for i := range s {
		u, err := gtid.ParseUUID(uuids[i])
		if err != nil {
			return set{}, err
		}
		of := parsed.Of(u)
		if of.IsEmpty() {
			continue
		}
		for n := 1; n <= maxNumber; n++ {
			if of.Contains(gtid.MustParse(fmt.Sprintf("%s:%d", uuids[i], n))) {
				s.add(transaction{uint8(i), uint8(n)})
			}
		}
	}
	return s, nil
}
