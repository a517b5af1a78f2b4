// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Segments are the files that the write-ahead log is cut into. The zero value is the
// size of a server whose initdb was given none: 16 MiB.
type Segments struct {
	// shift of 1, to be the size in bytes; 0: that of 16 MiB.
	shift int
}

const (
	defaultShift = 24
	// The server takes powers of two from 1 MiB to 1 GiB.
	minShift, maxShift = 20, 30

	segmentNameLength = 24
	// historySuffix of the file of a timeline's history.
	historySuffix = ".history"
)

// SegmentsOf that many bytes: the server's wal_segment_size.
func SegmentsOf(size int64) (Segments, error) {
	if size < 1<<minShift || size > 1<<maxShift || size&(size-1) != 0 {
		return Segments{}, fmt.Errorf("segments of %d bytes: want a power of two from 1 MiB to 1 GiB", size)
	}
	return Segments{bits.TrailingZeros64(uint64(size))}, nil
}

func (s Segments) bits() int {
	if s.shift == 0 {
		return defaultShift
	}
	return s.shift
}

// Size of each in bytes.
func (s Segments) Size() int64 { return 1 << s.bits() }

// Start of the segment that has the byte at a position.
func (s Segments) Start(at LSN) LSN { return at &^ (1<<s.bits() - 1) }

// Name of the file that has the byte at a position, as written on a timeline. The server's
// pg_walfile_name, up to 16, names the file before it where a position begins a segment.
func (s Segments) Name(timeline Timeline, at LSN) string {
	return fmt.Sprintf("%08X%08X%08X", uint32(timeline), uint64(at)>>32, uint64(at)&math.MaxUint32>>s.bits())
}

// ParseName reads the name of a segment's file: the timeline on which it was written, and
// its first position.
func (s Segments) ParseName(name string) (Timeline, LSN, error) {
	if len(name) != segmentNameLength || strings.Trim(name, "0123456789ABCDEF") != "" {
		return 0, None, fmt.Errorf("%s is no segment of the write-ahead log", quoted(name))
	}
	var parts [3]uint64
	for i := range parts {
		// These are hexadecimal digits.
		parts[i], _ = strconv.ParseUint(name[8*i:8*i+8], 16, 32)
	}
	if parts[0] == 0 || parts[2] > math.MaxUint32>>s.bits() {
		return 0, None, fmt.Errorf("%s is no segment of %d bytes of the write-ahead log", quoted(name), s.Size())
	}
	return Timeline(parts[0]), LSN(parts[1]<<32 | parts[2]<<s.bits()), nil
}

// FileName of the history of a timeline. The first timeline has none.
func (t Timeline) FileName() string { return fmt.Sprintf("%08X%s", uint32(t), historySuffix) }

// ParseFileName reads the name of a history's file.
func ParseFileName(name string) (Timeline, error) {
	digits, ok := strings.CutSuffix(name, historySuffix)
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || n == 0 || Timeline(n).FileName() != name {
		return 0, fmt.Errorf("%s is no file of a timeline's history", quoted(name))
	}
	return Timeline(n), nil
}
