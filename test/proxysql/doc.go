// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command proxysql is a stand-in for ProxySQL 2.7.1 in tests. It is not ProxySQL, has
// nothing of its code, and must never carry anybody's traffic: no registry has ProxySQL,
// and the tests of this project need something that behaves like one.
//
// What it keeps to was seen of a real one, or that one's documentation says it.
// conformance_test.go holds it to that, and mysql_test.go in front of real servers of
// MySQL, on the stand-in always and on a real executable where UNIT_OPERATOR_PROXYSQL
// names one; standin_test.go has what is the stand-in's own:
//
//   - Three layers: MEMORY is what statements on the admin interface see and change,
//     RUNTIME is in force, DISK is proxysql.db; LOAD and SAVE copy between them.
//   - The file is read where there is no proxysql.db, with --initial (which makes a new
//     one) and with --reload (which merges it); otherwise the database wins.
//   - The admin interface speaks SQLite. Every error of it is 1045 (28000), prepared
//     statements are refused, BEGIN and ROLLBACK are accepted and ignored, admin comes
//     from the loopback address only, stats sees statistics only.
//   - LOAD ... VARIABLES TO RUNTIME gives values that are not valid the one in force
//     again, and so it does with those that only a start reads.
//   - The SQL port lets the active users in and passes their statements on to an ONLINE
//     server of their hostgroup, or of the query rule that matches; a transaction stays
//     where it began. Without such a server: error 9001 after connect_timeout_server_max.
//   - The monitor moves servers by mysql_replication_hostgroups and their read_only, and
//     shuns those that do not answer its pings.
//   - MySQL 9 as it is seen through 2.7.1: a client whose collation has a number of 255
//     or more gets the default one, except where the server's version begins with 8.
//   - PROXYSQL PAUSE, RESUME, SHUTDOWN, SHUTDOWN SLOW; SIGTERM and exit statuses.
//
// What it does not do: multiplexing (a client has connections of its own to servers),
// the query cache, mirroring, rewriting, digests (match_digest looks at the statement
// itself), chains of query rules (flagIN, flagOUT), statements with several results,
// LOAD DATA LOCAL, the angel process (it runs with -f only), TLS to servers, hashed
// passwords (a user that has one is refused), the words ProxySQL has for a login over TLS
// that it refuses (they are MySQL's here), group replication, Galera and Aurora (the
// table of the first is there and nobody acts on it), replication lag (a real 2.7.1
// cannot see that of MySQL 9 either), a cluster of proxies, the scheduler, the web and
// REST interfaces, the protocol of PostgreSQL, and most tables of statistics. What a
// real one answers to statements that nobody here has tried is not known.
package main
