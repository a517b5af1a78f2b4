// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Applied is how long a member may take to apply what the source has, until it is asked
// whether it follows at all.
const Applied = 10 * time.Second

// ReadAll returns the rows of all members once they have applied what the source had
// when it was asked. addresses are those of the members' servers.
func (e Engine) ReadAll(ctx context.Context, account Account, source string, addresses map[string]string) (map[string]Rows, error) {
	committed, err := e.ask(ctx, account, addresses[source], e.position)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	out := map[string]Rows{}
	for member, address := range addresses {
		if err := e.waitFor(ctx, account, address, committed); err != nil {
			return nil, fmt.Errorf("%s: %w", member, err)
		}
		if out[member], err = e.rowsOf(ctx, account, address); err != nil {
			return nil, fmt.Errorf("%s: %w", member, err)
		}
	}
	return out, nil
}

// waitFor a position, in short steps: a session has a statement's patience.
func (e Engine) waitFor(ctx context.Context, account Account, address, position string) error {
	err := errors.New("it applies still")
	for deadline := time.Now().Add(Applied); time.Now().Before(deadline); {
		applied, failed := e.ask(ctx, account, address, e.applied, position)
		if failed == nil && applied == "true" {
			return nil
		}
		if failed != nil {
			err = failed
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("it has not applied within %v what the source has: %w", Applied, err)
}

// ask for one value.
func (e Engine) ask(ctx context.Context, account Account, address, query string, args ...any) (string, error) {
	s, err := e.connect(ctx, account, address)
	if err != nil {
		return "", err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	return s.value(ctx, query, args...)
}

func (e Engine) rowsOf(ctx context.Context, account Account, address string) (Rows, error) {
	s, err := e.connect(ctx, account, address)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rows := Rows{}
	err = s.query(ctx, func(scan func(...any) error) error {
		var id int64
		var n int
		if err := scan(&id, &n); err != nil {
			return err
		}
		rows[id] = n
		return nil
	}, "SELECT id, COUNT(*) FROM "+table+" GROUP BY id")
	return rows, err
}
