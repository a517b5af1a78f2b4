// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// words of a version's replication statements. Servers of 8.4 no longer know the old
// ones, those before 8.0.23 do not know the new ones.
type words struct{ change, prefix, replica string }

func wordsOf(v version) words {
	w := words{"CHANGE REPLICATION SOURCE TO", "SOURCE_", "REPLICA"}
	if !v.atLeast(8, 0, 23) {
		w.change, w.prefix = "CHANGE MASTER TO", "MASTER_"
	}
	if !v.atLeast(8, 0, 22) {
		w.replica = "SLAVE"
	}
	return w
}

// channelSuffix names the agent's channel: without it statements reach all channels.
const channelSuffix = " FOR CHANNEL ''"

// changeSource points the agent's channel to an upstream. Its password is given at
// each start of the receiver and never stored: SOURCE_PASSWORD removes one that is.
// A lost source is tried again every second, for ever. Its certificate is checked by the
// authority in the file ca, if there is one; hadCA takes an earlier one back.
func changeSource(v version, u engine.Upstream, user, ca string, hadCA bool) string {
	w := wordsOf(v)
	options := []string{
		w.prefix + "HOST = " + literal(u.Host),
		w.prefix + "PORT = " + strconv.Itoa(u.Port),
		w.prefix + "USER = " + literal(user),
		w.prefix + "PASSWORD = ''",
		w.prefix + "AUTO_POSITION = 1",
		w.prefix + "CONNECT_RETRY = 1",
		w.prefix + "RETRY_COUNT = 0",
		w.prefix + "SSL = 1",
	}
	if ca != "" || hadCA {
		options = append(options, w.prefix+"SSL_CA = "+literal(ca))
	}
	if v.atLeast(8, 0, 4) {
		options = append(options, "GET_"+w.prefix+"PUBLIC_KEY = 1")
	}
	return w.change + " " + strings.Join(options, ", ") + channelSuffix
}

// startReceiver has the channel's password: servers leave it out of their logs.
func startReceiver(v version, c engine.ChannelAccount) string {
	return "START " + wordsOf(v).replica + " IO_THREAD USER = " + literal(c.User) + " PASSWORD = " + literal(c.Password) + channelSuffix
}

func stopReceiver(v version) string {
	return "STOP " + wordsOf(v).replica + " IO_THREAD" + channelSuffix
}

func startApplier(v version) string {
	return "START " + wordsOf(v).replica + " SQL_THREAD" + channelSuffix
}

func stopApplier(v version) string {
	return "STOP " + wordsOf(v).replica + " SQL_THREAD" + channelSuffix
}

// channelPrivileges are what the account of channels may do: receive, and copy the
// server as a new replica does. PROCESS tells the size of the copy before it is taken.
func channelPrivileges(v version) []string {
	p := []string{"REPLICATION SLAVE", "PROCESS"}
	if v.atLeast(8, 0, 17) {
		p = append(p, "BACKUP_ADMIN")
	}
	return p
}

// channelAccountStatements make the account that replicas log in with.
func channelAccountStatements(v version, c engine.ChannelAccount) []string {
	name, password := accountName(c.User, "%"), literal(c.Password)
	return []string{
		"CREATE USER IF NOT EXISTS " + name + " IDENTIFIED BY " + password,
		"ALTER USER " + name + " IDENTIFIED BY " + password + " ACCOUNT UNLOCK",
		grantStatement(grant{channelPrivileges(v), "*.*", false}, name),
	}
}

// emptyTransaction changes nothing and is written to the binary log, under a GTID that
// the server chooses: an acknowledgement of it counts for all before it.
const emptyTransaction = "FLUSH OPTIMIZER_COSTS"
