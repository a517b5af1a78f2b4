// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"reflect"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

var _ worker.Clock = &Seat{}

// WithTimeout implements worker.Clock. A call that takes longer says so itself.
func (s *Seat) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Worker is the operator that is shipped.
func Worker(s *Seat) Pass {
	w := &worker.Worker{Engine: worker.MySQL(), Agents: s, Journal: s, Clock: s, Each: worker.InOrder}
	memory := &topology.Memory{}
	return func(ctx context.Context) error {
		ctx = klog.NewContext(ctx, klog.Logger{})
		out, err := w.Run(ctx, memory)
		if s.w.traced {
			s.w.trace("operator %d: %s %s: %s", s.index, out.Plan.State, out.Plan.Reason, out.Plan.Message)
		}
		if err != nil {
			return err
		}
		return s.report(ctx, out)
	}
}

// report is what the controller writes after a pass: the members, as they were seen.
func (s *Seat) report(ctx context.Context, out worker.Outcome) error {
	if len(out.Plan.Members) == 0 || reflect.DeepEqual(out.Plan.Members, out.Recorded.Members) {
		return nil
	}
	to := out.Recorded.Clone()
	to.Members = out.Plan.Members
	return s.Save(ctx, out.Recorded, topology.Change{Kind: "Report", To: to})
}
