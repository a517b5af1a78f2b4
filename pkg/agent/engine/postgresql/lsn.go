// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"fmt"
	"strconv"
	"strings"
)

// lsn is a position in the write-ahead log.
type lsn uint64

// parseLSN reads one as the server writes it: 16/B374D848.
func parseLSN(s string) (lsn, error) {
	high, low, ok := strings.Cut(s, "/")
	h, highErr := strconv.ParseUint(high, 16, 32)
	l, lowErr := strconv.ParseUint(low, 16, 32)
	if !ok || highErr != nil || lowErr != nil {
		return 0, fmt.Errorf("%q is no position in the write-ahead log", s)
	}
	return lsn(h<<32 | l), nil
}

func (l lsn) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint32(l)) }
