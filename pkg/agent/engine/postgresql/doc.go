// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package postgresql runs a PostgreSQL server: 12 to 18.
//
// Invariants:
//
//   - The agent logs in as unit_agent, a superuser without a password, by peer
//     authentication over the socket only: lines of its own stand first in a
//     pg_hba.conf outside the data directory, and refuse it the network.
//   - A password reaches the server as a SCRAM verifier. Where only the server
//     can make one (SASLprep of a password beyond ASCII), the session that hands
//     it over logs no statement and shows none.
//   - Files of the agent lie outside the data directory: a base backup carries
//     them nowhere. Two exceptions are meant to be carried: the lineage that a restore
//     or clone begins, and histories that stand for numbers of timelines which a
//     promotion passed over.
//   - What the agent owns is on the command line, which wins over postgresql.conf
//     and over ALTER SYSTEM; what must change while the server runs is in
//     unit-agent.conf, which includes the rendered postgresql.conf.
//   - The agent only ever adds standby.signal, pg_promote alone removes it: no server
//     that was a standby starts as a primary.
//   - What the role decides is in unit-role.conf, which unit-agent.conf includes last,
//     never in postgresql.auto.conf, which a base backup carries.
//     synchronous_standby_names is changed on a primary that is recorded as the source
//     only, and is in force before the first client.
//   - The password of the channel is in a file of the state directory.
//   - The data directory is 0700 before each start: fsGroup loosens it and the
//     server refuses it then.
package postgresql
