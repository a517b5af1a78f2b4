// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// roleFile in env.ConfigDir is what the role decides. unit-agent.conf includes it
// after postgresql.conf; it is written before each start, and while the server runs
// when the role changes.
const roleFile = "unit-role.conf"

// setting is one line of a configuration file.
type setting struct{ name, value string }

// roleOf is what a start makes of the server: the record's role, else the one of
// starts without a record. A managed server without any is RoleManaged.
func roleOf(start engine.Start) engine.Role {
	switch {
	case start.Record.Role != "":
		return start.Record.Role
	case start.Role != "":
		return start.Role
	case start.Managed:
		return engine.RoleManaged
	}
	return engine.RoleStandalone
}

// standby is true of the roles in which a server is never started as a primary. A
// managed server without a role is started as what it is: the gate lets it start only
// while no Replication owns it, and then there is no other that could be the primary.
func standby(role engine.Role) bool {
	switch role {
	case engine.RoleReplica, engine.RoleIsolated:
		return true
	}
	return false
}

// roleSettings are the settings that the role decides. Those that can be changed
// while the server runs are named by dynamicSettings.
func (e *Engine) roleSettings(role engine.Role, record engine.RoleRecord) []setting {
	if role == engine.RoleStandalone || role == "" {
		return nil
	}
	var conninfo, slot, names string
	switch role {
	case engine.RoleReplica:
		if up := record.Upstream; up != nil {
			conninfo, slot = e.conninfo(*up), up.Slot
			if slot == "" {
				slot = settings.SlotName(e.env.Name)
			}
		}
	case engine.RoleSource:
		names = synchronousNames(e.env.Name, record.Durability)
	}
	lines := []setting{
		{"hot_standby", "on"},
		{"recovery_target_timeline", "latest"},
		// How long a standby that lost its upstream waits before it tries the next one:
		// with the default of 5 s that is most of the gap of a switchover.
		{"wal_retrieve_retry_interval", "500ms"},
		// An idle standby answers once a second, so that who does not is known.
		{"wal_receiver_status_interval", "1s"},
		// A standby whose primary's node is gone without a word takes itself to be connected
		// for so long, which says that the primary is alive. It asks for an answer after half
		// of that.
		{"wal_receiver_timeout", "5s"},
		{"primary_conninfo", conninfo},
		{"primary_slot_name", slot},
		{"synchronous_standby_names", names},
	}
	readOnly := "off"
	if role == engine.RoleManaged || role == engine.RoleSource && record.Role == role && !record.Open {
		// No fence, for a session may set it otherwise: it keeps those away who do not
		// insist. What fences a PostgreSQL is being a standby or being stopped.
		readOnly = "on"
	}
	if role == engine.RoleSource {
		// A delayed standby that becomes the source has all that it received at once.
		lines = append(lines, setting{"recovery_min_apply_delay", "0"})
	}
	return append(lines, setting{"default_transaction_read_only", readOnly})
}

// dynamicSettings are those of roleSettings that differ between roles: they must be
// seen in force after a change.
var dynamicSettings = []string{"primary_conninfo", "primary_slot_name", "synchronous_standby_names", "default_transaction_read_only"}

// roleConfig is the content of roleFile.
func roleConfig(lines []setting) []byte {
	var b strings.Builder
	b.WriteString("# Written by unit-agent before each start and when the role changes.\n")
	for _, s := range lines {
		b.WriteString(s.name + " = " + configLiteral(s.value) + "\n")
	}
	return []byte(b.String())
}
