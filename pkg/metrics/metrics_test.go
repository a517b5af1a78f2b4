// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
)

// scrape is what Prometheus would read, without comments and without what the
// process says of itself.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "go_") && !strings.HasPrefix(line, "process_") {
			lines = append(lines, line)
		}
	}
	return lines
}

func has(t *testing.T, lines []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(lines, w) {
			t.Errorf("no line %q in\n%s", w, strings.Join(lines, "\n"))
		}
	}
}

func TestSyncsAndCallsAreCountedByResult(t *testing.T) {
	m := New()
	m.ObserveSync("unitset", "success", 3*time.Millisecond)
	m.ObserveSync("unitset", "success", 5*time.Millisecond)
	m.ObserveSync("unitset", "conflict", time.Millisecond)
	m.ObserveAgentCall("Apply", "Unavailable", time.Second)
	has(t, scrape(t, m),
		`unit_operator_sync_duration_seconds_count{controller="unitset",result="success"} 2`,
		`unit_operator_sync_duration_seconds_sum{controller="unitset",result="success"} 0.008`,
		`unit_operator_sync_duration_seconds_count{controller="unitset",result="conflict"} 1`,
		`unit_operator_agent_call_duration_seconds_count{code="Unavailable",method="Apply"} 1`,
	)
}

func TestAQueueReportsDepthWaitsAndRetries(t *testing.T) {
	m := New()
	clock := clocktesting.NewFakeClock(time.Now())
	q := workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Minute, time.Minute),
		workqueue.TypedRateLimitingQueueConfig[string]{Name: "unitset", Clock: clock, MetricsProvider: m.queues},
	)
	defer q.ShutDown()
	q.Add("a")
	q.Add("a") // already waiting
	q.Add("b")
	clock.Step(2 * time.Second)
	key, _ := q.Get()
	clock.Step(time.Second)
	q.Done(key)
	q.AddRateLimited(key)
	has(t, scrape(t, m),
		`workqueue_adds_total{name="unitset"} 2`,
		`workqueue_depth{name="unitset"} 1`,
		`workqueue_queue_duration_seconds_sum{name="unitset"} 2`,
		`workqueue_work_duration_seconds_sum{name="unitset"} 1`,
		`workqueue_retries_total{name="unitset"} 1`,
	)
}

func TestRequestsAndLeadershipAreReportedByTheUsualNames(t *testing.T) {
	m := New()
	u := url.URL{Scheme: "https", Host: "10.0.0.1", Path: "/api/v1/namespaces/orders/secrets/orders-secret"}
	m.requests.duration.Observe(t.Context(), "GET", u, 250*time.Millisecond)
	m.requests.throttled.Observe(t.Context(), "GET", u, 2*time.Second)
	m.requests.results.Increment(t.Context(), "404", "GET", u.Host)
	m.requests.retries.IncrementRetry(t.Context(), "429", "GET", u.Host)
	leader := leaderProvider{m.leader}.NewLeaderMetric()
	leader.Off("unit-operator")
	leader.On("unit-operator")
	lines := scrape(t, m)
	has(t, lines,
		`rest_client_request_duration_seconds_sum{verb="GET"} 0.25`,
		`rest_client_rate_limiter_duration_seconds_sum{verb="GET"} 2`,
		`rest_client_requests_total{code="404",method="GET"} 1`,
		`rest_client_request_retries_total{code="429",method="GET"} 1`,
		`leader_election_master_status{name="unit-operator"} 1`,
	)
	if all := strings.Join(lines, "\n"); strings.Contains(all, "orders") {
		t.Errorf("a name of a user's object is in the metrics:\n%s", all)
	}
}

func TestLabelsAreTheOnesThatCannotGrow(t *testing.T) {
	m := New()
	m.ObserveSync("unit", "success", time.Second)
	m.ObserveAgentCall("Apply", "OK", time.Second)
	m.queues.NewDepthMetric("unit").Inc()
	m.requests.results.Increment(t.Context(), "200", "GET", "host")
	m.requests.duration.Observe(t.Context(), "GET", url.URL{}, time.Second)
	got := map[string]bool{}
	for _, line := range scrape(t, m) {
		for _, match := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(line, -1) {
			got[match[1]] = true
		}
	}
	want := map[string]bool{"controller": true, "result": true, "method": true, "code": true, "verb": true, "name": true, "le": true, "version": true, "commit": true}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
}
