// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientmetrics "k8s.io/client-go/tools/metrics"
)

// requestMetrics are those of requests to the API server. The host is no label:
// there is one, and behind a proxy it would be a lie.
type requestMetrics struct {
	duration, throttled latency
	results             counter
	retries             retryCounter
}

type (
	latency      struct{ *prometheus.HistogramVec }
	counter      struct{ *prometheus.CounterVec }
	retryCounter struct{ *prometheus.CounterVec }
)

var (
	_ clientmetrics.LatencyMetric = latency{}
	_ clientmetrics.ResultMetric  = counter{}
	_ clientmetrics.RetryMetric   = retryCounter{}
)

func newRequestMetrics() *requestMetrics {
	buckets := prometheus.ExponentialBuckets(0.001, 2, 14)
	return &requestMetrics{
		duration: latency{prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rest_client_request_duration_seconds", Help: "Duration of requests to the API server by verb.", Buckets: buckets,
		}, []string{"verb"})},
		throttled: latency{prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rest_client_rate_limiter_duration_seconds", Help: "How long requests wait for --kube-api-qps, by verb.", Buckets: buckets,
		}, []string{"verb"})},
		results: counter{prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rest_client_requests_total", Help: "Requests to the API server by status code and method.",
		}, []string{"code", "method"})},
		retries: retryCounter{prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rest_client_request_retries_total", Help: "Requests to the API server that were sent again, by status code and method.",
		}, []string{"code", "method"})},
	}
}

func (m *requestMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.duration, m.throttled, m.results, m.retries}
}

func (l latency) Observe(_ context.Context, verb string, _ url.URL, took time.Duration) {
	l.WithLabelValues(verb).Observe(took.Seconds())
}

func (c counter) Increment(_ context.Context, code, method, _ string) {
	c.WithLabelValues(code, method).Inc()
}

func (c retryCounter) IncrementRetry(_ context.Context, code, method, _ string) {
	c.WithLabelValues(code, method).Inc()
}
