// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package images makes the container images that the bed runs, without a registry: databases from
// Debian packages, laid out as the stock images of the same name are, ProxySQL from the executable that
// UNIT_OPERATOR_PROXYSQL names, and the project's own programs.
//
// Invariants: an image has the name that users write in their packages, so the bed runs the same
// manifests; what the stock image lacks (mysqlbinlog, nslookup, netstat, curl, certificate roots) is
// lacking here too, and so are its users' ids the same; versions are those of the packages installed,
// never assumed; without a real ProxySQL the image has the stand-in of test/proxysql, and a version, a tag
// and a label that say so.
package images
