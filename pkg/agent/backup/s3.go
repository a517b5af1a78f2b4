// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	// Database images without ca-certificates have no roots of their own.
	_ "golang.org/x/crypto/x509roots/fallback"
)

const awsEndpoint = "https://s3.amazonaws.com"

// pace is how patient a store is.
type pace struct {
	// tries of one request; attempt bounds one of them, with a part's body.
	tries   int
	attempt time.Duration
	// backoff before the second try; it doubles.
	backoff time.Duration
	// idle is how long a download may give nothing.
	idle time.Duration
}

var patient = pace{tries: 5, attempt: 2 * time.Minute, backoff: time.Second, idle: time.Minute}

// s3Store keeps objects in one bucket.
type s3Store struct {
	core     minio.Core
	bucket   string
	endpoint string
	secrets  []string
	pace     pace
	partSize int64
	buffers  chan []byte
	// transport has the idle connections.
	transport *http.Transport
}

func openS3(ctx context.Context, l Location, creds Credentials) (Store, error) {
	s, err := newS3(l.Bucket, creds, patient, partSize)
	if err != nil {
		return nil, err
	}
	return s, s.probe(ctx, l.Folder)
}

// probe asks for what a backup and its retention need first.
func (s *s3Store) probe(ctx context.Context, folder string) error {
	return s.try(ctx, "list", s.bucket+"/"+folder, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: folder, MaxKeys: 1}) {
			return o.Err
		}
		return nil
	})
}

func newS3(bucket string, creds Credentials, pace pace, partSize int64) (*s3Store, error) {
	address := creds.Endpoint
	if address == "" {
		address = awsEndpoint
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, failure(ReasonInvalid, "", nil, "the Secret's endpoint is not http[s]://<host>[:<port>]")
	}
	endpoint := u.Scheme + "://" + u.Host
	if creds.AccessKey == "" || creds.SecretKey == "" {
		return nil, failure(ReasonCredentials, endpoint, nil, "the Secret has no accessKey or no secretKey")
	}
	if creds.Region == "" && creds.Endpoint != "" {
		creds.Region = "us-east-1" // what servers other than AWS are by default
	}
	transport, err := newTransport(endpoint, creds.CA, pace)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if creds.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(creds.AccessKey, creds.SecretKey, ""),
		Secure:       u.Scheme == "https",
		Transport:    transport,
		Region:       creds.Region,
		BucketLookup: lookup,
		MaxRetries:   1, // try does that: with a bound on each
	})
	if err != nil {
		return nil, failure(ReasonInvalid, endpoint, nil, "%s", redact(err.Error(), creds.AccessKey, creds.SecretKey))
	}
	return &s3Store{
		core: *core, bucket: bucket, endpoint: endpoint, secrets: []string{creds.SecretKey, creds.AccessKey},
		pace: pace, partSize: partSize, buffers: newBuffers(), transport: transport,
	}, nil
}

func newTransport(endpoint string, ca []byte, pace pace) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(ca) {
			return nil, failure(ReasonCredentials, endpoint, nil, "the Secret's ca holds no certificate in PEM")
		}
		config.RootCAs = pool
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: pace.idle,
		ExpectContinueTimeout: 10 * time.Second,
		MaxIdleConnsPerHost:   partsInFlight,
		IdleConnTimeout:       time.Minute,
		// The buffers of a backup are the parts'.
		WriteBufferSize:    64 << 10,
		ReadBufferSize:     64 << 10,
		DisableCompression: true,
	}, nil
}

func (s *s3Store) Endpoint() string { return s.endpoint }

func (s *s3Store) Free(context.Context) (int64, bool, error) { return 0, false, nil }

func (s *s3Store) List(ctx context.Context, prefix string, recursive bool) ([]Object, error) {
	var out []Object
	err := s.try(ctx, "list", s.bucket+"/"+prefix, func(ctx context.Context) error {
		out = nil
		for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: recursive}) {
			if o.Err != nil {
				return o.Err
			}
			if !strings.HasSuffix(o.Key, "/") {
				out = append(out, Object{Key: o.Key, Size: o.Size, Modified: o.LastModified})
			}
		}
		return ctx.Err()
	})
	return out, err
}

func (s *s3Store) Delete(ctx context.Context, key string) error {
	err := s.try(ctx, "delete", key, func(ctx context.Context) error {
		return s.core.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{})
	})
	if err != nil && ReasonOf(err) != ReasonNotFound {
		return err
	}
	return s.try(ctx, "remove unfinished uploads of", key, func(ctx context.Context) error {
		err := s.core.RemoveIncompleteUpload(ctx, s.bucket, key)
		switch minio.ToErrorResponse(err).Code {
		case "NoSuchUpload", "NotImplemented", "MethodNotAllowed":
			return nil
		}
		return err
	})
}

// try calls f until it succeeds, fails for good, or the tries are used up.
func (s *s3Store) try(ctx context.Context, what, key string, f func(context.Context) error) error {
	backoff := s.pace.backoff
	for i := 1; ; i++ {
		attempt, cancel := context.WithTimeout(ctx, s.pace.attempt)
		err := f(attempt)
		slow := attempt.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if slow {
			err = failure(ReasonUnreachable, s.endpoint, nil, "%s %s: no end after %v: the connection is too slow, or the server hangs", what, key, s.pace.attempt)
		} else {
			var retry bool
			if err, retry = s.fail(err, what, key); !retry {
				return err
			}
		}
		if i >= s.pace.tries {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(backoff):
			backoff *= 2
		}
	}
}

// fail gives an error its reason, and says whether to try again.
func (s *s3Store) fail(err error, what, key string) (error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, false
	}
	response, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // its URL says no more than endpoint and key
		}
		text := redact(err.Error(), s.secrets...)
		if tlsError(err) {
			return failure(ReasonUnreachable, s.endpoint, nil, "%s %s: %s", what, key, text), false
		}
		if cutError(err) {
			text = "the connection was cut"
		}
		return failure(ReasonUnreachable, s.endpoint, nil, "%s %s: %s", what, key, text), true
	}
	text := redact(response.Message, s.secrets...)
	if text == "" {
		text = http.StatusText(response.StatusCode)
	}
	reason, retry := classify(response)
	return failure(reason, s.endpoint, nil, "%s %s: %s: %s", what, key, response.Code, text), retry
}

func classify(r minio.ErrorResponse) (reason string, retry bool) {
	switch r.Code {
	case "NoSuchKey":
		return ReasonNotFound, false
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"AuthorizationHeaderMalformed", "AccountProblem", "RequestTimeTooSkewed", "XAdminUserNotFound":
		return ReasonCredentials, false
	case "XMinioStorageFull", "StorageFull", "InsufficientStorage", "QuotaExceeded", "BucketQuotaExceeded", "XMinioAdminBucketQuotaExceeded":
		return ReasonFull, false
	case "SlowDown", "SlowDownWrite", "SlowDownRead", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling":
		return ReasonStore, true
	}
	switch {
	case r.StatusCode == http.StatusInsufficientStorage:
		return ReasonFull, false
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		return ReasonCredentials, false
	case r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout:
		return ReasonStore, true
	}
	return ReasonStore, false
}

// cutError is true of a connection that the other side, or somebody between, has ended.
func cutError(err error) bool {
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE}, func(end error) bool { return errors.Is(err, end) })
}

// tlsError is true of what no other try makes better.
func tlsError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
