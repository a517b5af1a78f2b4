// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// syncRequest takes the annotation off that asked for a source once, when that is the
// source: left there, it would take the next failover back, and the next change of
// spec.source.
func (c *Controller) syncRequest(ctx context.Context, s *state) error {
	to := s.replication.Annotations[v1alpha2.AnnotationSwitchover]
	if to == "" || to != s.status.CurrentSource || s.status.Operation != nil {
		return nil
	}
	if err := c.control.removeAnnotation(ctx, s.replication, v1alpha2.AnnotationSwitchover); err != nil {
		return err
	}
	return errWritten
}
