// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
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
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"
)

// call is one request as RBAC sees it.
type call struct {
	verb, group, resource, namespace, name string
}

func (c call) String() string {
	return fmt.Sprintf("%s %s.%s %s/%s", c.verb, c.resource, c.group, c.namespace, c.name)
}

// write is true for calls that change something, leases and events aside.
func (c call) write() bool {
	switch c.verb {
	case "get", "list", "watch":
		return false
	}
	return c.resource != "leases" && c.resource != "events"
}

// everyCall collects what the operator called in all tests of this package.
var everyCall = struct {
	sync.Mutex
	set sets.Set[call]
}{set: sets.New[call]()}

// apiProxy forwards to the API server and lets a test look and interfere.
type apiProxy struct {
	server *httptest.Server

	mu     sync.Mutex
	writes []call
	// before is called ahead of each write, with its number from 1; if it
	// returns false the request never reaches the API server.
	before func(n int, c call) bool
	// after is called when the API server has answered a write, before the
	// operator sees the answer; false cuts the connection.
	after func(n int, c call) bool
	// watchDelay holds every chunk of a watch back.
	watchDelay time.Duration
}

// newProxy starts a proxy to the API server of cfg that speaks for the bearer of
// token.
func newProxy(t testing.TB, cfg *rest.Config, token string) *apiProxy {
	t.Helper()
	target, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(&rest.Config{Host: cfg.Host, TLSClientConfig: rest.TLSClientConfig{CAData: cfg.CAData, CAFile: cfg.CAFile}})
	if err != nil {
		t.Fatal(err)
	}
	p := &apiProxy{}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = target.Host
			r.Out.Header.Set("Authorization", "Bearer "+token)
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			delay := p.watchDelay
			p.mu.Unlock()
			if delay > 0 && r.Request.URL.Query().Get("watch") != "" {
				r.Body = newDelayedBody(r.Body, delay)
			}
			return nil
		},
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := parseCall(r)
		if !ok {
			rp.ServeHTTP(w, r)
			return
		}
		everyCall.Lock()
		verb := c.verb
		if r.Header.Get("Content-Type") == string(types.ApplyPatchType) || r.Header.Get("Content-Type") == "application/apply-patch+cbor" {
			verb = "apply"
		}
		everyCall.set.Insert(call{verb: verb, group: c.group, resource: c.resource})
		everyCall.Unlock()
		p.mu.Lock()
		n, before, after := 0, p.before, p.after
		if c.write() {
			p.writes = append(p.writes, c)
			n = len(p.writes)
		}
		p.mu.Unlock()
		if n > 0 && before != nil && !before(n, c) {
			panic(http.ErrAbortHandler)
		}
		if n == 0 || after == nil {
			rp.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		rp.ServeHTTP(rec, r)
		if !after(n, c) {
			panic(http.ErrAbortHandler)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = io.Copy(w, rec.Body)
	}))
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// reset forgets the writes seen so far.
func (p *apiProxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = nil
}

// seen returns the writes so far.
func (p *apiProxy) seen() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]call(nil), p.writes...)
}

// hook sets before and after.
func (p *apiProxy) hook(before, after func(n int, c call) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

func (p *apiProxy) delayWatches(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchDelay = d
}

// parseCall reads verb and resource from a request path as the API server does.
func parseCall(r *http.Request) (call, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var c call
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		c.group = parts[1]
		parts = parts[3:]
	default:
		return c, false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		c.namespace, parts = parts[1], parts[2:]
	}
	c.resource = parts[0]
	if len(parts) > 1 {
		c.name = parts[1]
	}
	if len(parts) > 2 {
		c.resource += "/" + parts[2]
	}
	q := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		switch {
		case q.Get("watch") == "true" || q.Get("watch") == "1":
			c.verb = "watch"
		case c.name == "":
			c.verb = "list"
		default:
			c.verb = "get"
		}
	case http.MethodPost:
		c.verb = "create"
	case http.MethodPut:
		c.verb = "update"
	case http.MethodPatch:
		c.verb = "patch"
	case http.MethodDelete:
		c.verb = "delete"
		if c.name == "" {
			c.verb = "deletecollection"
		}
	}
	return c, true
}

// delayedBody hands each chunk on only delay after it came, in order: an informer
// that lags by a fixed time.
type delayedBody struct {
	src    io.ReadCloser
	chunks chan delayedChunk
	done   chan struct{}
	once   sync.Once
	rest   []byte
	err    error
}

type delayedChunk struct {
	due  time.Time
	data []byte
	err  error
}

func newDelayedBody(src io.ReadCloser, delay time.Duration) io.ReadCloser {
	d := &delayedBody{src: src, chunks: make(chan delayedChunk, 4096), done: make(chan struct{})}
	go func() {
		for {
			buf := make([]byte, 64<<10)
			n, err := src.Read(buf)
			select {
			case d.chunks <- delayedChunk{due: time.Now().Add(delay), data: buf[:n], err: err}:
			case <-d.done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return d
}

func (d *delayedBody) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		select {
		case c := <-d.chunks:
			timer := time.NewTimer(time.Until(c.due))
			select {
			case <-timer.C:
			case <-d.done:
				timer.Stop()
				return 0, io.ErrClosedPipe
			}
			d.rest, d.err = c.data, c.err
		case <-d.done:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *delayedBody) Close() error {
	d.once.Do(func() { close(d.done) })
	return d.src.Close()
}
