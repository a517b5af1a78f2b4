// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

// propertySizes of a logical backup: the sizes of its databases, by name, in JSON. A
// restore looks for as much room before it begins.
const propertySizes = "sizes"

// databaseSize is what the tables of a database take, in bytes.
type databaseSize struct {
	Data  int64 `json:"data"`
	Index int64 `json:"index"`
}

// databaseSizes of a server, without tables that are left out.
func databaseSizes(ctx context.Context, s *session, skip []string) (map[string]databaseSize, error) {
	rows, err := s.rows(ctx, `SELECT table_schema AS d, table_name AS t, COALESCE(data_length, 0) AS n, COALESCE(index_length, 0) AS i
FROM information_schema.tables WHERE table_type = 'BASE TABLE'`)
	if err != nil {
		return nil, err
	}
	out := map[string]databaseSize{}
	for _, r := range rows {
		v := r.byName
		if slices.Contains(skip, v["d"]+"."+v["t"]) {
			continue
		}
		data, err := strconv.ParseInt(v["n"], 10, 64)
		if err != nil {
			return nil, err
		}
		index, err := strconv.ParseInt(v["i"], 10, 64)
		if err != nil {
			return nil, err
		}
		size := out[v["d"]]
		out[v["d"]] = databaseSize{size.Data + data, size.Index + index}
	}
	return out, nil
}

// recordSizes of the databases that a dump is of.
func recordSizes(ctx context.Context, s *session, m *backup.Meta, args dumpArgs) error {
	sizes, err := databaseSizes(ctx, s, args.skip)
	if err != nil {
		return err
	}
	for name := range sizes {
		if !slices.Contains(args.databases, name) {
			delete(sizes, name)
		}
	}
	content, err := json.Marshal(sizes)
	m.Properties[propertySizes] = string(content)
	return err
}

// sizesOf a backup; none if it does not say.
func sizesOf(m *backup.Manifest) (map[string]databaseSize, error) {
	recorded := m.Properties[propertySizes]
	if recorded == "" {
		return nil, nil
	}
	var sizes map[string]databaseSize
	if err := json.Unmarshal([]byte(recorded), &sizes); err != nil {
		return nil, fmt.Errorf("the sizes in the manifest: %w", err)
	}
	return sizes, nil
}
