// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// maxWait of a commit for its acknowledgements in milliseconds: the largest value that
// the server takes. After 49.7 days it would continue without them.
const maxWait = "4294967295"

// setting is a system variable of this server and its value.
type setting struct{ name, value string }

// semiSync names the variables of semi-synchronous replication, which 8.0.26 renamed
// along with the plugins.
type semiSync struct {
	sourceLibrary, replicaLibrary               string
	sourceEnabled, replicaEnabled               string
	waitFor, timeout, waitPoint, waitNoReplicas string
}

func semiSyncOf(v version) semiSync {
	if v.atLeast(8, 0, 26) {
		return semiSync{
			sourceLibrary: "semisync_source.so", replicaLibrary: "semisync_replica.so",
			sourceEnabled: "rpl_semi_sync_source_enabled", replicaEnabled: "rpl_semi_sync_replica_enabled",
			waitFor: "rpl_semi_sync_source_wait_for_replica_count", timeout: "rpl_semi_sync_source_timeout",
			waitPoint: "rpl_semi_sync_source_wait_point", waitNoReplicas: "rpl_semi_sync_source_wait_no_replica",
		}
	}
	return semiSync{
		sourceLibrary: "semisync_master.so", replicaLibrary: "semisync_slave.so",
		sourceEnabled: "rpl_semi_sync_master_enabled", replicaEnabled: "rpl_semi_sync_slave_enabled",
		waitFor: "rpl_semi_sync_master_wait_for_slave_count", timeout: "rpl_semi_sync_master_timeout",
		waitPoint: "rpl_semi_sync_master_wait_point", waitNoReplicas: "rpl_semi_sync_master_wait_no_slave",
	}
}

// durability is what a source must have set to keep the promise, in the order in which
// a running server takes it: waiting begins last, when it is known for what.
func (s semiSync) durability(d engine.Durability) []setting {
	if d.Mode != engine.DurabilitySync {
		return []setting{{s.sourceEnabled, "OFF"}}
	}
	return []setting{
		{s.waitFor, strconv.Itoa(max(1, d.W))},
		{s.timeout, maxWait},
		{s.waitPoint, "AFTER_SYNC"},
		{s.waitNoReplicas, "ON"},
		{s.sourceEnabled, "ON"},
	}
}

// forRecord is what a server has set from its start. Only a recorded source waits for
// acknowledgements, and only a recorded replica may send them.
func (s semiSync) forRecord(r engine.RoleRecord) []setting {
	durability := engine.Durability{}
	if r.Role == engine.RoleSource {
		durability = r.Durability
	}
	acknowledge := r.Role == engine.RoleReplica && r.Acknowledge
	return append(s.durability(durability), setting{s.replicaEnabled, onOff(acknowledge)})
}

// variables are all that the agent decides.
func (s semiSync) variables() []string {
	return []string{s.sourceEnabled, s.replicaEnabled, s.waitFor, s.timeout, s.waitPoint, s.waitNoReplicas}
}

// plugins loads both plugins, so that a server changes its role without a restart.
// A configuration may load them as well: the server logs that and starts.
func (s semiSync) plugins() []string {
	return []string{"--plugin-load-add=" + s.sourceLibrary, "--plugin-load-add=" + s.replicaLibrary}
}

// looseArgs are settings on a command line. loose: a server without the plugin starts
// read-only and is not opened, because its settings are read back first.
func looseArgs(settings []setting) []string {
	var a []string
	for _, s := range settings {
		a = append(a, "--loose-"+strings.ReplaceAll(s.name, "_", "-")+"="+s.value)
	}
	return a
}

// setGlobal is the statement for a setting.
func setGlobal(s setting) string {
	value := s.value
	if _, err := strconv.ParseUint(value, 10, 64); err != nil {
		value = literal(value)
	}
	return "SET GLOBAL " + s.name + " = " + value
}

// readSettings selects the settings' values, one column each, as text.
func readSettings(settings []setting) string {
	columns := make([]string, len(settings))
	for i, s := range settings {
		columns[i] = "CAST(@@global." + s.name + " AS CHAR)"
	}
	return "SELECT " + strings.Join(columns, ", ")
}

// differing are those of the settings that the server has otherwise.
func differing(settings []setting, values []string) []setting {
	var d []setting
	for i, s := range settings {
		if !sameValue(s.value, values[i]) {
			d = append(d, s)
		}
	}
	return d
}

// sameValue compares a value with what the server prints of it: booleans are 0 and 1.
func sameValue(want, got string) bool {
	switch want {
	case "ON":
		return got == "1" || strings.EqualFold(got, "ON")
	case "OFF":
		return got == "0" || strings.EqualFold(got, "OFF")
	}
	return strings.EqualFold(want, got)
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

// notInForce says which settings the server refused to keep.
func notInForce(settings []setting) error {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name + " = " + s.value
	}
	return fmt.Errorf("the server did not keep %s", strings.Join(names, ", "))
}
