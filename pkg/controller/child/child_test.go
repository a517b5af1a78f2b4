// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/consistency"
	"github.com/upmio/unit-operator/pkg/controller/controllertest"
	"github.com/upmio/unit-operator/pkg/controller/findings"
)

type configMaps = Applied[*v1alpha2.UnitSet, *corev1.ConfigMap, *corev1ac.ConfigMapApplyConfiguration]

// nothingSeen is an informer that lags for ever.
type nothingSeen struct{}

func (nothingSeen) SeenResourceVersion(string) string { return "1" }

// world is a Writer of ConfigMaps for a UnitSet.
type world struct {
	*controllertest.APIServer
	c configMaps

	ctx    context.Context //nolint:containedctx // It has the logger that the test reads.
	logs   ktesting.Underlier
	set    *v1alpha2.UnitSet
	wrote  *consistency.Store
	events *events.FakeRecorder
}

func newWorld(t *testing.T) *world {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.Verbosity(2), ktesting.BufferLogs(true)))
	w := &world{
		APIServer: controllertest.NewAPIServer(t, testingclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))),
		ctx:       klog.NewContext(t.Context(), logger),
		logs:      logger.GetSink().(ktesting.Underlier),
		set:       &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Namespace: controllertest.Namespace, Name: "orders", UID: "set-1"}},
		events:    events.NewFakeRecorder(100),
	}
	w.Bump(&metav1.ObjectMeta{}) // the one that is seen
	kind := v1alpha2.SchemeGroupVersion.WithKind("UnitSet")
	resource := corev1.Resource("configmaps")
	w.wrote = consistency.New(map[schema.GroupResource]consistency.ResourceVersionReader{resource: nothingSeen{}})
	writer := NewWriter[*v1alpha2.UnitSet]("test", kind, w.wrote, findings.NewRecorder(w.events, kind, findings.Kind{}))
	w.c = AppliedOf(writer, Kind{"ConfigMap", resource}, w.Kube.CoreV1().ConfigMaps,
		func(have *corev1.ConfigMap, want *corev1ac.ConfigMapApplyConfiguration) *Correction {
			if _, foreign := have.Data["foreign"]; foreign {
				return &Correction{"/data", want.Data}
			}
			return nil
		})
	return w
}

func (w *world) owned(name string, edits ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: controllertest.Namespace, Name: name,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.set, v1alpha2.SchemeGroupVersion.WithKind("UnitSet"))},
		},
		Data: map[string]string{"a": "1"},
	}
	for _, edit := range edits {
		edit(cm)
	}
	return cm
}

func foreign(cm *corev1.ConfigMap) { cm.OwnerReferences = nil }

func ofAnEarlierSet(cm *corev1.ConfigMap) { cm.OwnerReferences[0].UID = "set-0" }

func (w *world) wanted(name string, data map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(name, controllertest.Namespace).WithData(data).WithOwnerReferences(
		metav1ac.OwnerReference().WithAPIVersion(v1alpha2.SchemeGroupVersion.String()).WithKind("UnitSet").WithName("orders").WithUID(w.set.UID).WithController(true))
}

// lines of the log: what was done, and to what.
func (w *world) lines() []string {
	var lines []string
	for _, entry := range w.logs.GetBuffer().Data() {
		line := entry.Message
		for i := 0; i+1 < len(entry.ParameterKVList); i += 2 {
			if v, ok := entry.ParameterKVList[i+1].(string); ok {
				line += " " + v
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (w *world) stale() bool {
	return w.wrote.EnsureReady(cache.MetaObjectToName(w.set)) != nil
}

func want[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: -want +got:\n%s", what, d)
	}
}

func TestCreate(t *testing.T) {
	t.Run("is remembered and one log line", func(t *testing.T) {
		w := newWorld(t)
		_, created, err := w.c.CreateLoudly(w.ctx, w.set, w.owned("a"))
		if err != nil || !created {
			t.Fatal(created, err)
		}
		want(t, "writes", []string{"create configmaps/a"}, w.Written())
		want(t, "log", []string{"Created ConfigMap a"}, w.lines())
		want(t, "events", []string{"Normal SuccessfulCreate Created ConfigMap a"}, controllertest.Said(w.events))
		if !w.stale() {
			t.Error("the write is forgotten")
		}
	})
	t.Run("of one that is the owner's already is success", func(t *testing.T) {
		w := newWorld(t)
		w.Given(w.owned("a"))
		there, created, err := w.c.CreateLoudly(w.ctx, w.set, w.owned("a"))
		if err != nil || created || there.UID == "" {
			t.Fatal(there, created, err)
		}
		want(t, "events", nil, controllertest.Said(w.events))
		if !w.stale() {
			t.Error("the cache that was late is not waited for")
		}
	})
	t.Run("looks at a name that was taken before it writes again", func(t *testing.T) {
		w := newWorld(t)
		w.Given(w.owned("a", foreign))
		for range 3 {
			_, _, err := w.c.Create(w.ctx, w.set, w.owned("a"))
			if _, conflict := AsNameConflict(err); !conflict {
				t.Fatal(err)
			}
		}
		want(t, "attempts", 1, w.Attempts)
		w.Erase(w.owned("a"))
		if _, created, err := w.c.Create(w.ctx, w.set, w.owned("a")); err != nil || !created {
			t.Fatal(created, err)
		}
	})
	t.Run("that is refused is an event, and no secret of it is logged", func(t *testing.T) {
		w := newWorld(t)
		w.Refuse = func(string) error {
			return apierrors.NewForbidden(corev1.Resource("configmaps"), "a", errors.New("policy"))
		}
		if _, _, err := w.c.Create(w.ctx, w.set, w.owned("a")); err == nil {
			t.Fatal("no error")
		}
		want(t, "events", []string{`Warning FailedCreate Error creating ConfigMap a: configmaps "a" is forbidden: policy`}, controllertest.Said(w.events))
		w.Refuse = func(string) error { return controllertest.ErrInjected }
		if _, _, err := w.c.Create(w.ctx, w.set, w.owned("a")); !errors.Is(err, controllertest.ErrInjected) {
			t.Fatal(err)
		}
		want(t, "events", nil, controllertest.Said(w.events))
		want(t, "log", nil, w.lines())
	})
}

func TestANameConflictSaysWhoseItIs(t *testing.T) {
	w := newWorld(t)
	w.c.Hint = func(*v1alpha2.UnitSet, metav1.Object) string { return ", or labelled" }
	for name, tc := range map[string]struct {
		edit func(*corev1.ConfigMap)
		want string
	}{
		"nobody's":            {foreign, "has no controller"},
		"an earlier set's":    {ofAnEarlierSet, "is controlled by an earlier UnitSet of this name"},
		"another object's":    {func(cm *corev1.ConfigMap) { cm.OwnerReferences[0].Kind, cm.OwnerReferences[0].UID = "Job", "j" }, "is controlled by Job orders"},
		"with a way to go on": {foreign, "renamed or deleted, or labelled"},
	} {
		err := w.c.CheckOurs(w.set, w.owned("a", tc.edit))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	w.c.Ours = func(*v1alpha2.UnitSet, metav1.Object) bool { return true }
	if err := w.c.CheckOurs(w.set, w.owned("a", foreign)); err != nil {
		t.Error(err)
	}
}

func TestPatch(t *testing.T) {
	w := newWorld(t)
	w.Given(w.owned("a"))
	seen := controllertest.Must[*corev1.ConfigMap](w.APIServer, "a")
	labels := map[string]any{"labels": map[string]any{"secret": "value"}}
	if _, ok, err := w.c.Patch(w.ctx, w.set, seen, labels, map[string]any{"data": map[string]any{"b": "2"}}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	got := controllertest.Must[*corev1.ConfigMap](w.APIServer, "a")
	want(t, "data", map[string]string{"a": "1", "b": "2"}, got.Data)
	want(t, "log", []string{"Patched ConfigMap a"}, w.lines())
	if text := w.logs.GetBuffer().String(); strings.Contains(text, "value") || !strings.Contains(text, "metadata.labels") {
		t.Errorf("the log line has the wrong things: %s", text)
	}

	t.Run("of what has changed since is a conflict", func(t *testing.T) {
		_, err := w.c.SetFinalizers(w.ctx, w.set, seen, []string{"x/y"})
		if !apierrors.IsConflict(err) {
			t.Error(err)
		}
	})
	t.Run("of another object of the name changes nothing and is no error", func(t *testing.T) {
		other := got.DeepCopy()
		other.UID = "another"
		if _, ok, err := w.c.Patch(w.ctx, w.set, other, labels, nil); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("of what is gone is no error", func(t *testing.T) {
		w.Erase(got)
		if _, ok, err := w.c.Patch(w.ctx, w.set, got, labels, nil); ok || err != nil {
			t.Error(ok, err)
		}
	})
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.Given(w.owned("a"))
	if err := w.c.DeleteLoudly(w.ctx, w.set, "a", "another", "it is one too many"); err != nil {
		t.Fatal(err)
	}
	have := controllertest.Must[*corev1.ConfigMap](w.APIServer, "a") // the UID protects it
	controllertest.Said(w.events)
	if err := w.c.DeleteLoudly(w.ctx, w.set, "a", have.UID, "it is one too many"); err != nil {
		t.Fatal(err)
	}
	want(t, "events", []string{"Normal SuccessfulDelete Deleting ConfigMap a: it is one too many"}, controllertest.Said(w.events))
	want(t, "log", []string{"Deleted ConfigMap a it is one too many"}, w.lines())
	if err := w.c.Delete(w.ctx, w.set, "a", have.UID, "", nil); err != nil {
		t.Error(err)
	}
}

func TestApply(t *testing.T) {
	data := func(w *world) map[string]string {
		return controllertest.Must[*corev1.ConfigMap](w.APIServer, "a").Data
	}
	t.Run("creates what the cache does not show, with one write", func(t *testing.T) {
		w := newWorld(t)
		if err := w.c.Apply(w.ctx, w.set, w.wanted("a", map[string]string{"a": "1", "b": "2"}), false); err != nil {
			t.Fatal(err)
		}
		want(t, "writes", []string{"create configmaps/a"}, w.Written())
		want(t, "data", map[string]string{"a": "1", "b": "2"}, data(w))
	})
	t.Run("takes nothing over that somebody else made in between", func(t *testing.T) {
		w := newWorld(t)
		w.Given(w.owned("a", foreign))
		for _, seen := range []bool{true, false} {
			if _, conflict := AsNameConflict(w.c.Apply(w.ctx, w.set, w.wanted("a", nil), seen)); !conflict {
				t.Error("no conflict")
			}
		}
		want(t, "data", map[string]string{"a": "1"}, data(w))
	})
	t.Run("takes away what it created and is no longer asked for", func(t *testing.T) {
		w := newWorld(t)
		for _, wanted := range []map[string]string{{"a": "1", "b": "2"}, {"a": "3"}} {
			if err := w.c.Apply(w.ctx, w.set, w.wanted("a", wanted), len(w.Writes) > 0); err != nil {
				t.Fatal(err)
			}
		}
		want(t, "data", map[string]string{"a": "3"}, data(w))
	})
	t.Run("corrects what others own", func(t *testing.T) {
		w := newWorld(t)
		w.Given(w.owned("a", func(cm *corev1.ConfigMap) { cm.Data["foreign"] = "x" }))
		if err := w.c.Apply(w.ctx, w.set, w.wanted("a", map[string]string{"a": "1"}), true); err != nil {
			t.Fatal(err)
		}
		want(t, "data", map[string]string{"a": "1"}, data(w))
		want(t, "log", []string{"Corrected ConfigMap a", "Applied ConfigMap a"}, w.lines())
	})
	t.Run("creates again what the cache still shows", func(t *testing.T) {
		w := newWorld(t)
		if err := w.c.Apply(w.ctx, w.set, w.wanted("a", map[string]string{"a": "1"}), true); err != nil {
			t.Fatal(err)
		}
		want(t, "writes", []string{"create configmaps/a"}, w.Written())
	})
}

func TestPaused(t *testing.T) {
	for value, paused := range map[string]bool{"true": true, "false": false, "": false} {
		set := &v1alpha2.UnitSet{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha2.AnnotationPaused: value}}}
		if Paused(set) != paused {
			t.Errorf("%q", value)
		}
	}
}

func TestPatchStatus(t *testing.T) {
	w := newWorld(t)
	w.Given(w.owned("a"))
	seen := controllertest.Must[*corev1.ConfigMap](w.APIServer, "a")
	type status struct {
		Phase string   `json:"phase,omitempty"`
		Names []string `json:"names,omitempty"`
	}
	if ok, err := w.c.PatchStatus(w.ctx, w.set, seen, status{"a", []string{"x"}}, status{"b", []string{"x"}}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := w.Writes[len(w.Writes)-1]; got != "patch configmaps/a/status" {
		t.Error(got)
	}
	w.Edit()
	if _, err := w.c.PatchStatus(w.ctx, w.set, seen, status{}, status{Phase: "b"}); !apierrors.IsConflict(err) {
		t.Errorf("an older status was written over a newer one: %v", err)
	}
}

// Edit the object as somebody else does.
func (w *world) Edit() {
	cm, _ := controllertest.Get[*corev1.ConfigMap](w.APIServer, "a")
	cm.Data = map[string]string{"edited": "1"}
	w.Given(cm)
}
