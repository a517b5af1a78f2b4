// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestPlanLabels(t *testing.T) {
	const none, source, replica = "", v1alpha2.RoleSource, v1alpha2.RoleReplica
	pod := func(name, role, epoch string) *slim.Pod {
		p := &slim.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
		if role != "" {
			p.Labels[v1alpha2.LabelRole], p.Labels[v1alpha2.LabelReplication] = role, "orders"
		}
		if epoch != "" {
			p.Annotations[v1alpha2.AnnotationRoleEpoch] = epoch
		}
		return p
	}
	seen := func(name, has, role string, recorded bool) labelled {
		return labelled{pod: pod(name, has, ""), role: role, recorded: recorded}
	}
	unknown := func(name, has string, recorded bool) labelled {
		return labelled{pod: pod(name, has, ""), unknown: true, recorded: recorded}
	}
	for name, tc := range map[string]struct {
		pods []labelled
		want []string
	}{
		"nothing to change": {[]labelled{seen("0", source, source, true), seen("1", replica, replica, false)}, nil},
		"the first labels":  {[]labelled{seen("0", none, source, true), seen("1", none, replica, false)}, []string{"1=replica", "0=source"}},
		"the source moves: taken off before it is given": {
			[]labelled{seen("0", source, replica, false), seen("1", replica, source, true)}, []string{"0=replica", "1=source"},
		},
		"the old source is not seen in any role": {
			[]labelled{seen("1", replica, source, true), seen("0", source, none, false)}, []string{"0=", "1=source"},
		},
		"the old source does not answer: the record is enough": {
			[]labelled{unknown("0", source, false), seen("1", replica, source, true)}, []string{"0=", "1=source"},
		},
		"the source does not answer and keeps its label": {[]labelled{unknown("0", source, true), seen("1", replica, replica, false)}, nil},
		"a replica does not answer and keeps its label":  {[]labelled{unknown("1", replica, false)}, nil},
		"an open server that is not the recorded source": {[]labelled{seen("1", none, source, false)}, nil},
		"the recorded source is not open yet":            {[]labelled{seen("0", none, replica, true)}, nil},
		"a source that was closed":                       {[]labelled{seen("0", source, none, true)}, []string{"0="}},
		"labels of another Replication":                  {[]labelled{{pod: func() *slim.Pod { p := pod("0", source, ""); p.Labels[v1alpha2.LabelReplication] = "old"; return p }(), role: source, recorded: true}}, []string{"0=source"}},
		"labels of a later epoch":                        {[]labelled{{pod: pod("0", source, "8"), role: replica}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range planLabels("orders", 7, tc.pods) {
				got = append(got, fmt.Sprintf("%s=%s", c.pod.Name, c.role))
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
