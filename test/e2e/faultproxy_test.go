// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fault meets a request on its way to a store. It returns true if it has answered, and
// false if the request goes on, as it is then.
type fault func(w http.ResponseWriter, r *http.Request) bool

// match tells which requests of a store a fault is about.
type match func(r *http.Request) bool

func anyRequest(*http.Request) bool { return true }

// isPart matches the n-th part of an upload, any if n is 0.
func isPart(n int) match {
	return func(r *http.Request) bool {
		number := r.URL.Query().Get("partNumber")
		return r.Method == http.MethodPut && number != "" && (n == 0 || number == fmt.Sprint(n))
	}
}

// puts matches the upload of an object whose name ends so, at once or in parts.
func puts(suffix string) match {
	return func(r *http.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, suffix) }
}

// gets matches the download of an object whose name has the text in it.
func gets(text string) match {
	return func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, text) && !r.URL.Query().Has("list-type")
	}
}

// storeProxy is a way to a store on which faults can be put. The store behind it is
// real, and so is what reaches it.
type storeProxy struct {
	// secret is the name of the Secret that leads this way.
	secret  string
	server  *httptest.Server
	forward http.Handler
	fault   atomic.Pointer[fault]
	// held requests.
	held sync.WaitGroup
}

// way to a store, by a Secret of that name.
func (e *environment) way(t *testing.T, s store, secret string) *storeProxy {
	t.Helper()
	target, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := &storeProxy{secret: secret, forward: &httputil.ReverseProxy{
		// The signature covers the name by which the store was called.
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := p.fault.Load(); f == nil || !(*f)(w, r) {
			p.forward.ServeHTTP(w, r)
		}
	}))
	_ = p.server.Listener.Close()
	if p.server.Listener, err = net.Listen("tcp", net.JoinHostPort(e.host(t), "0")); err != nil {
		t.Fatal(err)
	}
	p.server.Start()
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	s.endpoint = p.server.URL
	e.storeSecret(t, secret, s)
	return p
}

// storeSecret makes the Secret by which operations reach a store.
func (e *environment) storeSecret(t *testing.T, name string, s store) {
	t.Helper()
	secrets := e.kube.CoreV1().Secrets(opsNamespace)
	_ = secrets.Delete(t.Context(), name, metav1.DeleteOptions{})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{
		"endpoint": s.endpoint, "region": "us-east-1", "pathStyle": "true", "accessKey": s.accessKey, "secretKey": s.secretKey,
	}}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// put a fault on the way, in the place of the one that is there.
func (p *storeProxy) put(f fault) { p.fault.Store(&f) }

// clear the way.
func (p *storeProxy) clear() { p.fault.Store(nil) }

// hold keeps what matches back once it is whole. reached is closed with the first;
// release lets all go, and those to come.
func (p *storeProxy) hold(m match) (reached <-chan struct{}, release func()) {
	first, free := make(chan struct{}), make(chan struct{})
	arrived := sync.OnceFunc(func() { close(first) })
	p.put(func(w http.ResponseWriter, r *http.Request) bool {
		if !m(r) {
			return false
		}
		// Only who has read all of a request hears that its sender has gone.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.held.Add(1)
		defer p.held.Done()
		arrived()
		select {
		case <-free:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		return false
	})
	return first, sync.OnceFunc(func() {
		p.clear()
		close(free)
	})
}

// holdAnswer lets what matches reach the store, and keeps back what that says.
func (p *storeProxy) holdAnswer(m match) (reached <-chan struct{}) {
	first := make(chan struct{})
	arrived := sync.OnceFunc(func() { close(first) })
	p.put(func(_ http.ResponseWriter, r *http.Request) bool {
		if !m(r) {
			return false
		}
		p.forward.ServeHTTP(httptest.NewRecorder(), r)
		p.held.Add(1)
		defer p.held.Done()
		arrived()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	return first
}

// givenUp returns when nobody waits any more for what is held.
func (p *storeProxy) givenUp() { p.held.Wait() }

// times puts f on the first n requests that match; 0 is all.
func times(n int64, m match, f fault) fault {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		return m(r) && (n == 0 || seen.Add(1) <= n) && f(w, r)
	}
}

// tally of how often a fault struck each request.
type tally struct {
	of fault

	mu sync.Mutex
	n  map[string]int
}

func newTally(of fault) *tally { return &tally{of: of, n: map[string]int{}} }

// fault that is counted when it has answered, or has cut the connection.
func (c *tally) fault(w http.ResponseWriter, r *http.Request) bool {
	struck := true
	defer func() {
		if struck {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.n[r.URL.Path+"#"+r.URL.Query().Get("partNumber")]++
		}
	}()
	struck = c.of(w, r)
	return struck
}

// most that one request was struck.
func (c *tally) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	for _, n := range c.n {
		most = max(most, n)
	}
	return most
}

// answers is a store that fails.
func answers(status int, code string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>by the test</Message></Error>", code)
		return true
	}
}

// cuts the connection after n bytes of what is uploaded.
func cuts(n int64) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		panic(http.ErrAbortHandler)
	}
}

// cutsAnswer is cuts for what is downloaded.
func (p *storeProxy) cutsAnswer(n int) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		p.forward.ServeHTTP(&cutWriter{w, n}, r)
		return true
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets the proxy flush.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// slow lets so many bytes of uploads through per second until a time, then all.
func slow(perSecond int, until time.Time) fault {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		r.Body = &slowBody{ReadCloser: r.Body, step: perSecond / 10, until: until}
		return false
	}
}

type slowBody struct {
	io.ReadCloser
	step  int
	until time.Time
}

func (b *slowBody) Read(p []byte) (int, error) {
	if time.Now().Before(b.until) {
		time.Sleep(100 * time.Millisecond)
		p = p[:min(len(p), b.step)]
	}
	return b.ReadCloser.Read(p)
}
