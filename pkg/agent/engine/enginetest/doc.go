// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enginetest runs tests of engines against real servers, in boxes that
// resemble the database container of a pod: the server's root filesystem, uid
// 999, no capabilities, namespaces of its own for processes, mounts and network,
// and the test as PID 1.
//
// The root filesystems are directories named TYPE-VERSION (mysql-9.7,
// postgresql-17, proxysql-2.7.1-stand-in) in $UNIT_OPERATOR_SERVERS, else in "servers"
// below the project's cache. make-servers.sh beside this file makes them, with
// "--also postgresql-15" that of a second PostgreSQL too. A test for which there is
// none, or that does not run as root, is skipped with a message, unless
// UNIT_OPERATOR_REQUIRE_SERVERS names its type (mysql,postgresql): then it fails.
// hack/test-servers.sh makes them, of both PostgreSQLs, and runs all such tests;
// UNIT_OPERATOR_SERVERS=none, as in hack/test.sh, leaves them to it.
//
// No registry has ProxySQL. Its tests run on the stand-in of test/proxysql, or, where
// UNIT_OPERATOR_PROXYSQL is the path of a real executable or of a docker archive of an
// image, on that one alone; the name of each test's server says which.
//
// EachOnVolume gives a box a data volume that can hang, EachOnNetwork a network that can
// lose packets. They need bindfs and iptables, which hack/test-servers.sh installs. Boxes
// may live while the test bed runs: they hold none of its mounts.
//
// Operate gives a test the server as operations handle it, and Replacing.Conform runs what
// the restores and clones of whole servers have to do alike, whatever the engine.
//
// A package that uses it calls Main from its TestMain, and Each from a test:
//
//	func TestMain(m *testing.M) { enginetest.Main(m, New) }
//
//	func TestRestart(t *testing.T) {
//		enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) { ... })
//	}
package enginetest
