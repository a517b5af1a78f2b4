// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Call is one request as RBAC sees it.
type Call struct {
	Verb, Group, Resource, Namespace, Name string
}

// String is the call for people.
func (c Call) String() string {
	return fmt.Sprintf("%s %s.%s %s/%s", c.Verb, c.Resource, c.Group, c.Namespace, c.Name)
}

// Write is true for calls that change something, leases and events aside.
func (c Call) Write() bool {
	switch c.Verb {
	case "get", "list", "watch":
		return false
	}
	return c.Resource != "leases" && c.Resource != "events"
}

// Hook is asked about a write: its number from 1, what it is, and the body it sends.
type Hook func(n int, c Call, body []byte) bool

// Proxy forwards to an API server and lets a test look and interfere.
type Proxy struct {
	server *httptest.Server
	// observe is told of every call. Server-side apply has verb apply there.
	observe func(Call)

	mu     sync.Mutex
	writes []Call
	// every call since Reset, reads and events included.
	every []Call
	// before is called ahead of each write; if it returns false the request never
	// reaches the API server.
	before Hook
	// after is called when the API server has answered a write, before the operator
	// sees the answer; false cuts the connection.
	after Hook
	// watchDelay holds every chunk of a watch back.
	watchDelay time.Duration
}

// New starts a proxy to the API server of cfg, with cfg's credentials. observe may be
// nil.
func New(t testing.TB, cfg *rest.Config, observe func(Call)) *Proxy {
	t.Helper()
	target, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if observe == nil {
		observe = func(Call) {}
	}
	p := &Proxy{observe: observe}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = target.Host
			r.Out.Header.Del("Authorization")
		},
		Transport:      transport,
		FlushInterval:  -1,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: p.delay,
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(forward, w, r) }))
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// delay a watch.
func (p *Proxy) delay(r *http.Response) error {
	p.mu.Lock()
	delay := p.watchDelay
	p.mu.Unlock()
	if delay > 0 && r.Request.URL.Query().Get("watch") != "" {
		r.Body = newDelayedBody(r.Body, delay)
	}
	return nil
}

func (p *Proxy) serve(forward http.Handler, w http.ResponseWriter, r *http.Request) {
	c, ok := parseCall(r)
	if !ok {
		forward.ServeHTTP(w, r)
		return
	}
	p.observe(asObserved(c, r))
	p.mu.Lock()
	p.every = append(p.every, asObserved(c, r))
	p.mu.Unlock()
	if !c.Write() {
		forward.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	p.writes = append(p.writes, c)
	n, before, after := len(p.writes), p.before, p.after
	p.mu.Unlock()
	if before != nil && !before(n, c, body) {
		panic(http.ErrAbortHandler)
	}
	if after == nil {
		forward.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	forward.ServeHTTP(rec, r)
	if !after(n, c, body) {
		panic(http.ErrAbortHandler)
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = io.Copy(w, rec.Body)
}

// URL is what a kubeconfig points at.
func (p *Proxy) URL() string { return p.server.URL }

// Reset forgets the calls seen so far.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes, p.every = nil, nil
}

// Every returns all calls so far by verb and resource alone. Server-side apply has verb
// apply there.
func (p *Proxy) Every() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Call(nil), p.every...)
}

// Seen returns the writes so far.
func (p *Proxy) Seen() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Call(nil), p.writes...)
}

// Hook has before asked ahead of each write, which false keeps from the API server, and
// after when it was carried out, whose answer false keeps from the operator. Either may
// be nil.
func (p *Proxy) Hook(before, after Hook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

// DelayWatches holds everything that watches say back for d.
func (p *Proxy) DelayWatches(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchDelay = d
}

// asObserved is the call by verb and resource alone.
func asObserved(c Call, r *http.Request) Call {
	verb := c.Verb
	switch r.Header.Get("Content-Type") {
	case string(types.ApplyPatchType), "application/apply-patch+cbor":
		verb = "apply"
	}
	return Call{Verb: verb, Group: c.Group, Resource: c.Resource}
}

// parseCall reads verb and resource from a request path as the API server does.
func parseCall(r *http.Request) (Call, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var c Call
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		c.Group = parts[1]
		parts = parts[3:]
	default:
		return c, false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		c.Namespace, parts = parts[1], parts[2:]
	}
	c.Resource = parts[0]
	if len(parts) > 1 {
		c.Name = parts[1]
	}
	if len(parts) > 2 {
		c.Resource += "/" + parts[2]
	}
	q := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		switch {
		case q.Get("watch") == "true" || q.Get("watch") == "1":
			c.Verb = "watch"
		case c.Name == "":
			c.Verb = "list"
		default:
			c.Verb = "get"
		}
	case http.MethodPost:
		c.Verb = "create"
	case http.MethodPut:
		c.Verb = "update"
	case http.MethodPatch:
		c.Verb = "patch"
	case http.MethodDelete:
		c.Verb = "delete"
		if c.Name == "" {
			c.Verb = "deletecollection"
		}
	}
	return c, true
}
