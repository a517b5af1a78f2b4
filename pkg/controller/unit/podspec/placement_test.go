// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestTheBoundNodeIsRequiredTogetherWithWhatIsRequiredAlready(t *testing.T) {
	onNode := func(name string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{name}}
	}
	ssd := corev1.NodeSelectorRequirement{Key: "disk", Operator: corev1.NodeSelectorOpIn, Values: []string{"ssd"}}
	zone := corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpExists}
	type terms = []corev1.NodeSelectorTerm
	type expressions = []corev1.NodeSelectorRequirement
	for _, test := range []struct {
		name           string
		required       terms
		template, node string
		want           terms
	}{
		{name: "no node"},
		{name: "nothing else", node: "n1", want: terms{{MatchFields: expressions{onNode("n1")}}}},
		{
			name: "alternatives", node: "n1", required: terms{{MatchExpressions: expressions{ssd}}, {MatchExpressions: expressions{zone}}},
			want: terms{{MatchExpressions: expressions{ssd}, MatchFields: expressions{onNode("n1")}}, {MatchExpressions: expressions{zone}, MatchFields: expressions{onNode("n1")}}},
		},
		{name: "pinned to it already", node: "n1", required: terms{{MatchFields: expressions{onNode("n1")}}}, want: terms{{MatchFields: expressions{onNode("n1")}}}},
		{name: "pinned to another", node: "n1", required: terms{{MatchFields: expressions{onNode("n2")}}}, want: terms{{MatchFields: expressions{onNode("n2"), onNode("n1")}}}},
		{name: "a term that matches nothing still does", node: "n1", required: terms{{}, {MatchExpressions: expressions{ssd}}}, want: terms{{}, {MatchExpressions: expressions{ssd}, MatchFields: expressions{onNode("n1")}}}},
		{name: "the template's nodeName", template: "n3", want: terms{{MatchFields: expressions{onNode("n3")}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := inputFor(t, standalone(func(u *v1alpha2.Unit) {
				u.Spec.Template.Spec.NodeName = test.template
				if test.required != nil {
					u.Spec.Template.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
						RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: test.required},
					}}
				}
			}))
			in.NodeName = test.node
			pod := build(t, in)
			if pod.Spec.NodeName != "" {
				t.Errorf("spec.nodeName is %q: the scheduler never sees the pod", pod.Spec.NodeName)
			}
			var got terms
			if a := pod.Spec.Affinity; a != nil {
				got = a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
