// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

const errantUUID = "11111111-2222-3333-4444-555555555555"

// event of a binary log: a header and a body.
func event(kind byte, body []byte) []byte {
	e := make([]byte, eventHeader)
	e[4] = kind
	binary.LittleEndian.PutUint32(e[9:], uint32(eventHeader+len(body)))
	return append(e, body...)
}

// transaction n of the server, whose change is its name.
func transaction(n uint64, name string) []byte {
	id := bytes.Repeat([]byte{0}, 25)
	for i, b := range []byte{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55} {
		id[1+i] = b
	}
	binary.LittleEndian.PutUint64(id[17:], n)
	return append(event(eventGTID, append(id, "more"...)), event(2, []byte(name))...)
}

func TestTransactionsAreCopiedByTheirGTIDs(t *testing.T) {
	tagged := append(event(eventGTIDTagged, []byte("tagged")), event(2, []byte("T"))...)
	log := slicesConcat(binlogMagic, event(eventFormatDescription, []byte("format")), event(eventPreviousGTIDs, []byte("previous")),
		transaction(1, "A"), transaction(2, "B"), transaction(5, "C"), tagged,
		append(event(eventAnonymousGTID, nil), event(2, []byte("anonymous"))...), transaction(6, "D"), event(eventRotate, []byte("rotate")))
	for name, tc := range map[string]struct {
		log  []byte
		set  string
		max  int64
		want string
		err  string
	}{
		"one":                               {log, errantUUID + ":2", math.MaxInt64, "B", ""},
		"an interval and one":               {log, errantUUID + ":1-2:6", math.MaxInt64, "ABD", ""},
		"none of another server":            {log, strings.ReplaceAll(errantUUID, "1", "9") + ":1-9", math.MaxInt64, "", ""},
		"all that have tags if one has":     {log, errantUUID + ":5:tag:1-3", math.MaxInt64, "CT", ""},
		"the last one is not written whole": {log[:len(log)-40], errantUUID + ":1-6", math.MaxInt64, "ABC", ""},
		"no more than is allowed":           {log, errantUUID + ":1-6", 120, "A", errLimit.Error()},
		"an encrypted log":                  {append(encryptedMagic, log[4:]...), errantUUID + ":1", math.MaxInt64, "", "encrypted"},
		"another file":                      {[]byte("text"), errantUUID + ":1", math.MaxInt64, "", "no binary log"},
		"an event of no size":               {append(log[:4:4], make([]byte, 19)...), errantUUID + ":1", math.MaxInt64, "", "0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "binlog.000001")
			if err := os.WriteFile(path, tc.log, 0o600); err != nil {
				t.Fatal(err)
			}
			set, err := parseGTIDs(tc.set)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = copyLog(t.Context(), path, &limited{to: &out, left: tc.max}, set)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("got %v, want %q", err, tc.err)
			}
			if got := changes(out.Bytes()); got != tc.want {
				t.Errorf("copied %q, want %q", got, tc.want)
			}
		})
	}
}

// changes are the names of the transactions in events.
func changes(events []byte) (names string) {
	for len(events) >= eventHeader {
		size := binary.LittleEndian.Uint32(events[9:])
		if events[4] == 2 {
			names += string(events[eventHeader:size])
		}
		events = events[size:]
	}
	return names
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestParseGTIDs(t *testing.T) {
	for _, text := range []string{"", "nonsense", errantUUID, errantUUID + ":", errantUUID + ":0", errantUUID + ":3-2", errantUUID + ":1-x", ":1"} {
		if set, err := parseGTIDs(text); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%q: %+v, %v", text, set, err)
		}
	}
	set, err := parseGTIDs(strings.ToUpper(errantUUID) + ":1-3,\n" + errantUUID + ":9")
	if err != nil || len(set.intervals) != 1 || set.tagged {
		t.Errorf("got %+v, %v", set, err)
	}
}
