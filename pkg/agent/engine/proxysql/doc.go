// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package proxysql runs a ProxySQL: 2 and 3.
//
// ProxySQL keeps what it is told through its admin interface in a database,
// proxysql.db, and reads its configuration file only where there is none. Here the
// file and the database each have their say:
//
//   - At the first start after the file changed, it is merged into the database
//     (--reload): its settings win, what else the database has stays. From then
//     on the database wins, so that what is set at run time survives restarts.
//   - Credentials are not configuration. The admin interface's are generated once
//     per data directory and kept beside it; the agent writes them into the file
//     in place of whatever the template says. The monitoring account of MON_USER
//     and the Secret is set through the admin interface at every start.
//
// The agent logs in as admin on the loopback address, the only one from which
// ProxySQL lets admin in.
package proxysql
