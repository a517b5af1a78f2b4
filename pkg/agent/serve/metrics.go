// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/version"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// scrapeTimeout bounds what one scrape may ask of the server.
const scrapeTimeout = 3 * time.Second

type metrics struct {
	registry   *prometheus.Registry
	calls      *prometheus.HistogramVec
	operations *prometheus.HistogramVec
}

func newMetrics(ctx context.Context, reader *statusReader) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "unit_agent_grpc_call_duration_seconds",
			Help:    "Duration of gRPC calls by method and code.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"method", "code"}),
		operations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "unit_agent_operation_duration_seconds",
			Help:    "Time from start to outcome of operations, by action and outcome.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 9),
		}, []string{"action", "outcome"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "unit_agent_build_info", Help: "1, with the version of unit-agent as label.",
	}, []string{"version", "commit"})
	build.WithLabelValues(version.Version, version.Commit).Set(1)
	m.registry.MustRegister(m.calls, m.operations, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&unitCollector{logger: klog.FromContext(ctx), reader: reader})
	return m
}

func (m *metrics) observeOperation(action string, outcome journal.State, took time.Duration) {
	m.operations.WithLabelValues(action, string(outcome)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// One bad sample must not hide all others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 2,
		Timeout:             2 * scrapeTimeout,
	})
}

// observeCall counts and times calls.
func (m *metrics) observeCall(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start := time.Now()
	response, err := handler(ctx, request)
	m.calls.WithLabelValues(path.Base(info.FullMethod), status.Code(err).String()).Observe(time.Since(start).Seconds())
	return response, err
}

// unitCollector asks the files and the server at each scrape.
type unitCollector struct {
	logger klog.Logger
	reader *statusReader
}

var (
	upDesc       = prometheus.NewDesc("unit_agent_server_up", "1 if the server answers queries.", nil, nil)
	writableDesc = prometheus.NewDesc("unit_agent_server_writable", "1 if the server accepts writes.", nil, nil)
	stateDesc    = prometheus.NewDesc("unit_agent_server_state", "1 for the state the server is in.", []string{"state"}, nil)
	roleDesc     = prometheus.NewDesc("unit_agent_role", "1 for the role recorded for this unit.", []string{"role"}, nil)
	holdsDesc    = prometheus.NewDesc("unit_agent_holds", "Number of holds that keep the server down.", nil, nil)
	restartDesc  = prometheus.NewDesc("unit_agent_restart_required", "1 if the applied configuration needs a restart of the server.", nil, nil)
	scrapeDesc   = prometheus.NewDesc("unit_agent_server_scrape_success", "1 if the server's own metrics could be read.", nil, nil)
)

// Describe sends nothing: the server's metrics depend on its version.
func (c *unitCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *unitCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(klog.NewContext(context.Background(), c.logger), scrapeTimeout)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	s, err := c.reader.read(ctx)
	if err != nil {
		c.logger.Error(err, "No status for the metrics")
		gauge(upDesc, 0)
		gauge(scrapeDesc, 0)
		return
	}
	up := s.GetServer().GetState() == agentv1.ServerState_SERVER_STATE_RUNNING
	gauge(upDesc, number(up))
	gauge(writableDesc, number(s.GetServer().GetWritable()))
	gauge(stateDesc, 1, stateWord(s.GetServer().GetState()))
	if word := roleWord(s.GetRole()); word != "" {
		gauge(roleDesc, 1, word)
	}
	gauge(holdsDesc, float64(len(s.GetHolds())))
	gauge(restartDesc, number(s.GetConfiguration().GetRestartRequired()))
	if !up {
		gauge(scrapeDesc, 0)
		return
	}
	samples, err := c.reader.engine.Metrics(ctx)
	if err != nil {
		c.logger.Error(err, "The server's metrics cannot be read")
	}
	gauge(scrapeDesc, number(err == nil))
	for _, sample := range samples {
		metric, err := constMetric(sample)
		if err != nil {
			metric = prometheus.NewInvalidMetric(prometheus.NewDesc(sample.Name, sample.Help, nil, nil), err)
		}
		out <- metric
	}
}

func constMetric(s engine.Sample) (prometheus.Metric, error) {
	names := slices.Sorted(maps.Keys(s.Labels))
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = s.Labels[name]
	}
	valueType := prometheus.GaugeValue
	if s.Type == engine.Counter {
		valueType = prometheus.CounterValue
	}
	return prometheus.NewConstMetric(prometheus.NewDesc(s.Name, s.Help, names, nil), valueType, s.Value, values...)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
