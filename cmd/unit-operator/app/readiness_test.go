// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/upmio/unit-operator/pkg/metrics"
)

// ask is what a probe or a person reads.
func ask(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestReadyzSaysWhatIsWaitedFor(t *testing.T) {
	r := newReadiness()
	h := newHandler(r, leaderelection.NewLeaderHealthzAdaptor(time.Second), metrics.New().Handler(), false)
	for _, step := range []struct {
		do     func()
		status int
		body   string
	}{
		{func() {}, 503, "starting"},
		{func() { r.set(false, "waiting: the CRDs") }, 503, "waiting: the CRDs"},
		{func() { r.set(true, "standing by: other leads") }, 200, "standing by: other leads"},
		{func() { r.set(false, "waiting: the first list of pods") }, 503, "waiting: the first list of pods"},
		{func() { r.set(true, "ok") }, 200, "ok"},
		{func() { r.end("stopping") }, 503, "stopping"},
		{func() { r.set(true, "ok") }, 503, "stopping"}, // nothing makes it ready again
	} {
		step.do()
		if status, body := ask(t, h, "/readyz"); status != step.status || body != step.body {
			t.Errorf("%d %q, want %d %q", status, body, step.status, step.body)
		}
		// Waiting is no reason to be restarted.
		if status, body := ask(t, h, "/healthz"); status != 200 || body != "ok" {
			t.Errorf("/healthz: %d %q", status, body)
		}
	}
}

func TestAWaitEndsWhenItsReasonIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReadiness()
		var tries int
		start := time.Now()
		ok := r.until(t.Context(), time.Second, func(context.Context) error {
			tries++
			if tries == 4 {
				return nil
			}
			if tries > 1 {
				if ready, what := r.get(); ready || what != "waiting: no CRDs" {
					t.Errorf("ready %v, %q", ready, what)
				}
			}
			return errors.New("no CRDs")
		})
		if !ok || tries != 4 || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %d tries in %v", ok, tries, time.Since(start))
		}
	})
}

func TestAWaitEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if newReadiness().until(ctx, time.Second, func(context.Context) error { return errors.New("never") }) {
			t.Error("the wait came true")
		}
	})
}

func TestProfilesAreServedOnRequestOnly(t *testing.T) {
	for profiling, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		h := newHandler(newReadiness(), leaderelection.NewLeaderHealthzAdaptor(time.Second), metrics.New().Handler(), profiling)
		if status, _ := ask(t, h, "/debug/pprof/cmdline"); status != want {
			t.Errorf("profiling %v: status %d, want %d", profiling, status, want)
		}
		if status, body := ask(t, h, "/metrics"); status != 200 || !strings.Contains(body, "unit_operator_build_info") {
			t.Errorf("/metrics: %d", status)
		}
	}
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	address := strings.TrimPrefix(taken.URL, "http://")
	_, err := serve(t.Context(), address, http.NotFoundHandler())
	if err == nil || !strings.Contains(err.Error(), "--http-address="+address) {
		t.Errorf("error %v", err)
	}
}
