// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/operation"
)

// SumsFile of a backup holds its Sums, in JSON.
const SumsFile = "checksums.json"

// Sum of the rows of a table, whatever their order.
type Sum struct {
	Rows int64 `json:"rows"`
	// Sum is the engine's own; equal rows have equal sums.
	Sum string `json:"sum"`
	// Changes is the server's count of changes from before the rows were read, empty if it
	// has none.
	Changes string `json:"-"`
}

// Sums by table. A table that was changed while the backup was taken has nil: which of its
// rows the backup holds is not known.
type Sums map[string]*Sum

// Steady are the tables of s, with a sum if they have the same in after and no changes were
// counted: rows that came and went are in the backup if it was taken in between.
func (s Sums) Steady(after Sums) Sums {
	out := Sums{}
	for table, before := range s {
		if now := after[table]; before != nil && now != nil && *before == *now {
			out[table] = now
		} else {
			out[table] = nil
		}
	}
	return out
}

// Write the sums into a backup.
func (s Sums) Write(w *Writer) error {
	f, err := w.File(SumsFile)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(s); err != nil {
		f.Fail(err)
		return err
	}
	return f.Close()
}

// ReadSums of a backup; nil if it has none.
func ReadSums(ctx context.Context, store Store, m *Manifest, key []byte) (Sums, error) {
	if m.File(SumsFile) == nil {
		return nil, nil
	}
	r, err := m.Open(ctx, store, SumsFile, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var s Sums
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, failure(ReasonCorrupt, "", err, "the sums of the backup %s: %v", m.location, err)
	}
	return s, nil
}

// maxNamed tables that differ; who knows these looks at the others.
const maxNamed = 10

// Verdict on what was restored of a backup, as a sentence. It fails with the reason
// VerificationFailed if that is not what the backup is known to hold.
func (m *Manifest) Verdict(recorded, restored Sums) (string, error) {
	var rows int64
	for _, sum := range restored {
		if sum != nil {
			rows += sum.Rows
		}
	}
	text := fmt.Sprintf("restored on a private server, where all rows were read: %d rows of %d tables", rows, len(restored))
	if recorded == nil {
		return text + "; it was taken without verify, and has no sums to compare with", nil
	}
	var differ, changing []string
	for _, table := range slices.Sorted(maps.Keys(recorded)) {
		want, got := recorded[table], restored[table]
		switch _, there := restored[table]; {
		case !there && want != nil:
			differ = append(differ, fmt.Sprintf("table %s is missing", table))
		case want == nil:
			changing = append(changing, table)
		case got == nil:
			differ = append(differ, fmt.Sprintf("table %s cannot be read", table))
		case got.Rows != want.Rows:
			differ = append(differ, fmt.Sprintf("table %s has %d rows and had %d", table, got.Rows, want.Rows))
		case got.Sum != want.Sum:
			differ = append(differ, fmt.Sprintf("table %s has %d rows as before, but not the same", table, got.Rows))
		}
	}
	if len(differ) > 0 {
		return "", failure(operation.ReasonVerificationFailed, "", nil, "what comes back of the backup %s is not what was backed up: %s", m.location, bounded(differ, "; "))
	}
	text += fmt.Sprintf(", %d compared with what the server had", len(recorded)-len(changing))
	if len(changing) > 0 {
		text += "; changed while the backup was taken, and not compared: " + bounded(changing, ", ")
	}
	return text, nil
}

func bounded(all []string, separator string) string {
	if more := len(all) - maxNamed; more > 0 {
		return strings.Join(all[:maxNamed], separator) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, separator)
}
