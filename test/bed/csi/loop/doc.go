// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package loop is a CSI driver for one machine: a volume is an XFS file system in a sparse file behind
// a loop device. Volumes honour fsGroup, grow online, have a true capacity (ENOSPC when full), and can
// be used by every node of the bed, by one at a time.
//
// Invariants: every call may be repeated and finds its work done; a volume's file is never shrunk or
// formatted over; a volume that is mounted on one node is refused on another, as network block storage
// refuses it, so a server behind a partition keeps its data to itself.
package loop

// DriverName is the driver's name in CSIDriver, StorageClass and PersistentVolumes.
const DriverName = "loop.csi.unit-operator-bed"
