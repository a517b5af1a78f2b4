// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	clientmetrics "k8s.io/client-go/tools/metrics"

	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/util/workqueue"

	"github.com/upmio/unit-operator/pkg/version"
)

// Metrics of one operator process.
type Metrics struct {
	registry *prometheus.Registry

	syncs      *prometheus.HistogramVec
	agentCalls *prometheus.HistogramVec
	queues     *queueMetrics
	requests   *requestMetrics
	leader     *prometheus.GaugeVec

	replicationChanges *prometheus.CounterVec
	replicationSteps   *prometheus.HistogramVec
	replicationPhases  *prometheus.HistogramVec
}

// New makes the metrics. Nothing is counted before somebody is given them.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		syncs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "unit_operator_sync_duration_seconds",
			Help:    "Duration of syncs by controller and result (success, requeue, stale, conflict, terminal, error, panic).",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14), // 1 ms to 8 s
		}, []string{"controller", "result"}),
		agentCalls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "unit_operator_agent_call_duration_seconds",
			Help:    "Duration of calls to agents, connecting included, by method and gRPC code.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"method", "code"}),
		queues:   newQueueMetrics(),
		requests: newRequestMetrics(),
		leader: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "leader_election_master_status",
			Help: "1 while this process holds the lease, 0 while another one does.",
		}, []string{"name"}),
	}
	m.replicationChanges = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "unit_operator_replication_changes_total",
		Help: "Changes of replications that were recorded, by the reason of their event, such as SwitchoverSucceeded, SwitchoverTakenBack or FailoverSucceeded.",
	}, []string{"reason"})
	m.replicationSteps = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "unit_operator_replication_step_duration_seconds",
		Help:    "Duration of the calls that change the role of a member or wait for it, by step (Promote, Demote, Follow, Isolate, Wait, Provision ...) and result (success, error).",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15), // 1 ms to 16 s
	}, []string{"step", "result"})
	m.replicationPhases = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "unit_operator_replication_phase_duration_seconds",
		Help:    "Duration of the phases of switchovers and failovers, by operation (Switchover, Failover) and phase (Preparing, Fencing, Opening).",
		Buckets: prometheus.ExponentialBuckets(0.01, 2, 14), // 10 ms to 82 s
	}, []string{"operation", "phase"})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "unit_operator_build_info", Help: "1, with the version of unit-operator as label.",
	}, []string{"version", "commit"})
	build.WithLabelValues(version.Version, version.Commit).Set(1)
	m.registry.MustRegister(m.syncs, m.agentCalls, m.leader, m.replicationChanges, m.replicationSteps, m.replicationPhases, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.queues.collectors()...)
	m.registry.MustRegister(m.requests.collectors()...)
	return m
}

// Install makes client-go report to m. It is for main: client-go takes the first
// one of a process, before the first client and queue are made, and ignores others.
func (m *Metrics) Install() {
	workqueue.SetProvider(m.queues)
	leaderelection.SetProvider(leaderProvider{m.leader})
	clientmetrics.Register(clientmetrics.RegisterOpts{
		RequestLatency:     m.requests.duration,
		RateLimiterLatency: m.requests.throttled,
		RequestResult:      m.requests.results,
		RequestRetry:       m.requests.retries,
	})
}

// Handler serves them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// ObserveSync is loop.Config's Observe.
func (m *Metrics) ObserveSync(controller, result string, took time.Duration) {
	m.syncs.WithLabelValues(controller, result).Observe(took.Seconds())
}

// ObserveAgentCall is agentclient.Options' Observe.
func (m *Metrics) ObserveAgentCall(method, code string, took time.Duration) {
	m.agentCalls.WithLabelValues(method, code).Observe(took.Seconds())
}

// ReplicationChange counts a change of a replication that was recorded.
func (m *Metrics) ReplicationChange(reason string) {
	m.replicationChanges.WithLabelValues(reason).Inc()
}

// ReplicationStep is a call to the agent of a replication's member.
func (m *Metrics) ReplicationStep(step string, failed bool, took time.Duration) {
	result := "success"
	if failed {
		result = "error"
	}
	m.replicationSteps.WithLabelValues(step, result).Observe(took.Seconds())
}

// ReplicationPhase is a phase of a switchover or failover that is over.
func (m *Metrics) ReplicationPhase(operation, phase string, took time.Duration) {
	m.replicationPhases.WithLabelValues(operation, phase).Observe(took.Seconds())
}
