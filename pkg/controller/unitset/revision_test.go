// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestARevisionIsCutForTheSpecAndForNothingElse(t *testing.T) {
	r := func(number int64, inputs, content string) *observedRevision {
		return &observedRevision{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("r%d", number)}, Number: number, InputsHash: inputs, ContentHash: content}
	}
	gives := func(hash string) *candidate { return &candidate{hash: hash} }
	type decision struct {
		Update             string
		Cut, Bump, Waiting bool
		Available          string
	}
	for _, tc := range []struct {
		name      string
		inputs    string
		adopt     string
		revisions []*observedRevision
		candidate *candidate
		want      decision
	}{
		{"the first", "spec", "", nil, gives("c"), decision{Cut: true}},
		{"the first, something is missing", "spec", "", nil, nil, decision{Waiting: true}},
		{"all is as it was", "spec", "", []*observedRevision{r(1, "spec", "c")}, gives("c"), decision{Update: "r1"}},
		{"all is as it was, the package is gone", "spec", "", []*observedRevision{r(1, "spec", "c")}, nil, decision{Update: "r1"}},
		{"the package was edited", "spec", "", []*observedRevision{r(1, "spec", "c")}, gives("d"), decision{Update: "r1", Available: "d"}},
		{"another content is adopted", "spec", "c", []*observedRevision{r(1, "spec", "c")}, gives("d"), decision{Update: "r1", Available: "d"}},
		{"the edited package is adopted", "spec", "d", []*observedRevision{r(1, "spec", "c")}, gives("d"), decision{Cut: true}},
		{"an adopted package stays", "spec", "d", []*observedRevision{r(1, "spec", "c"), r(2, "spec", "d")}, gives("d"), decision{Update: "r2"}},
		{"the spec changed", "other", "", []*observedRevision{r(1, "spec", "c")}, gives("d"), decision{Cut: true}},
		{"the spec changed, something is missing", "other", "", []*observedRevision{r(1, "spec", "c")}, nil, decision{Update: "r1", Waiting: true}},
		{"the spec went back", "spec", "", []*observedRevision{r(1, "spec", "c"), r(2, "other", "d")}, gives("c"), decision{Update: "r1", Bump: true}},
		{"the spec went back, the package was edited", "spec", "", []*observedRevision{r(1, "spec", "c"), r(2, "other", "d")}, gives("e"), decision{Cut: true}},
	} {
		got := decideRevision(tc.inputs, tc.adopt, tc.revisions, tc.candidate)
		d := decision{Cut: got.cut, Bump: got.bump, Waiting: got.waiting, Available: got.available}
		if got.update != nil {
			d.Update = got.update.Name
		}
		if diff := cmp.Diff(tc.want, d); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, diff)
		}
	}
}

func TestCurrentRevisionIsWhatUnitsComeFromUntilAllAreUpdated(t *testing.T) {
	for _, tc := range []struct {
		name   string
		units  []string
		status string
		want   string
	}{
		{"no units", nil, "old", "new"},
		{"all updated", []string{"new", "new"}, "old", "new"},
		{"some updated", []string{"new", "old"}, "old", "old"},
		{"three revisions, the status knows one", []string{"older", "old", "new"}, "old", "old"},
		{"the status knows none of them", []string{"older", "new"}, "gone", "older"},
		{"somebody has edited a unit's", []string{"bogus", "new"}, "new", "new"},
		{"somebody has edited a unit's, another one is behind", []string{"bogus", "older", "new"}, "new", "older"},
		{"a unit without a revision", []string{"", "new"}, "", "new"},
	} {
		known := []*observedRevision{{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, {ObjectMeta: metav1.ObjectMeta{Name: "old"}}, {ObjectMeta: metav1.ObjectMeta{Name: "older"}}}
		var units []*observedUnit
		for i, r := range tc.units {
			units = append(units, &observedUnit{Ordinal: int32(i), Unit: &slim.Unit{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha2.AnnotationRevision: r}}}})
		}
		if got := currentRevision(units, known, tc.status, "new"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestNewUnitsBelowThePartitionComeFromTheCurrentRevision(t *testing.T) {
	rolling := func(partition *int32) v1alpha2.UpdateStrategySpec {
		return v1alpha2.UpdateStrategySpec{RollingUpdate: &v1alpha2.RollingUpdateSpec{Partition: partition}}
	}
	for _, tc := range []struct {
		name     string
		strategy v1alpha2.UpdateStrategySpec
		ordinal  int32
		current  string
		want     string
	}{
		{"no strategy", v1alpha2.UpdateStrategySpec{}, 0, "old", "new"},
		{"no partition", rolling(nil), 0, "old", "new"},
		{"below", rolling(new(int32(2))), 1, "old", "old"},
		{"at", rolling(new(int32(2))), 2, "old", "new"},
		{"below, no current revision", rolling(new(int32(2))), 1, "", "new"},
		{"OnDelete has no partition", v1alpha2.UpdateStrategySpec{
			Type: v1alpha2.OnDeleteStrategy, RollingUpdate: &v1alpha2.RollingUpdateSpec{Partition: new(int32(2))},
		}, 0, "old", "new"},
	} {
		set := newSet(func(set *v1alpha2.UnitSet) { set.Spec.UpdateStrategy = tc.strategy })
		if got := revisionOfNewUnit(set, tc.ordinal, tc.current, "new"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestSurplusRevisionsAreTheOldestThatNothingUses(t *testing.T) {
	var revisions []*observedRevision
	for i := range int64(revisionHistoryLimit + 5) {
		revisions = append(revisions, &observedRevision{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("r%d", i)}, Number: i})
	}
	units := []*observedUnit{{Unit: &slim.Unit{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha2.AnnotationRevision: "r2"}}, Status: v1alpha2.UnitStatus{Revision: "r1"}}}}
	var got []string
	for _, r := range surplusRevisions(revisions, units, "r0", "") {
		got = append(got, r.Name)
	}
	if d := cmp.Diff([]string{"r3", "r4"}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestPortsThatARevisionPinsAreReadBack(t *testing.T) {
	if _, err := portsOf(map[string]string{revision.AnnotationPorts: "{"}); err == nil {
		t.Error("broken ports are accepted")
	}
	if ports, err := portsOf(nil); err != nil || ports != nil {
		t.Errorf("without any: %v, %v", ports, err)
	}
	if ports, err := portsOf(map[string]string{revision.AnnotationPorts: `[{"name":"mysql","containerPort":3306}]`}); err != nil || len(ports) != 1 || ports[0].ContainerPort != 3306 {
		t.Errorf("%v, %v", ports, err)
	}
}
