// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestReplacementDue(t *testing.T) {
	at := func(n int) metav1.Time { return metav1.NewTime(time.Unix(int64(n), 0)) }
	call := func(created int, action v1alpha1.Action, edits ...func(*v1alpha1.GrpcCall)) *v1alpha1.GrpcCall {
		c := &v1alpha1.GrpcCall{ObjectMeta: metav1.ObjectMeta{UID: types.UID("call-" + strconv.Itoa(created)), CreationTimestamp: at(created)}}
		c.Spec.Action = action
		c.Spec.Parameters = map[string]v1alpha1.JSON{"overwrite": {Raw: []byte(`"true"`)}}
		for _, edit := range edits {
			edit(c)
		}
		return c
	}
	running := func(c *v1alpha1.GrpcCall) { c.Status.Operation = &v1alpha1.OperationIntent{} }
	done := func(c *v1alpha1.GrpcCall) { running(c); c.Status.Result = v1alpha1.ResultSuccess }
	polite := func(c *v1alpha1.GrpcCall) { c.Spec.Parameters["overwrite"] = v1alpha1.JSON{Raw: []byte(`false`)} }
	const restore, backup = v1alpha1.ActionRestore, v1alpha1.ActionPhysicalBackup
	for name, tc := range map[string]struct {
		calls []*v1alpha1.GrpcCall
		want  types.UID
	}{
		"no calls":                                      {nil, ""},
		"a backup":                                      {[]*v1alpha1.GrpcCall{call(1, backup)}, ""},
		"a restore that is next":                        {[]*v1alpha1.GrpcCall{call(1, restore)}, "call-1"},
		"a restore that runs":                           {[]*v1alpha1.GrpcCall{call(1, restore, running), call(2, restore)}, "call-1"},
		"a restore that was made":                       {[]*v1alpha1.GrpcCall{call(1, restore, done)}, ""},
		"a restore after one that was made":             {[]*v1alpha1.GrpcCall{call(1, restore, done), call(2, restore)}, "call-2"},
		"a restore behind one that waits":               {[]*v1alpha1.GrpcCall{call(2, restore), call(1, backup)}, ""},
		"a restore behind a backup":                     {[]*v1alpha1.GrpcCall{call(1, restore), call(2, backup, running)}, ""},
		"a restore that overwrites nothing":             {[]*v1alpha1.GrpcCall{call(1, restore, polite)}, ""},
		"a restore that overwrites nothing, as it runs": {[]*v1alpha1.GrpcCall{call(1, restore, polite, running)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replacementDue(tc.calls); got != tc.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestAPodWithoutANodeRunsNothing(t *testing.T) {
	s := &state{replication: viewMysql(newReplication("orders"))}
	for name, tc := range map[string]struct {
		node        string
		last        *v1alpha2.UnitLastPod
		runs, ended types.UID
	}{
		"on a node":                          {"n1", nil, "p", ""},
		"on no node":                         {"", nil, "", "p"},
		"on no node, after one that may run": {"", &v1alpha2.UnitLastPod{UID: "before"}, "", ""},
		"on no node, after an earlier":       {"", &v1alpha2.UnitLastPod{UID: "before", Ended: v1alpha2.PodEndKubelet}, "", "before"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &member{unit: slimUnit("mysql-1", "u1"), pod: &slim.Pod{ObjectMeta: metav1.ObjectMeta{UID: "p"}, NodeName: tc.node}}
			m.unit.Status.LastPod = tc.last
			if got := request(s, m); got.PodUID != tc.runs || got.EndedPodUID != tc.ended {
				t.Errorf("runs %q, ended %q", got.PodUID, got.EndedPodUID)
			}
		})
	}
}
