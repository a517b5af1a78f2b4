// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package revision

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

func TestReader(t *testing.T) {
	raw, err := Encode(someData())
	if err != nil {
		t.Fatal(err)
	}
	given := func(name string, raw runtime.RawExtension) *appsv1.ControllerRevision {
		return &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: controllertest.Namespace, Name: name}, Data: raw}
	}
	anybodys := func(metav1.Object) error { return nil }
	for name, tc := range map[string]struct {
		revision *appsv1.ControllerRevision
		// shown: informers show it.
		shown bool
		check func(metav1.Object) error
		// gone after the first read.
		gone bool
		// reads of the API for three of the Reader; lost in the end.
		reads int
		lost  bool
	}{
		"one that informers show is read once":        {given("a", raw), true, anybodys, false, 1, false},
		"one that they do not show is read each time": {given("a", raw), false, anybodys, false, 3, false},
		"one that is gone is lost":                    {given("a", raw), false, anybodys, true, 3, true},
		"one that was never there is lost":            {given("b", raw), false, anybodys, false, 3, true},
		"one that is no revision of ours is lost":     {given("a", runtime.RawExtension{Raw: []byte("{}")}), true, anybodys, false, 3, true},
		"one of somebody else's is lost":              {given("a", raw), true, func(metav1.Object) error { return errors.New("not ours") }, false, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := controllertest.NewAPIServer(t, testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
			server.Given(tc.revision)
			seen := slim.NewStatic(slim.LabelIndexes[*slim.Object]())
			if tc.shown {
				obj, err := slim.FromObject(controllertest.Must[*appsv1.ControllerRevision](server, tc.revision.Name))
				if err != nil {
					t.Fatal(err)
				}
				if err := seen.Set(obj); err != nil {
					t.Fatal(err)
				}
			}
			reads := 0
			server.Kube.PrependReactor("get", "controllerrevisions", func(clienttesting.Action) (bool, runtime.Object, error) {
				reads++
				return false, nil, nil
			})
			r := NewReader(server.Kube, &slim.Informers{Revisions: seen})
			var got *Data
			var err error
			for range 3 {
				got, err = r.Get(t.Context(), cache.NewObjectName(controllertest.Namespace, "a"), tc.check)
				if tc.gone && reads == 1 {
					server.Erase(tc.revision)
				}
			}
			if reads != tc.reads {
				t.Errorf("%d reads, want %d", reads, tc.reads)
			}
			if _, lost := errors.AsType[*LostError](err); lost != tc.lost {
				t.Fatalf("error %v", err)
			}
			if !tc.lost {
				if d := cmp.Diff(someData(), got); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			}
		})
	}
}

func TestReaderWithoutAName(t *testing.T) {
	server := controllertest.NewAPIServer(t, testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	r := NewReader(server.Kube, &slim.Informers{Revisions: slim.NewStatic(slim.LabelIndexes[*slim.Object]())})
	_, err := r.Get(t.Context(), cache.NewObjectName(controllertest.Namespace, ""), func(metav1.Object) error { return nil })
	if _, lost := errors.AsType[*LostError](err); !lost {
		t.Errorf("a unit whose annotation was removed: %v", err)
	}
}
