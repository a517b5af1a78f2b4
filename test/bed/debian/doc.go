// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package debian uses the machine's own apt: it installs the programs the bed needs and makes root
// filesystems of Debian releases from the mirror that the machine itself is configured with.
package debian
