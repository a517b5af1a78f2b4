// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

func TestRecentKeepsWhatIsNew(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	object := func(name, version string, age time.Duration) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, ResourceVersion: version, CreationTimestamp: metav1.NewTime(now.Add(-age)),
		}, Data: map[string]string{"k": version}}
	}
	has := func(r *Recent[*corev1.ConfigMap], name, version string) bool {
		obj, ok := r.Get(cache.NewObjectName("ns", name), version)
		if ok && obj.Data["k"] != version {
			t.Errorf("%s at version %s is another one: %v", name, version, obj.Data)
		}
		return ok
	}
	for _, tc := range []struct {
		name string
		do   func(r *Recent[*corev1.ConfigMap])
		want bool
	}{
		{"of this version", func(r *Recent[*corev1.ConfigMap]) { r.Came(object("a", "1", time.Second)) }, true},
		{"not of another version", func(r *Recent[*corev1.ConfigMap]) { r.Came(object("a", "2", time.Second)) }, false},
		{"not one that was changed since", func(r *Recent[*corev1.ConfigMap]) {
			r.Came(object("a", "1", time.Second))
			r.Came(object("a", "2", time.Second))
		}, false},
		{"not what a list brings of old ones", func(r *Recent[*corev1.ConfigMap]) { r.Came(object("a", "1", time.Hour)) }, false},
		{"an old one that was read", func(r *Recent[*corev1.ConfigMap]) { r.Read(object("a", "1", time.Hour)) }, true},
		{"not for longer than a moment", func(r *Recent[*corev1.ConfigMap]) {
			r.Came(object("a", "1", time.Second))
			now = now.Add(recentAge)
			r.Came(object("b", "1", time.Second))
		}, false},
		{"not more than a limit", func(r *Recent[*corev1.ConfigMap]) {
			r.Came(object("a", "1", time.Second))
			for i := range recentLimit {
				r.Came(object(fmt.Sprint(i), "1", time.Second))
			}
		}, false},
		{"nothing of another kind", func(r *Recent[*corev1.ConfigMap]) { r.Came(&corev1.Secret{}) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewRecent[*corev1.ConfigMap](clock)
			tc.do(r)
			if got := has(r, "a", "1"); got != tc.want {
				t.Errorf("it is kept: %v, want %v", got, tc.want)
			}
			if n := len(r.entries); n > recentLimit || n != r.order.Len() {
				t.Errorf("%d entries, %d in order", n, r.order.Len())
			}
		})
	}
	t.Run("each caller has a copy", func(t *testing.T) {
		r := NewRecent[*corev1.ConfigMap](clock)
		r.Read(object("a", "1", 0))
		one, _ := r.Get(cache.NewObjectName("ns", "a"), "1")
		one.Data["k"] = "changed"
		if !has(r, "a", "1") {
			t.Error("it is gone")
		}
	})
	t.Run("none keeps nothing", func(t *testing.T) {
		var r *Recent[*corev1.ConfigMap]
		r.Came(object("a", "1", 0))
		if has(r, "a", "1") {
			t.Error("it is kept")
		}
	})
}
