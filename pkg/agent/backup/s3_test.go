// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"

	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	testAccess = "access-of-the-test"
	testSecret = "secret-of-the-test"
	testBucket = "backups"
)

// Impatient, and with the smallest parts S3 takes.
var impatient = pace{tries: 3, attempt: 20 * time.Second, backoff: time.Millisecond, idle: 10 * time.Second}

const testPart = 5 << 20

// gateway is a real S3 server on a directory, shared by the tests of the package.
type gateway struct {
	address string
	dir     string
	end     func()
}

var shared struct {
	sync.Once
	gateway
	skip string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if shared.end != nil {
		shared.end()
	}
	os.Exit(status)
}

// server returns the S3 server, or skips the test.
func server(t *testing.T) gateway {
	t.Helper()
	shared.Do(startGateway)
	if shared.skip != "" {
		t.Skip(shared.skip)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.gateway
}

func startGateway() {
	cache := os.Getenv("UNIT_OPERATOR_CACHE")
	if cache == "" {
		base, _ := os.UserCacheDir()
		cache = filepath.Join(base, "unit-operator")
	}
	found, _ := filepath.Glob(filepath.Join(cache, "bin", "s3-*", "versitygw"))
	if len(found) == 0 {
		shared.skip = "there is no S3 server: go run ./test/bed build s3 builds one"
		return
	}
	// It takes no port of its own choice, and what is free now may be taken when it
	// binds: once is no evidence.
	for range 3 {
		if launchGateway(found[len(found)-1]); shared.err == nil {
			return
		}
	}
}

func launchGateway(program string) {
	shared.err = nil
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		shared.err = err
		return
	}
	shared.address = listener.Addr().String()
	listener.Close()
	if shared.dir, shared.err = os.MkdirTemp("", "s3"); shared.err != nil {
		return
	}
	data, sidecar := filepath.Join(shared.dir, "data"), filepath.Join(shared.dir, "meta")
	shared.err = errors.Join(os.MkdirAll(filepath.Join(data, testBucket), 0o755), os.MkdirAll(sidecar, 0o755))
	command := exec.Command(program, "--port", shared.address, "--quiet", "--health", "/health", "posix", "--sidecar", sidecar, data)
	command.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+testAccess, "ROOT_SECRET_KEY="+testSecret)
	if shared.err = errors.Join(shared.err, command.Start()); shared.err != nil {
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	shared.end = func() {
		command.Process.Kill()
		<-ended
		os.RemoveAll(shared.dir)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if response, err := http.Get("http://" + shared.address + "/health"); err == nil {
			response.Body.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			shared.err = fmt.Errorf("the S3 server ended: %w", err)
			shared.end()
			shared.end = nil
			return
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			shared.err = errors.New("the S3 server does not answer")
			return
		}
	}
}

func testCredentials(endpoint string) Credentials {
	return Credentials{Endpoint: endpoint, Region: "us-east-1", PathStyle: true, AccessKey: testAccess, SecretKey: testSecret}
}

// proxied is a store behind a proxy that meets each request with fault first; the
// request is passed on if that returns false. The signature covers the Host.
func proxied(t *testing.T, fault func(http.ResponseWriter, *http.Request) bool) (*s3Store, Location) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: server(t).address}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ErrorLog: nil,
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault == nil || !fault(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	store := must(newS3(testBucket, testCredentials(front.URL), impatient, testPart))(t)
	t.Cleanup(store.transport.CloseIdleConnections)
	l := Location{Bucket: testBucket, Folder: strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())) + "/"}
	return store, l
}

func uploads(t *testing.T, store *s3Store, prefix string) int {
	t.Helper()
	result := must(store.core.ListMultipartUploads(t.Context(), store.bucket, prefix, "", "", "", 100))(t)
	return len(result.Uploads)
}

func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

func refuse(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>by the test, with %s</Message></Error>", code, testSecret)
	return true
}

func cut(w http.ResponseWriter, r *http.Request) bool {
	io.CopyN(io.Discard, r.Body, 100<<10)
	connection, _, _ := w.(http.Hijacker).Hijack()
	connection.Close()
	return true
}

func TestS3BackupsReadBackAsTheyWereWritten(t *testing.T) {
	store, l := proxied(t, nil)
	files := map[string][]byte{"empty": nil, "small": []byte("x"), "large": content(3, 23<<20)}
	m := take(t, CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Key: testKey, Meta: testMeta(Physical), objectSize: 12 << 20}, files)
	if m.File("large").Objects != 2 {
		t.Errorf("the large file has %d objects, want 2", m.File("large").Objects)
	}
	found := must(Find(t.Context(), store, l, m.Scope))(t)
	if v := must(Verify(t.Context(), store, found, testKey, nil))(t); v.Bytes != m.Size() {
		t.Errorf("verified %+v, want %d bytes", v, m.Size())
	}
	later := m.Completed.Add(3 * time.Hour)
	second := take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Physical), Now: func() time.Time { return later }}, files)
	removed := must(Prune(t.Context(), PruneOptions{Store: store, Location: l, Scope: m.Scope, Unit: "orders-0", Retention: time.Hour, Now: later}))(t)
	if d := cmp.Diff([]string{m.Name()}, removed); d != "" {
		t.Errorf("pruned (-want +got):\n%s", d)
	}
	want := []string{second.Name() + ManifestSuffix, second.Name() + "/empty.zst", second.Name() + "/large.zst", second.Name() + "/small.zst"}
	slices.Sort(want)
	if d := cmp.Diff(want, keys(t, store, l)); d != "" {
		t.Errorf("objects left (-want +got):\n%s", d)
	}
}

func TestAPartIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"after 500":     func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 500, "InternalError") },
		"after 503":     func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 503, "SlowDown") },
		"after cutting": cut,
	} {
		t.Run(name, func(t *testing.T) {
			var parts atomic.Int32
			var sent sync.Map
			store, l := proxied(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !isPart(r) {
					return false
				}
				parts.Add(1)
				// Each is sent in parallel with others: it is the first try of each that fails.
				_, again := sent.LoadOrStore(r.URL.Query().Get("partNumber"), true)
				return !again && fault(w, r)
			})
			m := take(t, CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Meta: testMeta(Physical)}, map[string][]byte{"f": content(4, 11<<20)})
			if parts.Load() < 4 {
				t.Errorf("%d parts were sent: none twice", parts.Load())
			}
			must(Verify(t.Context(), store, m, nil, nil))(t)
		})
	}
}

func TestFailedUploadsEndWithTheReasonAndLeaveNothing(t *testing.T) {
	slow := impatient
	slow.attempt = time.Second
	for name, test := range map[string]struct {
		fault        func(http.ResponseWriter, *http.Request) bool
		reason, text string
		pace         pace
	}{
		"refused": {
			fault:  func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 403, "AccessDenied") },
			reason: ReasonCredentials, text: "AccessDenied: by the test, with <redacted>",
		},
		"full": {
			fault:  func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 507, "XMinioStorageFull") },
			reason: ReasonFull, text: "XMinioStorageFull",
		},
		"always 500": {
			fault:  func(w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 500, "InternalError") },
			reason: ReasonStore, text: "InternalError",
		},
		"always cut": {fault: cut, reason: ReasonUnreachable, text: "upload a part of"},
		"slow": {
			fault: func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			},
			reason: ReasonUnreachable, text: "the connection is too slow, or the server hangs", pace: slow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			store, l := proxied(t, func(w http.ResponseWriter, r *http.Request) bool {
				if broken.Load() && isPart(r) {
					if name == "slow" {
						io.Copy(io.Discard, r.Body) // else the server does not see the end
					}
					return test.fault(w, r)
				}
				return false
			})
			w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Meta: testMeta(Physical)}))(t)
			broken.Store(true)
			if test.pace.tries > 0 {
				store.pace = test.pace
			}
			f := must(w.File("f"))(t)
			_, writeErr := f.Write(content(5, 40<<20))
			closeErr := f.Close()
			wantReason(t, writeErr, test.reason, test.text)
			wantReason(t, closeErr, test.reason, store.endpoint)
			for _, err := range []error{writeErr, closeErr} {
				if strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), testAccess) {
					t.Errorf("a credential is in %q", err)
				}
			}
			store.pace = impatient
			if err := w.Abort(); err != nil {
				t.Fatal(err)
			}
			if got := keys(t, store, l); len(got) > 0 {
				t.Errorf("left behind: %v", got)
			}
			if n := uploads(t, store, l.Folder); n > 0 {
				t.Errorf("%d uploads are unfinished", n)
			}
			_, err := Find(t.Context(), store, l, Scope{})
			wantReason(t, err, ReasonNotFound, "holds no complete backup")
		})
	}
}

func TestTheSweepRemovesUnfinishedUploads(t *testing.T) {
	store, l := proxied(t, nil)
	w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Meta: testMeta(Physical)}))(t)
	w.names = []string{"f"}
	if err := w.mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := objectKey(w.location, "f", operation.NoCompression, false, 0)
	must(store.core.NewMultipartUpload(t.Context(), store.bucket, key, minio.PutObjectOptions{}))(t)
	if n := uploads(t, store, l.Folder); n != 1 {
		t.Fatalf("%d uploads before", n)
	}
	if err := Sweep(t.Context(), store, l, w.Meta.Scope, w.Meta.Unit); err != nil {
		t.Fatal(err)
	}
	if n, left := uploads(t, store, l.Folder), keys(t, store, l); n != 0 || len(left) > 0 {
		t.Errorf("%d uploads and %v are left", n, left)
	}
}

func TestADownloadThatIsCutGoesOn(t *testing.T) {
	var cuts atomic.Int32
	var store *s3Store
	target := ""
	store, l := proxied(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/f") || cuts.Load() >= 4 {
			return false
		}
		cuts.Add(1)
		out, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+target+r.URL.RequestURI(), nil)
		out.Header, out.Host = r.Header, r.Host
		response, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			return refuse(w, 500, "InternalError")
		}
		defer response.Body.Close()
		for k, v := range response.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(response.StatusCode)
		io.CopyN(w, response.Body, 1<<20)
		panic(http.ErrAbortHandler)
	})
	target = server(t).address
	m := take(t, CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Meta: testMeta(Physical)}, map[string][]byte{"f": content(6, 9<<20)})
	must(Verify(t.Context(), store, m, nil, nil))(t)
	if cuts.Load() != 4 {
		t.Errorf("%d downloads were cut, want 4", cuts.Load())
	}
}

// unheard is an address that is taken and where nobody listens, for as long as the
// test runs: a port that is merely free may be another program's a moment later.
func unheard(t *testing.T) string {
	t.Helper()
	socket := must(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0))(t)
	syscall.CloseOnExec(socket)
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address := must(syscall.Getsockname(socket))(t).(*syscall.SockaddrInet4)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port))
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	endpoint := "http://" + server(t).address
	nobody := "http://" + unheard(t)
	for name, test := range map[string]struct {
		change       func(*Credentials)
		bucket       string
		reason, text string
	}{
		"a wrong secret key":   {func(c *Credentials) { c.SecretKey = "wrong-secret" }, testBucket, ReasonCredentials, "SignatureDoesNotMatch"},
		"a wrong access key":   {func(c *Credentials) { c.AccessKey = "wrong-access" }, testBucket, ReasonCredentials, "No user exists"},
		"no bucket":            {func(*Credentials) {}, "missing", ReasonStore, "NoSuchBucket"},
		"nobody there":         {func(c *Credentials) { c.Endpoint = nobody }, testBucket, ReasonUnreachable, "connection refused"},
		"no keys":              {func(c *Credentials) { c.AccessKey = "" }, testBucket, ReasonCredentials, "no accessKey"},
		"a key in the address": {func(c *Credentials) { c.Endpoint = "http://wrong-access:wrong-secret@h" }, testBucket, ReasonInvalid, "is not http"},
		"no certificate":       {func(c *Credentials) { c.CA = []byte("wrong-secret") }, testBucket, ReasonCredentials, "no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			creds := testCredentials(endpoint)
			test.change(&creds)
			store, err := newS3(test.bucket, creds, impatient, testPart)
			if err == nil {
				defer store.transport.CloseIdleConnections()
				err = store.probe(t.Context(), "x/")
			}
			wantReason(t, err, test.reason, test.text)
			for _, secret := range []string{"wrong-secret", "wrong-access", testAccess, testSecret} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q is in %q", secret, err)
				}
			}
		})
	}
}

func TestAPrivateCertificateIsTrustedOnlyIfGiven(t *testing.T) {
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 403, "AccessDenied")
	}))
	t.Cleanup(front.Close)

	store := must(newS3(testBucket, testCredentials(front.URL), impatient, testPart))(t)
	wantReason(t, store.probe(context.Background(), ""), ReasonUnreachable, "certificate")
	creds := testCredentials(front.URL)
	creds.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	store = must(newS3(testBucket, creds, impatient, testPart))(t)
	wantReason(t, store.probe(context.Background(), ""), ReasonCredentials, "AccessDenied")
	store.transport.CloseIdleConnections()
}
