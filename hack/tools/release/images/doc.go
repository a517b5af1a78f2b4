// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package images makes the images of unit-operator and unit-agent without Docker, and
// pushes them. An image is an empty base with one static program, for each platform, and a
// list of what the program was built from (SPDX), which refers to it as OCI 1.1 says.
//
// The same sources, compiler and date give the same digest, wherever and as often as it
// is done: nothing of the machine, its clock or its paths is in an image. It never changes
// a digest by pushing.
package images
