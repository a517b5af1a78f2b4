// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/metrics"
)

// What an administrator would put on a dashboard, as Prometheus reads it.
func TestAScrapeTellsHowManySwitchoversAndFailoversThereWereAndHowLongTheirPhasesTook(t *testing.T) {
	w := newWorld(t)
	m := metrics.New()
	w.controller.measure = m
	w.live()
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Spec.Source, r.Spec.Replica[0].MysqlReplicationMember = r.Spec.Replica[0].MysqlReplicationMember, r.Spec.Source
	})
	w.live()
	// The next change of the source is a failover.
	unit := w.theUnit(1)
	unit.Status.LastPod = &v1alpha2.UnitLastPod{UID: w.podUID(1), Ended: v1alpha2.PodEndKubelet}
	unit.Status.PodUID = ""
	w.servers.stop(w.podUID(1))
	w.Erase(w.pod(1))
	w.Given(unit)
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Spec.Failover = &v1alpha1.ReplicationFailover{Enabled: true, DelaySeconds: new(int32(5))}
	})
	for range 10 {
		w.settle()
		w.pass()
		w.clock.Step(restInterval)
	}
	if r := w.replication(); r.Status.CurrentSource == "mysql-1" || r.Status.Operation != nil {
		t.Fatalf("source %q, operation %+v, conditions %+v", r.Status.CurrentSource, r.Status.Operation, r.Status.Conditions)
	}

	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`unit_operator_replication_changes_total{reason="SwitchoverStarted"} 1`,
		`unit_operator_replication_changes_total{reason="SwitchoverSucceeded"} 1`,
		`unit_operator_replication_changes_total{reason="FailoverStarted"} 1`,
		`unit_operator_replication_changes_total{reason="FailoverSucceeded"} 1`,
		`unit_operator_replication_phase_duration_seconds_count{operation="Switchover",phase="Preparing"} 1`,
		`unit_operator_replication_phase_duration_seconds_count{operation="Switchover",phase="Opening"} 1`,
		`unit_operator_replication_phase_duration_seconds_count{operation="Failover",phase="Fencing"} 1`,
		`unit_operator_replication_phase_duration_seconds_count{operation="Failover",phase="Opening"} 1`,
	} {
		if !strings.Contains(answer.Body.String(), want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(answer.Body.String()) {
			if strings.HasPrefix(line, "unit_operator_replication") && !strings.Contains(line, "bucket") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}
