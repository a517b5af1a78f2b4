// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// settlePacket gives the server its own limit back, unless somebody has set another.
func settlePacket(ctx context.Context, s *session, b begun) error {
	if b.Packet == "" {
		return nil
	}
	now, err := s.value(ctx, "SELECT @@global.max_allowed_packet")
	if err != nil || now != largestPacket {
		return err
	}
	return s.exec(ctx, "SET GLOBAL max_allowed_packet = "+b.Packet)
}

// loaded is all that is left to do after a load.
func (u unit) loaded(ctx context.Context, b begun, left []string) error {
	b.Restored.At = now()
	if err := u.recordRestored(b.Restored); err != nil {
		return fmt.Errorf("the databases are loaded, but that they were could not be recorded: %w", err)
	}
	if len(left) > 0 {
		b.Result["notRestored"] = strings.Join(left, "; ")
		b.Result["message"] += "; the server refused " + b.Result["notRestored"]
	}
	// What cannot be removed now the next load removes.
	if err := u.tidyUp(ctx, b); err != nil {
		b.Result["message"] += "; what was loaded beside, and what it replaced, is there still: " + err.Error()
	}
	return nil
}

// tidyUp after a load that has come to its end.
func (u unit) tidyUp(ctx context.Context, b begun) error {
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	return errors.Join(settlePacket(ctx, s, b), u.dropAll(ctx, s, b.own()), u.clearLoad())
}

// own are the databases that are there only for the load.
func (b begun) own() []string {
	var out []string
	for _, d := range b.replaced() {
		out = append(out, d.Into, d.Old)
	}
	return out
}

// giveUp removes all that a load has made.
func (u unit) giveUp(ctx context.Context, b begun) error {
	if err := u.awaitServer(ctx); err != nil {
		return err
	}
	s, err := u.loadSession(ctx, b.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	names := b.own()
	for _, d := range b.Databases {
		if d.Old == "" {
			names = append(names, d.Target)
		}
	}
	return errors.Join(settlePacket(ctx, s, b), u.dropAll(ctx, s, names), u.clearLoad())
}

// clearWay removes what an earlier load could not, and lets the server take every row.
func (l *load) clearWay(ctx context.Context) error {
	s, err := l.loadSession(ctx, l.Restored.Logged)
	if err != nil {
		return err
	}
	defer s.close()
	own, err := s.column(ctx, "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return err
	}
	own = slices.DeleteFunc(own, func(name string) bool { return !isOwnDatabase(name) })
	if err := l.dropAll(ctx, s, own); err != nil || l.Packet == "" {
		return err
	}
	return s.exec(ctx, "SET GLOBAL max_allowed_packet = "+largestPacket)
}

func (u unit) dropAll(ctx context.Context, s *session, names []string) error {
	for _, name := range names {
		err := u.insist(ctx, s, []string{name}, func() error {
			return s.exec(ctx, "DROP DATABASE IF EXISTS "+mysql.Identifier(name))
		}, nil)
		if err != nil {
			return fmt.Errorf("removing the database %s: %w", name, err)
		}
	}
	return nil
}

// abandonLoad cleans up after a load that did not come to its end.
func (u unit) abandonLoad(ctx context.Context, op operations.Op) error {
	if err := u.clearSide(); err != nil {
		return err
	}
	b, err := readBegun(op)
	if err != nil {
		return err
	}
	if phase, _ := op.Phase(); phase == phaseReplace {
		done, err := u.isReplaced(ctx, b)
		if err != nil {
			return err
		}
		if done {
			if _, err := u.replaceDatabases(ctx, op); err != nil {
				return err
			}
			return operations.Failed(operation.ReasonTooLate, "the restored tables had taken the places of the old ones already, and they stay")
		}
		if err := u.putBack(ctx, b); err != nil {
			return err
		}
	}
	return u.giveUp(ctx, b)
}

func readBegun(op operations.Op) (begun, error) {
	var b begun
	_, raw := op.Phase()
	err := json.Unmarshal(raw, &b)
	if err == nil && len(b.Databases) == 0 {
		err = errors.New("the record of the load names no database")
	}
	return b, err
}
