// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

// propertyLeftOut of a backup: what was there and is not in it, with the reason.
const propertyLeftOut = "leftOut"

// resultLeftOut tells it to who called.
const resultLeftOut = "leftOut"

// brokenViews of databases: a server that cannot say what columns they have does not let
// them be dumped. A table or function of theirs is gone, or who defines them.
func brokenViews(ctx context.Context, s *session, in, skip []string) (views, why []string, err error) {
	rows, err := s.rows(ctx, "SELECT table_schema AS d, table_name AS t FROM information_schema.views ORDER BY 1, 2")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		name := r.byName["d"] + "." + r.byName["t"]
		if !slices.Contains(in, r.byName["d"]) || slices.Contains(skip, name) {
			continue
		}
		_, err := s.rows(ctx, "SHOW FIELDS FROM "+tableName(r.byName["d"], r.byName["t"]))
		if err == nil {
			continue
		}
		if number(err) == 0 {
			return nil, nil, withServerGone(err)
		}
		views, why = append(views, name), append(why, fmt.Sprintf("view %s (%s)", name, err))
	}
	return views, why, nil
}

// tellLeftOut in the result of a backup.
func tellLeftOut(m *backup.Meta, result map[string]string) {
	if what := m.Properties[propertyLeftOut]; what != "" {
		result[resultLeftOut] = what
		result["message"] += "; it leaves out " + what
	}
}

func recordLeftOut(m *backup.Meta, what []string) {
	if len(what) > 0 {
		m.Properties[propertyLeftOut] = strings.Join(what, "; ")
	}
}
