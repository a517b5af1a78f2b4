// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// persistedFile of a data directory is what SET PERSIST writes.
const persistedFile = "mysqld-auto.cnf"

// ownedVariables are those that a start decides.
func ownedVariables(start engine.Start) []string {
	owned := []string{"port", "mysqlx_socket"}
	if start.Managed {
		owned = append(owned,
			"read_only", "super_read_only", "event_scheduler",
			"skip_replica_start", "skip_slave_start",
			"relay_log_recovery", "sync_relay_log", "replica_net_timeout", "slave_net_timeout",
			"group_replication_start_on_boot", "group_replication_bootstrap_group")
		for _, v := range []version{{5, 7, 0}, {8, 0, 26}} {
			owned = append(owned, semiSyncOf(v).variables()...)
		}
	}
	return owned
}

// withoutPersisted removes variables from a mysqld-auto.cnf: a JSON object of
// sections (one, or several by kind since 8.0.29), each an object by variable.
func withoutPersisted(content []byte, variables []string) (stripped []byte, changed bool, err error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, false, err
	}
	changed, err = stripObject(file, variables)
	if err != nil || !changed {
		return nil, false, err
	}
	stripped, err = json.Marshal(file)
	return stripped, true, err
}

func stripObject(object map[string]json.RawMessage, variables []string) (changed bool, err error) {
	for key, value := range object {
		if slices.Contains(variables, key) {
			delete(object, key)
			changed = true
			continue
		}
		if !bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) {
			continue
		}
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(value, &inner); err != nil {
			return false, err
		}
		innerChanged, err := stripObject(inner, variables)
		if err != nil {
			return false, err
		}
		if innerChanged {
			if object[key], err = json.Marshal(inner); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}
