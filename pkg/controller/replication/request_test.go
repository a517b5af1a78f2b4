// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestASwitchoverIsAskedForOnceByItsAnnotation(t *testing.T) {
	w := newWorld(t)
	w.live()
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Annotations = map[string]string{v1alpha2.AnnotationSwitchover: "mysql-1", "example.com/own": "stays"}
	})
	w.live()
	r := w.replication()
	if r.Status.CurrentSource != "mysql-1" || r.Status.Operation != nil {
		t.Fatalf("source %q, operation %+v", r.Status.CurrentSource, r.Status.Operation)
	}
	if to, there := r.Annotations[v1alpha2.AnnotationSwitchover]; there || r.Annotations["example.com/own"] != "stays" {
		t.Errorf("the request for %q is left: %v", to, r.Annotations)
	}
	// What the spec asks for later is not taken back.
	w.edit(func(r *v1alpha1.MysqlReplication) {
		r.Spec.Source, r.Spec.Replica[1].MysqlReplicationMember = r.Spec.Replica[1].MysqlReplicationMember, r.Spec.Source
	})
	w.live()
	w.live()
	if source := w.replication().Status.CurrentSource; source != "mysql-2" {
		t.Errorf("the source is %q, want mysql-2", source)
	}
	before := w.Attempts
	w.live()
	if w.Attempts != before {
		t.Errorf("%d writes at rest", w.Attempts-before)
	}
}
