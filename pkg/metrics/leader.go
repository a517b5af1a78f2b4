// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/leaderelection"
)

// leaderProvider makes client-go's election report to a gauge.
type leaderProvider struct{ master *prometheus.GaugeVec }

func (p leaderProvider) NewLeaderMetric() leaderelection.LeaderMetric { return leaderMetric(p) }

type leaderMetric struct{ master *prometheus.GaugeVec }

func (m leaderMetric) On(name string)           { m.master.WithLabelValues(name).Set(1) }
func (m leaderMetric) Off(name string)          { m.master.WithLabelValues(name).Set(0) }
func (m leaderMetric) SlowpathExercised(string) {}
