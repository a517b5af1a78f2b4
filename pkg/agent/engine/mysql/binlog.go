// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Types of events of the binary log, and sizes of its format.
const (
	eventStop              = 3
	eventRotate            = 4
	eventFormatDescription = 15
	eventGTID              = 33
	eventAnonymousGTID     = 34
	eventPreviousGTIDs     = 35
	eventGTIDTagged        = 42

	eventHeader = 19
	// maxEvent is the largest event there is: that of a packet.
	maxEvent = 1<<30 + 1<<20
)

var (
	binlogMagic    = []byte("\xfebin")
	encryptedMagic = []byte("\xfdbin")
)

// copyLog copies the transactions that are wanted of one binary log, and what says how to
// read them. The end of a log that is written still is its last whole event.
func copyLog(ctx context.Context, path string, w io.Writer, wanted gtidSet) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	magic := make([]byte, len(binlogMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return err
	}
	switch {
	case bytes.Equal(magic, encryptedMagic):
		return errors.New("the binary log is encrypted, the agent has no key")
	case !bytes.Equal(magic, binlogMagic):
		return errors.New("it is no binary log")
	}
	taking := false
	header := make([]byte, eventHeader)
	for ctx.Err() == nil {
		if _, err := io.ReadFull(r, header); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		} else if err != nil {
			return err
		}
		kind, size := header[4], int64(binary.LittleEndian.Uint32(header[9:]))
		if size < eventHeader || size > maxEvent {
			return fmt.Errorf("an event of %d bytes", size)
		}
		var first []byte
		switch kind {
		case eventGTID:
			first = make([]byte, min(size-eventHeader, 25))
			if _, err := io.ReadFull(r, first); err != nil {
				return nil
			}
			taking = wanted.has(first)
		case eventGTIDTagged:
			// Which one it is takes a format of its own to read: all of them are evidence
			// if one is.
			taking = wanted.tagged
		case eventAnonymousGTID, eventRotate, eventStop, eventPreviousGTIDs:
			taking = false
		}
		rest := size - eventHeader - int64(len(first))
		if !taking && kind != eventFormatDescription {
			if _, err := r.Discard(int(rest)); err != nil {
				return nil
			}
			continue
		}
		event := append(bytes.Clone(header), first...)
		whole := bytes.NewBuffer(event)
		if _, err := io.CopyN(whole, r, rest); err != nil {
			return nil
		}
		if _, err := w.Write(whole.Bytes()); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// gtidSet is a GTID set to look transactions up in.
type gtidSet struct {
	intervals map[string][][2]int64
	// tagged is true if the set has tags.
	tagged bool
}

// has looks up the transaction of an event's first bytes: flags, the server's UUID, the
// transaction's number.
func (s gtidSet) has(event []byte) bool {
	if len(event) < 25 {
		return false
	}
	number := int64(binary.LittleEndian.Uint64(event[17:])) //nolint:gosec // the server counts up to 1<<63 - 1
	for _, i := range s.intervals[string(event[1:17])] {
		if i[0] <= number && number <= i[1] {
			return true
		}
	}
	return false
}

// parseGTIDs reads a GTID set: uuid:1-3:5,uuid:tag:7.
func parseGTIDs(text string) (gtidSet, error) {
	s := gtidSet{intervals: map[string][][2]int64{}}
	invalid := fmt.Errorf("%w: %q is no GTID set", engine.ErrInvalid, text)
	for source := range strings.SplitSeq(strings.Join(strings.Fields(text), ""), ",") {
		uuid, rest, _ := strings.Cut(source, ":")
		id, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
		if err != nil || len(id) != 16 || rest == "" {
			return gtidSet{}, invalid
		}
		tag := false
		for part := range strings.SplitSeq(rest, ":") {
			from, to, ranged := strings.Cut(part, "-")
			begin, err := strconv.ParseInt(from, 10, 64)
			if err != nil {
				tag, s.tagged = true, true
				continue
			}
			end := begin
			if ranged {
				if end, err = strconv.ParseInt(to, 10, 64); err != nil {
					return gtidSet{}, invalid
				}
			}
			if begin < 1 || end < begin {
				return gtidSet{}, invalid
			}
			if !tag {
				s.intervals[string(id)] = append(s.intervals[string(id)], [2]int64{begin, end})
			}
		}
	}
	return s, nil
}
