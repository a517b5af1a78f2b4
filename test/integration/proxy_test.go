// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"

	"github.com/upmio/unit-operator/test/apiproxy"
)

// everyCall collects what the operator called in all tests of this package.
var everyCall = struct {
	sync.Mutex
	set sets.Set[apiproxy.Call]
}{set: sets.New[apiproxy.Call]()}

// newProxy starts a proxy to the API server of cfg that speaks for the bearer of
// token.
func newProxy(t testing.TB, cfg *rest.Config, token string) *apiproxy.Proxy {
	t.Helper()
	bearer := &rest.Config{Host: cfg.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: cfg.CAData, CAFile: cfg.CAFile}}
	return apiproxy.New(t, bearer, func(c apiproxy.Call) {
		everyCall.Lock()
		defer everyCall.Unlock()
		everyCall.set.Insert(c)
	})
}
