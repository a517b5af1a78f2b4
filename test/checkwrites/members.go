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
func ReadAll(ctx context.Context, account Account, source string, addresses map[string]string) (map[string]Rows, error) {
	executed, err := ask(ctx, account, addresses[source], "SELECT @@global.gtid_executed")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	out := map[string]Rows{}
	for member, address := range addresses {
		if err := waitFor(ctx, account, address, executed); err != nil {
			return nil, fmt.Errorf("%s: %w", member, err)
		}
		if out[member], err = rowsOf(ctx, account, address); err != nil {
			return nil, fmt.Errorf("%s: %w", member, err)
		}
	}
	return out, nil
}

// waitFor the transactions, in short steps: a session has a statement's patience.
func waitFor(ctx context.Context, account Account, address, executed string) error {
	err := errors.New("it applies still")
	for deadline := time.Now().Add(Applied); time.Now().Before(deadline); {
		// 0: the member has them, 1: not within the second.
		behind, failed := ask(ctx, account, address, "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 1)", executed)
		if failed == nil && behind == "0" {
			return nil
		}
		if failed != nil {
			err = failed
			time.Sleep(100 * time.Millisecond)
		}
	}
	return fmt.Errorf("it has not applied within %v what the source has: %w", Applied, err)
}

// ask for one value.
func ask(ctx context.Context, account Account, address, query string, args ...any) (string, error) {
	s, err := connect(ctx, account, address)
	if err != nil {
		return "", err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	var value string
	err = s.conn.QueryRowContext(ctx, query, args...).Scan(&value)
	return value, err
}

func rowsOf(ctx context.Context, account Account, address string) (Rows, error) {
	s, err := connect(ctx, account, address)
	if err != nil {
		return nil, err
	}
	defer s.close()
	result, err := s.conn.QueryContext(ctx, "SELECT id, COUNT(*) FROM "+table+" GROUP BY id")
	if err != nil {
		return nil, err
	}
	defer result.Close()
	rows := Rows{}
	for result.Next() {
		var id int64
		var n int
		if err := result.Scan(&id, &n); err != nil {
			return nil, err
		}
		rows[id] = n
	}
	return rows, result.Err()
}
