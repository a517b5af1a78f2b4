// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import "context"

// holdPod is filled in below.
func (c *Controller) holdPod(ctx context.Context, s *state) (bool, error) { return true, nil }
